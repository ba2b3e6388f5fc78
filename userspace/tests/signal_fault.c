/* Signals made by the program itself: faults, timers; the alternate stack; state kept across. */
#include "catch.h"
#include <sys/time.h>
#include <ucontext.h>

static void count(int sig)
{
	(void)sig;
	hits++;
}

TEST(sigsegv_info, "SIGSEGV tells address and reason: not mapped, not allowed")
{
	volatile char *none = bad_address(), *ro, *volatile low = (char *)16;

	on_siginfo(SIGSEGV, catch_signal, 0);
	if (sigsetjmp(jump, 1) == 0) {
		none[17] = 1;
		FAIL("the write succeeded");
	}
	CHECK(info.si_code == SEGV_MAPERR && info.si_addr == none + 17);
	ro = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(ro != MAP_FAILED && ro[5] == 0);
	if (sigsetjmp(jump, 1) == 0) {
		ro[5] = 1;
		FAIL("the write succeeded");
	}
	CHECK(info.si_code == SEGV_ACCERR && info.si_addr == ro + 5);
	if (sigsetjmp(jump, 1) == 0) {
		((void (*)(void))(uintptr_t)ro)(); /* not executable */
		FAIL("the call succeeded");
	}
	CHECK(info.si_code == SEGV_ACCERR && info.si_addr == ro);
	if (sigsetjmp(jump, 1) == 0) {
		*low = 1;
		FAIL("the write succeeded");
	}
	CHECK(info.si_code == SEGV_MAPERR && info.si_addr == low);
	CHECK_EQ(hits, 4);
}

TEST(sigsegv_kernel_address, "kernel addresses fault like any other, and tell nothing")
{
	static const unsigned long where[] = { 0xffffffff80000000ul, 0xffff800000000000ul,
					       ~0ul - 8 };

	on_siginfo(SIGSEGV, catch_signal, 0);
	for (volatile size_t i = 0; i < ARRAY_SIZE(where); i++) {
		if (sigsetjmp(jump, 1) == 0) {
			(void)*(volatile int *)where[i];
			FAIL("kernel memory can be read");
		}
	}
	if (sigsetjmp(jump, 1) == 0) {
		(void)*(volatile int *)0x8000000000000000ul; /* not canonical */
		FAIL("the read succeeded");
	}
	CHECK_EQ(info.si_signo, SIGSEGV);
	CHECK_EQ(hits, 4);
}

TEST(sigsegv_kills, "an unhandled or blocked SIGSEGV ends the process")
{
	volatile char *p = bad_address();
	sigset_t s;
	pid_t pid = xfork();

	if (pid == 0) {
		*p = 1;
		_exit(0);
	}
	CHECK_KILLED(pid, SIGSEGV);
	pid = xfork();
	if (pid == 0) {
		on_siginfo(SIGSEGV, catch_signal, 0);
		sigemptyset(&s);
		sigaddset(&s, SIGSEGV);
		OK(sigprocmask(SIG_BLOCK, &s, NULL));
		*p = 1;
		_exit(0);
	}
	CHECK_KILLED(pid, SIGSEGV);
	pid = xfork();
	if (pid == 0) {
		signal(SIGSEGV, SIG_IGN);
		*p = 1;
		_exit(0);
	}
	CHECK_KILLED(pid, SIGSEGV);
}

TEST(sigbus_past_end, "touching a mapping behind the end of its file is SIGBUS")
{
	int fd = temp_fd();
	volatile char *p;

	OK(ftruncate(fd, 100));
	p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	p[200] = 1; /* the rest of the last page is there */
	on_siginfo(SIGBUS, catch_signal, 0);
	if (sigsetjmp(jump, 1) == 0) {
		p[PAGE + 3] = 1;
		FAIL("written behind the end");
	}
	CHECK(info.si_signo == SIGBUS && info.si_code == BUS_ADRERR &&
	      info.si_addr == p + PAGE + 3);
	OK(ftruncate(fd, 2 * PAGE));
	p[PAGE + 3] = 1;
}

static char alt[65536];
static volatile uintptr_t handler_sp;
static stack_t seen_in_handler;
static volatile int change_errno;

static void on_stack(int sig)
{
	char here;
	stack_t other = { .ss_sp = alt, .ss_size = sizeof(alt) };

	(void)sig;
	hits++;
	handler_sp = (uintptr_t)&here;
	sigaltstack(NULL, &seen_in_handler);
	errno = 0;
	sigaltstack(&other, NULL);
	change_errno = errno;
}

static int in_alt(uintptr_t sp)
{
	return sp >= (uintptr_t)alt && sp < (uintptr_t)alt + sizeof(alt);
}

