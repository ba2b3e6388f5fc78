/*
 * bench: what common operations cost, each as the mean of many with its loop. Under `xtask run --icount` a
 * nanosecond is an instruction, and two runs print the same. `bench NAME` runs one of them.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void need(int ok)
{
	if (!ok)
		abort();
}

static void null_call(int n)
{
	while (n--)
		syscall(SYS_getppid);
}

static void fork_wait(int n)
{
	while (n--) {
		pid_t pid = fork();

		need(pid >= 0);
		if (!pid)
			_exit(0);
		need(waitpid(pid, NULL, 0) == pid);
	}
}

static void page_fault(int n)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), size = (size_t)n * page;
	volatile char *area =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	need(area != MAP_FAILED);
	madvise((void *)area, size, MADV_NOHUGEPAGE);
	for (size_t at = 0; at < size; at += page)
		area[at] = 1;
	munmap((void *)area, size);
}

static void handler(int sig)
{
	(void)sig;
}

static void signal_self(int n)
{
	signal(SIGUSR1, handler);
	while (n--)
		syscall(SYS_tgkill, getpid(), gettid(), SIGUSR1);
}

static void *nothing(void *arg)
{
	return arg;
}

static void thread_join(int n)
{
	while (n--) {
		pthread_t thread;

		need(!pthread_create(&thread, NULL, nothing, NULL));
		need(!pthread_join(thread, NULL));
	}
}

static const struct {
	const char *name;
	void (*run)(int n);
	int n;
} all[] = {
	{ "null_call", null_call, 20000 },           { "fork_exit_wait", fork_wait, 500 },
	{ "page_fault", page_fault, 4000 },          { "signal_self", signal_self, 5000 },
	{ "thread_create_join", thread_join, 2000 },
};

static long long now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

int main(int argc, char **argv)
{
	int ran = 0;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		long long begin;

		if (argc > 1 && strcmp(argv[1], all[i].name))
			continue;
		all[i].run(all[i].n / 10); /* what is kept between them is there */
		begin = now_ns();
		all[i].run(all[i].n);
		printf("%-20s %8lld\n", all[i].name, (now_ns() - begin) / all[i].n);
		ran = 1;
	}
	return ran ? 0 : 2;
}
