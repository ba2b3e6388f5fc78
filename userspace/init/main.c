/*
 * PID 1 of the machine. Mounts what programs expect, starts the one program that /.cairn/spec names,
 * reaps whatever ends, and exits with the program's status as soon as it ends: processes that are left
 * over die with the machine. Without a spec it starts an interactive shell on the console, if there is one.
 */
#include "init.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SPEC_PATH "/.cairn/spec"

/* 0, 1 and 2 must be something before any other file is opened. */
static void open_console(void)
{
	int fd = open("/dev/console", O_RDWR | O_NOCTTY);

	if (fd < 0)
		fd = open("/dev/null", O_RDWR);
	if (fd < 0)
		return;
	for (int i = 0; i <= 2; i++) {
		if (fd != i && fcntl(i, F_GETFD) < 0)
			dup2(fd, i);
	}
	if (fd > 2)
		close(fd);
}

static int shell_spec(struct spec *s)
{
	static char *argv[] = { "/bin/sh", "-i", NULL };
	static char *env[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/", "TERM=vt100",
			       "PS1=cairn# ", NULL };

	if (access(argv[0], X_OK) < 0) {
		fprintf(stderr, "init: no %s and no %s: nothing to run\n", SPEC_PATH, argv[0]);
		return -1;
	}
	*s = (struct spec){ .tty = 1, .argv = argv, .env = env };
	return 0;
}

static int exit_status(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int main(void)
{
	struct spec spec;
	pid_t child, pid;
	int status, found;

	open_console();
	mount_all();
	open_console();
	found = spec_read(SPEC_PATH, &spec);
	if (found < 0 || (found == 1 && shell_spec(&spec) < 0))
		return 1;
	child = fork();
	if (child < 0) {
		perror("init: fork");
		return 126;
	}
	if (child == 0)
		run_program(&spec);
	for (;;) {
		pid = waitpid(-1, &status, 0);
		if (pid == child)
			return exit_status(status);
		if (pid < 0 && errno != EINTR) {
			perror("init: waitpid");
			return 126;
		}
	}
}
