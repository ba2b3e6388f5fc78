/* Signals that instructions become, and registers across handlers; the instructions are the port's. */
#include "instructions.h"

static void check_traps(const struct trap *traps)
{
	for (volatile size_t i = 0; traps[i].run; i++) {
		const struct trap *t = &traps[i];

		info.si_signo = info.si_code = 0;
		info.si_addr = NULL;
		if (sigsetjmp(jump, 1) == 0) {
			t->run();
			if (t->signal)
				FAIL("instruction %zu went on", i);
		}
		CHECK_EQ(info.si_signo, traps[i].signal);
		CHECK_EQ(info.si_code, traps[i].code);
		if (info.si_code != SI_KERNEL && info.si_signo)
			CHECK(info.si_addr != NULL);
	}
}

TEST(sigfpe_sigill, "division by zero, bad instructions and breakpoints become signals")
{
	on_siginfo(SIGFPE, catch_signal, 0);
	on_siginfo(SIGILL, catch_signal, 0);
	on_siginfo(SIGTRAP, catch_signal, 0);
	check_traps(port_traps);
}

TEST(privileged_instruction, "a privileged instruction is a signal, the kernel goes on")
{
	on_siginfo(SIGSEGV, catch_signal, 0);
	on_siginfo(SIGILL, catch_signal, 0);
	check_traps(port_privileged);
}

static void clobber(int sig)
{
	(void)sig;
	port_clobber_fpu();
	hits++;
}

TEST(fpu_across_signal, "floating-point registers come through a handler unharmed")
{
	on_signal(SIGUSR1, clobber, 0);
	for (int i = 1; i <= 20; i++) {
		double a = i * 1.25, b = i / 3.0, in[4] = { a, b, a * b, a + b }, out[4];

		CHECK_EQ(port_kill_with_fpu(SIGUSR1, in, out), 0);
		CHECK(memcmp(in, out, sizeof(in)) == 0);
		CHECK_EQ(hits, i);
	}
}

static void skip_write(int sig, siginfo_t *si, void *uc)
{
	(void)sig, (void)si;
	hits++;
	port_skip_write(uc, 4242);
}

TEST(ucontext_change, "a handler may change the registers it returns to")
{
	on_siginfo(SIGSEGV, skip_write, 0);
	CHECK_EQ(port_write(bad_address()), 4242);
	CHECK_EQ(hits, 1);
}
