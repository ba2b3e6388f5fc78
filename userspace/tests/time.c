/* Clocks, sleeping, timers. */
#include "stagetest.h"
#include "port.h"
#include <elf.h>
#include <sys/auxv.h>
#include <sys/time.h>

static int64_t ns_of(struct timespec ts)
{
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static int64_t clock_by_syscall(clockid_t id)
{
	struct timespec ts = { 0 };

	OK((int)syscall(SYS_clock_gettime, id, &ts));
	CHECK(ts.tv_nsec >= 0 && ts.tv_nsec < 1000000000);
	return ns_of(ts);
}

TEST(monotonic_time, "the monotonic clock never goes back, and advances")
{
	int64_t last = clock_by_syscall(CLOCK_MONOTONIC), first = last, now;
	struct timespec ts;

	for (int i = 0; i < 5000; i++) {
		now = clock_by_syscall(CLOCK_MONOTONIC);
		CHECK_GE(now, last);
		OK(clock_gettime(CLOCK_MONOTONIC, &ts)); /* vDSO, where there is one */
		CHECK_GE(ns_of(ts), now);
		last = ns_of(ts);
	}
	CHECK(last > first);
	CHECK_ERRNO(syscall(SYS_clock_gettime, 99, &ts), EINVAL);
	OK(clock_getres(CLOCK_MONOTONIC, &ts));
	CHECK(ts.tv_sec == 0 && ts.tv_nsec > 0 && ts.tv_nsec <= 10000000);
}

TEST(clock_realtime, "realtime, gettimeofday and time() agree, and it is past 2020")
{
	int64_t before = clock_by_syscall(CLOCK_REALTIME), tod;
	struct timeval tv;
	time_t t;

	OK(gettimeofday(&tv, NULL));
	tod = (int64_t)tv.tv_sec * 1000000000 + tv.tv_usec * 1000;
	CHECK_GE(tod, before - 1000);
	CHECK_GE(clock_by_syscall(CLOCK_REALTIME), tod);
	t = time(NULL);
	CHECK_GE(t, before / 1000000000 - 1);
	CHECK_GE(t, 1577836800);
	CHECK_GE(clock_by_syscall(CLOCK_BOOTTIME), clock_by_syscall(CLOCK_MONOTONIC) - 1000000000);
	CHECK_GE(clock_by_syscall(CLOCK_REALTIME_COARSE), before - 1000000000);
}

/* The function of this name in the vDSO, or NULL. */
static void *vdso_symbol(const char *name)
{
	const char *base = (const char *)getauxval(AT_SYSINFO_EHDR);
	const Elf64_Ehdr *eh = (const void *)base;
	const Elf64_Phdr *ph;
	const Elf64_Dyn *dyn = NULL;
	const Elf64_Sym *sym = NULL;
	const char *str = NULL;
	const uint32_t *hash = NULL;
	uint64_t bias = 0;

	if (!base)
		return NULL;
	CHECK(memcmp(base, ELFMAG, SELFMAG) == 0);
	ph = (const void *)(base + eh->e_phoff);
	for (int i = 0; i < eh->e_phnum; i++) {
		if (ph[i].p_type == PT_LOAD && ph[i].p_offset == 0)
			bias = (uint64_t)base - ph[i].p_vaddr;
		if (ph[i].p_type == PT_DYNAMIC)
			dyn = (const void *)(base + ph[i].p_offset);
	}
	for (; dyn && dyn->d_tag != DT_NULL; dyn++) {
		const void *at = (const void *)(bias + dyn->d_un.d_ptr);

		if (dyn->d_tag == DT_SYMTAB)
			sym = at;
		else if (dyn->d_tag == DT_STRTAB)
			str = at;
		else if (dyn->d_tag == DT_HASH)
			hash = at;
	}
	for (uint32_t i = 0; sym && str && i < (hash ? hash[1] : 32); i++) {
		if (sym[i].st_name && strcmp(str + sym[i].st_name, name) == 0)
			return (void *)(bias + sym[i].st_value);
	}
	return NULL;
}

TEST(vdso_agrees, "the vDSO's clocks agree with the system call's")
{
	static const clockid_t ids[] = { CLOCK_MONOTONIC, CLOCK_REALTIME };
	int (*get)(clockid_t, struct timespec *) =
		(int (*)(clockid_t, struct timespec *))(uintptr_t)vdso_symbol(PORT_VDSO_CLOCK);
	struct timespec ts;

	if (!get)
		SKIP("no vDSO");
	for (int i = 0; i < 300; i++) {
		clockid_t id = ids[i % 2];
		int64_t before = clock_by_syscall(id);

		CHECK_EQ(get(id, &ts), 0);
		CHECK_GE(ns_of(ts), before);
		CHECK_GE(clock_by_syscall(id), ns_of(ts));
	}
}

TEST(cpu_clocks, "process and thread CPU clocks count work, not sleep")
{
	int64_t p0 = clock_by_syscall(CLOCK_PROCESS_CPUTIME_ID), t0, p1;
	volatile unsigned x = 0;

	sleep_ms(60);
	p1 = clock_by_syscall(CLOCK_PROCESS_CPUTIME_ID);
	CHECK(p1 - p0 < 50000000);
	t0 = clock_by_syscall(CLOCK_THREAD_CPUTIME_ID);
	while (clock_by_syscall(CLOCK_THREAD_CPUTIME_ID) - t0 < 10000000)
		x++;
	CHECK_GE(clock_by_syscall(CLOCK_PROCESS_CPUTIME_ID) - p1, 9000000);
}

TEST(nanosleep_basic, "nanosleep never wakes too early")
{
	static const long ns[] = { 0, 1, 1000, 50000, 1000000, 20000000 };

	for (size_t i = 0; i < ARRAY_SIZE(ns); i++) {
		struct timespec ts = { 0, ns[i] };
		uint64_t start = now_ns();

		OK(nanosleep(&ts, NULL));
		CHECK_GE(now_ns() - start, ns[i]);
	}
	CHECK_ERRNO(nanosleep(&(struct timespec){ 0, 1000000000 }, NULL), EINVAL);
	CHECK_ERRNO(nanosleep(&(struct timespec){ -1, 0 }, NULL), EINVAL);
	CHECK_ERRNO(nanosleep(&(struct timespec){ 0, -1 }, NULL), EINVAL);
}

TEST(clock_nanosleep_abs, "clock_nanosleep to an absolute time, also one that is past")
{
	struct timespec ts;
	uint64_t target = now_ns() + 30000000;

	ts.tv_sec = (time_t)(target / 1000000000);
	ts.tv_nsec = (long)(target % 1000000000);
	CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL), 0);
	CHECK_GE(now_ns(), target);
	ts.tv_sec = 0;
	CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL), 0);
	OK(clock_gettime(CLOCK_REALTIME, &ts));
	ts.tv_nsec += 20000000;
	if (ts.tv_nsec >= 1000000000)
		ts.tv_sec++, ts.tv_nsec -= 1000000000;
	CHECK_EQ(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &ts, NULL), 0);
	CHECK_GE(clock_by_syscall(CLOCK_REALTIME), ns_of(ts));
	CHECK_EQ(clock_nanosleep(99, 0, &ts, NULL), EINVAL);
}

