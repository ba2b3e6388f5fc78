/* The program's process, from fork to exec. */
#include "init.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define PORTS "/dev/virtio-ports/cairn."

static _Noreturn void fail(const char *what, int status)
{
	fprintf(stderr, "init: %s: %s\n", what, strerror(errno));
	_exit(status);
}

static void open_as(const char *path, int flags, int fd)
{
	int got = open(path, flags | O_NOCTTY);

	if (got < 0)
		fail(path, 126);
	if (got != fd) {
		dup2(got, fd);
		close(got);
	}
}

/* The console as controlling terminal of a new session. */
static void open_tty(void)
{
	setsid();
	open_as("/dev/console", O_RDWR, 0);
	if (ioctl(0, TIOCSCTTY, 0) < 0)
		fprintf(stderr, "init: no controlling terminal: %s\n", strerror(errno));
	dup2(0, 1);
	dup2(0, 2);
}

_Noreturn void run_program(const struct spec *spec)
{
	if (spec->tty) {
		open_tty();
	} else {
		setsid();
		open_as(PORTS "stdin", O_RDONLY, 0);
		open_as(PORTS "stdout", O_WRONLY, 1);
		open_as(PORTS "stderr", O_WRONLY, 2);
	}
	if (spec->cwd && chdir(spec->cwd) < 0)
		fail(spec->cwd, 126);
	environ = spec->env;
	execvp(spec->argv[0], spec->argv);
	fail(spec->argv[0], errno == ENOENT ? 127 : 126);
}
