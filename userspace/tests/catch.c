/* What tests of faults need; see catch.h. */
#include "catch.h"

sigjmp_buf jump;
volatile siginfo_t info;
volatile sig_atomic_t hits;

void catch_signal(int sig, siginfo_t *si, void *uc)
{
	(void)uc;
	info = *si;
	hits++;
	siglongjmp(jump, sig);
}

void check_bad_handler(uintptr_t address)
{
	pid_t pid = xfork();

	if (!pid) {
		signal(SIGUSR1, (void (*)(int))address);
		raise(SIGUSR1);
		_exit(0);
	}
	CHECK_KILLED(pid, SIGSEGV);
}