TEST(sigaltstack_use, "SA_ONSTACK handlers run on the alternate stack, others don't")
{
	stack_t ss = { .ss_sp = alt, .ss_size = sizeof(alt) }, old;

	OK(sigaltstack(NULL, &old));
	CHECK_EQ(old.ss_flags, SS_DISABLE);
	OK(sigaltstack(&ss, NULL));
	OK(sigaltstack(NULL, &old));
	CHECK(old.ss_sp == alt && old.ss_size == sizeof(alt) && old.ss_flags == 0);
	on_signal(SIGUSR1, on_stack, SA_ONSTACK);
	raise(SIGUSR1);
	CHECK(in_alt(handler_sp));
	CHECK_GE(handler_sp, (uintptr_t)alt + sizeof(alt) - 16384); /* from the top down */
	CHECK_EQ(seen_in_handler.ss_flags, SS_ONSTACK);
	CHECK_EQ(change_errno, EPERM); /* not while on it */
	on_signal(SIGUSR1, on_stack, 0);
	raise(SIGUSR1);
	CHECK(!in_alt(handler_sp));
	CHECK_EQ(change_errno, 0);
}

TEST(sigaltstack_rules, "sigaltstack: sizes, flags, fork, disabling")
{
	stack_t ss = { .ss_sp = alt, .ss_size = 1000 }, old = { .ss_size = 77 };
	pid_t pid;

	CHECK_ERRNO(sigaltstack(&ss, &old), ENOMEM);
	CHECK_EQ(old.ss_size, 77); /* not written when it fails */
	ss.ss_size = sizeof(alt);
	ss.ss_flags = 0x40;
	CHECK_ERRNO(sigaltstack(&ss, NULL), EINVAL);
	ss.ss_flags = 0;
	OK(sigaltstack(&ss, NULL));
	pid = xfork();
	if (pid == 0) {
		OK(sigaltstack(NULL, &old));
		_exit(old.ss_sp != alt || old.ss_flags != 0); /* inherited */
	}
	CHECK_EXITS(pid, 0);
	ss.ss_flags = SS_DISABLE;
	OK(sigaltstack(&ss, &old));
	CHECK_EQ(old.ss_flags, 0);
	OK(sigaltstack(NULL, &old));
	CHECK_EQ(old.ss_flags, SS_DISABLE);
	on_signal(SIGUSR1, on_stack, SA_ONSTACK);
	raise(SIGUSR1);
	CHECK(!in_alt(handler_sp)); /* none: the usual stack */
	CHECK_ERRNO(sigaltstack(bad_address(), NULL), EFAULT);
}

static int overflow(int n)
{
	volatile char frame[4096];

	frame[0] = (char)n;
	if (n == 1 << 30) /* deeper than any stack */
		return 0;
	return overflow(n + 1) + frame[0];
}

TEST(stack_overflow_caught, "a stack overflow can be handled on the alternate stack")
{
	stack_t ss = { .ss_sp = alt, .ss_size = sizeof(alt) };

	OK(sigaltstack(&ss, NULL));
	on_siginfo(SIGSEGV, catch_signal, SA_ONSTACK);
	for (volatile int i = 1; i <= 2; i++) { /* twice: leaving by a jump leaves the stack free */
		if (sigsetjmp(jump, 1) == 0)
			exit(overflow(0));
		CHECK_EQ(hits, i);
	}
}

TEST(stack_overflow_kills, "no room for a signal frame: SIGSEGV ends the process")
{
	pid_t pid = xfork();

	if (pid == 0) {
		on_siginfo(SIGSEGV, catch_signal, 0); /* on the stack that is full */
		exit(overflow(0));
	}
	CHECK_KILLED(pid, SIGSEGV);
}

TEST(alarm_itimer, "alarm and setitimer send SIGALRM, once or again and again")
{
	struct itimerval it = { { 0, 10000 }, { 0, 10000 } }, old;
	sigset_t none;

	on_signal(SIGALRM, count, 0);
	CHECK_EQ(alarm(100), 0);
	CHECK_GE(alarm(0), 99);
	OK(setitimer(ITIMER_REAL, &it, NULL));
	sigemptyset(&none);
	while (hits < 3)
		pause();
	OK(getitimer(ITIMER_REAL, &old));
	CHECK_EQ(old.it_interval.tv_usec, 10000);
	memset(&it, 0, sizeof(it));
	OK(setitimer(ITIMER_REAL, &it, &old));
	CHECK_EQ(alarm(1), 0);
	pid_t pid = xfork();

	if (pid == 0)
		_exit(alarm(0) != 0); /* not inherited */
	CHECK_EXITS(pid, 0);
	CHECK_EQ(alarm(0), 1);
	CHECK_ERRNO(setitimer(77, &it, NULL), EINVAL);
	it.it_value.tv_usec = 1000000;
	CHECK_ERRNO(setitimer(ITIMER_REAL, &it, NULL), EINVAL);
}

TEST(itimer_virtual, "ITIMER_VIRTUAL counts CPU time")
{
	struct itimerval it = { { 0, 0 }, { 0, 40000 } };
	struct timespec ts;

	on_signal(SIGVTALRM, count, 0);
	OK(setitimer(ITIMER_VIRTUAL, &it, NULL));
	while (!hits)
		;
	OK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts));
	CHECK_GE(ts.tv_sec * 1000000000 + ts.tv_nsec, 20000000);
}
