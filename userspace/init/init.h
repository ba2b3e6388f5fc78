/* The parts of PID 1. */
#pragma once

/* What to run, from /.cairn/spec (docs/planning/0001-boot.md). */
struct spec {
	char *cwd; /* NULL: stay in / */
	int tty; /* 1: /dev/console as controlling terminal; 0: the three ports */
	char **env; /* NULL-terminated */
	char **argv; /* NULL-terminated; argv[0] is what to execute */
};

/* 0 and *out filled in; 1 when there is no such file; -1 (reported) when it cannot be used. */
int spec_read(const char *path, struct spec *out);
/* Mounts /dev, /proc, /tmp...; what fails is reported on stderr and left out. */
void mount_all(void);
/* In the child: streams, directory, environment, then the program. Does not return. */
_Noreturn void run_program(const struct spec *spec);
