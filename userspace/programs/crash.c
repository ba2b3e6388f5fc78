/*
 * Ways to die: `crash WAY` dies in that way with every register known (ARCH/crash_ways.h); `crash all` lets a child
 * die in each way, one after the other, and says how each ended; `crash list` names them; `crash storm N` lets
 * N children die of SIGTERM; `crash argv ...` dies with the arguments it was given. On Linux it dies the same.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096ul
#define WAY static __attribute__((noinline, noclone)) void

/* The port's: FRAME_SIGNAL, ELF_MACHINE, PORT_WAYS and the ways that are instructions. */
#include "crash_ways.h"

WAY die_libc_abort(void)
{
	abort();
}

static void *null_thread(void *arg)
{
	usleep(50000); /* until the other one waits */
	die_null();
	return arg;
}

/* Not the first thread, while that one waits in a system call. */
WAY die_thread(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, null_thread, NULL);
	pthread_join(thread, NULL);
}

static char broken[] = "/tmp/broken";
static char *broken_argv[] = { broken, NULL };

static int make_file(const char *name, const void *data, size_t size)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0755);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size) {
		perror(name);
		_exit(9);
	}
	return fd;
}

/* The second page of a mapping of a file that has one. */
WAY die_bus(void)
{
	static char page[PAGE];
	int fd = make_file("/tmp/short", page, sizeof(page));
	char *at = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (at != MAP_FAILED)
		write_at_0x1008(at);
}

struct elf_image {
	unsigned char ident[16];
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry, phoff, shoff;
	uint32_t flags;
	uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
	struct {
		uint32_t type, flags;
		uint64_t offset, vaddr, paddr, filesz, memsz, align;
	} ph[2];
};

/* A program whose data is to end in a page that the file does not have: nobody sees that before the old
 * program is gone. */
WAY die_exec(void)
{
	struct elf_image image = {
		.ident = "\177ELF\2\1\1",
		.type = 2,
		.machine = ELF_MACHINE,
		.version = 1,
		.entry = 0x400000,
		.phoff = 64,
		.ehsize = 64,
		.phentsize = 56,
		.phnum = 2,
		.ph = { { 1, 5, 0, 0x400000, 0x400000, 176, 176, PAGE },
			{ 1, 6, 16 * PAGE, 0x600000, 0x600000, 8, 4000, PAGE } },
	};

	close(make_file(broken, &image, sizeof(image)));
	exec_known(broken, broken_argv);
	_exit(9);
}

static void handler(int sig)
{
	(void)sig;
}

/* A signal with a handler, and no stack to put its frame on. */
WAY die_frame(void)
{
	struct sigaction act = { .sa_handler = handler };

	sigaction(FRAME_SIGNAL, &act, NULL);
	trap_without_stack();
}

static const struct {
	const char *name;
	void (*die)(void);
} ways[] = {
	{ "null", die_null },     { "jump", die_jump },
	{ "trap", die_trap },     PORT_WAYS,
	{ "abort", die_abort },   { "stack", die_stack },
	{ "bus", die_bus },       { "exec", die_exec },
	{ "frame", die_frame },   { "libc_abort", die_libc_abort },
	{ "thread", die_thread },
};
#define WAYS (sizeof(ways) / sizeof(ways[0]))

static int die(const char *name)
{
	for (size_t i = 0; i < WAYS; i++) {
		if (strcmp(ways[i].name, name))
			continue;
		getppid(); /* the last call that the report is to show */
		ways[i].die();
		return 9;
	}
	fprintf(stderr, "crash: no way %s\n", name);
	return 2;
}

static int run(char *self, char *way)
{
	char *argv[] = { self, way, NULL };
	pid_t pid = fork();
	int status;

	if (!pid) {
		execv(self, argv);
		_exit(8);
	}
	waitpid(pid, &status, 0);
	printf("%s %d %d\n", way, (int)pid, WIFSIGNALED(status) ? WTERMSIG(status) : -1);
	return !WIFSIGNALED(status);
}

static int storm(int n)
{
	for (int i = 0; i < n; i++) {
		pid_t pid = fork();

		if (pid < 0)
			return 3;
		if (!pid)
			kill(getpid(), SIGTERM);
		waitpid(pid, NULL, 0);
	}
	printf("%d children died\n", n);
	return 0;
}

int main(int argc, char **argv)
{
	int bad = 0;

	if (argc >= 2 && !strcmp(argv[1], "argv"))
		return die("null");
	if (argc == 3 && !strcmp(argv[1], "storm"))
		return storm(atoi(argv[2]));
	if (argc != 2) {
		fprintf(stderr, "usage: crash WAY | all | list | storm N | argv ...\n");
		return 2;
	}
	if (strcmp(argv[1], "all") && strcmp(argv[1], "list"))
		return die(argv[1]);
	for (size_t i = 0; i < WAYS; i++) {
		if (!strcmp(argv[1], "list"))
			puts(ways[i].name);
		else
			bad |= run(argv[0], (char *)ways[i].name);
	}
	return bad;
}
