/*
 * As /init: brings a known state about for the tests of the GDB commands, says so on the console, and waits.
 * Processes that compute, wait in a pipe, a futex and in signal handlers (one on an alternate stack), a zombie,
 * a stopped one, and one page of each kind at addresses that the test knows.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGES                                                                                      \
	0x10000000ul /* touched, untouched, PROT_NONE, read-only, shared with a child (copy on write) */
#define PAGE 4096ul
#define ALT_STACK 0x20000000ul
#define ALT_SIZE 65536ul

static volatile int futex_word;

static void make_page(unsigned n, int touch, int prot)
{
	char *p = mmap((void *)(PAGES + n * PAGE), PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	if (p == MAP_FAILED)
		abort();
	if (touch)
		memset(p, 0x40 + (int)n, PAGE);
	if (prot != (PROT_READ | PROT_WRITE) && mprotect(p, PAGE, prot))
		abort();
}

static pid_t child(const char *name, void (*body)(void))
{
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_NAME, name);
	body();
	_exit(0);
}

static void computes(void)
{
	for (volatile unsigned long n = 0;; n++)
		;
}

static int pipe_ends[2];
static void reads_pipe(void)
{
	char c;

	close(pipe_ends[1]);
	if (read(pipe_ends[0], &c, 1) < 0)
		_exit(1);
}

static void in_handler(int sig, siginfo_t *info, void *context)
{
	(void)sig, (void)info, (void)context;
	for (;;)
		pause();
}

static void take(int sig, int flags)
{
	struct sigaction action = { .sa_sigaction = in_handler, .sa_flags = SA_SIGINFO | flags };

	if (sigaction(sig, &action, NULL))
		abort();
	raise(sig);
}

static void handles_alternate(void)
{
	stack_t stack = { .ss_size = ALT_SIZE };

	stack.ss_sp = mmap((void *)ALT_STACK, ALT_SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	if (stack.ss_sp == MAP_FAILED || sigaltstack(&stack, NULL))
		abort();
	take(SIGUSR1, SA_ONSTACK);
}

static void handles_normal(void)
{
	take(SIGUSR2, 0);
}

static void *waits_futex(void *arg)
{
	prctl(PR_SET_NAME, "futex");
	syscall(SYS_futex, &futex_word, FUTEX_WAIT, 0, NULL, NULL, 0);
	return arg;
}

static void has_threads(void)
{
	pthread_t thread;

	for (int i = 0; i < 3; i++)
		if (pthread_create(&thread, NULL, waits_futex, NULL))
			abort();
	for (;;)
		pause();
}

static void ends(void)
{
}

static void stops(void)
{
	raise(SIGSTOP);
}

static void pending(void)
{
	sigset_t set;

	sigfillset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
	raise(SIGUSR1);
	sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = 7 });
	for (;;)
		pause();
}

/* So that some slabs are half full. */
static void opens_and_closes(void)
{
	for (int i = 0; i < 500; i++)
		if (open("/tmp/a-file", O_RDONLY) < 0)
			abort();
	syscall(SYS_close_range, 100, ~0u, 0);
	syscall(SYS_close_range, 10, ~0u, 0);
}

int main(void)
{
	int console, file, timer;
	struct itimerspec when = { .it_value = { .tv_sec = 1000 } };

	mkdir("/dev", 0755);
	mkdir("/tmp", 0755);
	mkdir("/tmp/all", 0755);
	if (mount("/tmp", "/tmp", NULL, MS_BIND, NULL) ||
	    mount("/", "/tmp/all", NULL, MS_BIND, NULL))
		abort(); /* one dentry is in two mounts, above itself */
	mount("devfs", "/dev", "devtmpfs", 0, NULL);
	console = open("/dev/console", O_RDWR);
	file = open("/tmp/a-file", O_RDWR | O_CREAT, 0644);
	if (file < 0 || write(file, "contents", 8) != 8 || pipe(pipe_ends))
		abort();
	timer = timerfd_create(CLOCK_MONOTONIC, 0);
	timerfd_settime(timer, 0, &when, NULL);
	make_page(0, 1, PROT_READ | PROT_WRITE);
	make_page(1, 0, PROT_READ | PROT_WRITE);
	make_page(2, 1, PROT_NONE);
	make_page(3, 1, PROT_READ);
	make_page(4, 1, PROT_READ | PROT_WRITE);
	mmap((void *)(PAGES + 5 * PAGE), PAGE, PROT_READ, MAP_SHARED | MAP_FIXED | MAP_POPULATE,
	     file, 0);
	for (int i = 0; i < 6; i++)
		child("computes", computes);
	child("reader", reads_pipe);
	child("alternate", handles_alternate);
	child("normal", handles_normal);
	child("threads", has_threads);
	child("zombie", ends);
	child("stopped", stops);
	child("pending", pending);
	opens_and_closes();
	*(volatile char *)PAGES = 'A'; /* ours again after the forks */
	usleep(300000);
	dprintf(console, "gdbstate ready\n");
	for (;;)
		pause();
}
