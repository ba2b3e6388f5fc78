/*
 * Programs that behave badly on purpose, one for each argument: what is asked is that the kernel stays
 * up, says what happened, and that the parent goes on. Exit 0: it ended the way Linux ends it.
 *
 *   bombs fork    as an ordinary user under RLIMIT_NPROC: forks until EAGAIN
 *   bombs alloc   touches memory until malloc fails or it is killed
 *   bombs stack   recursion without end: SIGSEGV
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define NPROC 40
#define CHUNK (16ul << 20)

static int fork_until_refused(void)
{
	int made = 0;

	for (;;) {
		pid_t pid = fork();

		if (pid < 0)
			return errno == EAGAIN ? made : -1;
		if (!pid) {
			pause();
			_exit(0);
		}
		made++;
	}
}

static int fork_bomb(void)
{
	struct rlimit limit = { NPROC, NPROC };
	int made;

	if (getpgrp() != getpid() && setpgid(0, 0))
		return 1;
	if (setrlimit(RLIMIT_NPROC, &limit) || setgid(1000) || setuid(1000))
		return 1;
	made = fork_until_refused();
	printf("fork: refused after %d children\n", made);
	fflush(stdout);
	signal(SIGTERM, SIG_IGN);
	kill(0, SIGTERM);
	while (wait(NULL) > 0)
		;
	return made == NPROC - 1 ? 0 : 1;
}

static void eat(void)
{
	for (;;) {
		char *p = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			       0);

		if (p == MAP_FAILED)
			_exit(errno == ENOMEM ? 77 : 78);
		memset(p, 1, CHUNK);
	}
}

static int alloc_bomb(void)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		eat();
	if (waitpid(pid, &status, 0) != pid)
		return 1;
	if ((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) ||
	    (WIFEXITED(status) && WEXITSTATUS(status) == 77)) {
		puts("alloc: stopped, the parent goes on");
		return 0;
	}
	printf("alloc: unexpected status %#x\n", status);
	return 1;
}

static __attribute__((noinline)) int recurse(volatile char *above)
{
	volatile char page[4096];

	page[0] = above[0];
	return page[0] ? 0 : recurse(page) + page[0]; /* never anything but 0 */
}

static int stack_bomb(void)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(recurse((volatile char[1]){ 0 }));
	if (waitpid(pid, &status, 0) != pid)
		return 1;
	printf("stack: signal %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV ? 0 : 1;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(void);
	} bombs[] = { { "fork", fork_bomb }, { "alloc", alloc_bomb }, { "stack", stack_bomb } };

	for (size_t i = 0; argc == 2 && i < sizeof(bombs) / sizeof(bombs[0]); i++)
		if (!strcmp(argv[1], bombs[i].name))
			return bombs[i].run();
	fprintf(stderr, "usage: bombs fork|alloc|stack\n");
	return 2;
}
