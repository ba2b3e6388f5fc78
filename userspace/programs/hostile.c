/*
 * hostile N: runs itself N times with command lines made to break whoever writes them down: control bytes,
 * quotes, bytes that are no UTF-8, arguments of 4 KiB. The bytes are a fixed sequence that the test knows.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define LONG 4096

static unsigned long state = 1;

static unsigned next_byte(void)
{
	state = state * 6364136223846793005ul + 1442695040888963407ul;
	return (unsigned)(state >> 56);
}

static void fill(char *arg, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		unsigned byte = next_byte();

		arg[i] = (char)(byte ? byte : '"');
	}
	arg[n] = '\0';
}

static int run_one(char **envp)
{
	static char first[LONG + 1], second[LONG + 1];
	static unsigned count;
	int status = -1;

	fill(first, 1 + next_byte() % 60);
	fill(second, ++count % 32 == 0 ? LONG : 1 + next_byte() % 60);
	prctl(PR_SET_NAME, first);
	if (!vfork()) {
		execve("/proc/self/exe", (char *[]){ first, second, "", NULL }, envp);
		_exit(1);
	}
	wait(&status);
	return status;
}

int main(int argc, char **argv, char **envp)
{
	int n = argc > 1 ? atoi(argv[1]) : 1, failed = 0;

	if (argc > 2)
		return 0; /* one of those that are run */
	while (n-- > 0)
		failed += run_one(envp) != 0;
	return failed != 0;
}
