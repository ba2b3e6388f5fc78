/*
 * A storm of bad pointers over every system call.
 *
 * Each number is tried in a child of its own with many combinations of hostile arguments. The kernel may
 * refuse, or kill the child by a signal; it may not die, hang (each child has an alarm), or let a child
 * write where it must not. Prints one line a call: how often each errno came, and the signal that ended
 * the child, if any. Calls that would end or stop the test itself are left out by name.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "calls.h"

#define LAST_CALL 450
#define TRIES 60

static const int left_out[] = { SYS_exit,
				SYS_exit_group,
				SYS_clone,
				SYS_kill,
				SYS_tkill,
				SYS_tgkill,
				SYS_reboot,
				SYS_rt_sigqueueinfo,
				SYS_rt_tgsigqueueinfo,
				SYS_wait4,
				SYS_rt_sigsuspend,
				SYS_shutdown,
				SYS_settimeofday,
				SYS_clock_settime,
				SYS_ptrace,
				SYS_kexec_load,
				SYS_init_module,
				SYS_delete_module,
				SYS_finit_module,
				SYS_setns,
				SYS_umount2,
				SYS_swapoff,
				SYS_vhangup,
				SYS_sethostname,
				SYS_restart_syscall,
				SYS_setdomainname,
				SYS_adjtimex,
				SYS_clock_adjtime,
				SYS_kexec_file_load,
				PORT_LEFT_OUT };

static unsigned long hostile[16];
static unsigned nr_hostile;

static void make_hostile(void)
{
	char *pages =
		mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *read_only = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const unsigned long list[] = {
		0,
		1,
		8,
		4095,
		0x7ffffffff000ul - 8,
		0x7fffffffffff,
		0x800000000000ul,
		0xffff800000000000ul,
		0xffffffff80200000ul,
		~0ul,
		~0ul - 4095,
		0xdead0000beeful,
		(unsigned long)pages + 4096 - 4, /* runs into a hole */
		(unsigned long)read_only,
	};

	munmap(pages + 4096, 4096);
	nr_hostile = sizeof(list) / sizeof(list[0]);
	memcpy(hostile, list, sizeof(list));
}

static int is_left_out(int nr)
{
	for (size_t i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++)
		if (left_out[i] == nr)
			return 1;
	return 0;
}

static unsigned long pick(unsigned *seed)
{
	*seed = *seed * 1103515245u + 12345u;
	return hostile[(*seed >> 16) % nr_hostile];
}

/* In the child: counts of errno values go to a shared page. */
static void try_call(int nr, unsigned *counts)
{
	unsigned seed = (unsigned)nr * 2654435761u + 1;

	alarm(5);
	for (int i = 0; i < TRIES; i++) {
		/* Small numbers first now and then, so that checks behind a valid descriptor are reached. */
		unsigned long first = i % 3 ? pick(&seed) : (unsigned long)(i % 5);
		long result;

		errno = 0;
		result = syscall(nr, first, pick(&seed), pick(&seed), pick(&seed), pick(&seed),
				 pick(&seed));
		counts[result == -1 && errno < 200 ? errno : 0]++;
	}
	_exit(0);
}

static const char *describe(int status, char *buf, size_t size)
{
	if (WIFSIGNALED(status))
		snprintf(buf, size, " killed=%d", WTERMSIG(status));
	else if (WIFEXITED(status) && WEXITSTATUS(status))
		snprintf(buf, size, " exit=%d", WEXITSTATUS(status));
	else
		buf[0] = '\0';
	return buf;
}

int main(int argc, char **argv)
{
	unsigned *counts =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int only = argc > 1 ? atoi(argv[1]) : -1;
	unsigned calls = 0, killed = 0;

	make_hostile();
	for (int nr = 0; nr <= LAST_CALL; nr++) {
		char how[32];
		int status;
		pid_t pid;

		if (is_left_out(nr) || (only >= 0 && nr != only))
			continue;
		memset(counts, 0, 4096);
		pid = fork();
		if (!pid) {
			setsid();
			try_call(nr, counts);
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			return 1;
		calls++;
		killed += WIFSIGNALED(status);
		printf("%3d%s", nr, describe(status, how, sizeof(how)));
		for (int e = 0; e < 200; e++)
			if (counts[e])
				printf(" %s=%u",
				       e ? strerrorname_np(e) ? strerrorname_np(e) : "?" : "ok",
				       counts[e]);
		printf("\n");
		fflush(stdout);
	}
	printf("storm: %u calls tried %d times, %u children killed\n", calls, TRIES, killed);
	return 0;
}