static volatile sig_atomic_t hits;
static volatile int last_value;
static void on_timer(int sig, siginfo_t *si, void *uc)
{
	(void)sig, (void)uc;
	if (si->si_code == SI_TIMER)
		last_value = si->si_value.sival_int;
	hits++;
}

TEST(timer_create, "timer_create: signal with value, interval, overrun, gettime, delete")
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 3 };
	struct itimerspec its = { { 0, 5000000 }, { 0, 5000000 } }, cur;
	sigset_t s;
	timer_t t;

	ev.sigev_value.sival_int = 91;
	on_siginfo(SIGRTMIN + 3, on_timer, 0);
	OK(timer_create(CLOCK_MONOTONIC, &ev, &t));
	OK(timer_gettime(t, &cur));
	CHECK_EQ(ns_of(cur.it_value), 0);
	OK(timer_settime(t, 0, &its, NULL));
	while (hits < 3)
		pause();
	CHECK_EQ(last_value, 91);
	sigemptyset(&s);
	sigaddset(&s, SIGRTMIN + 3);
	OK(sigprocmask(SIG_BLOCK, &s, NULL));
	sleep_ms(60); /* expiries while one is pending are counted */
	hits = 0;
	OK(sigprocmask(SIG_UNBLOCK, &s, NULL));
	CHECK_GE(hits, 1);
	CHECK_GE(timer_getoverrun(t), 1);
	memset(&its, 0, sizeof(its));
	OK(timer_settime(t, 0, &its, &cur));
	CHECK_EQ(ns_of(cur.it_interval), 5000000);
	OK(timer_delete(t));
	CHECK_ERRNO(syscall(SYS_timer_delete, 12345), EINVAL);
	CHECK_ERRNO(timer_create(99, &ev, &t), EINVAL);
}
