/*
 * The vDSO: clocks without entering the kernel. A program for user space, linked as a shared object that the
 * kernel maps into each address space; the page before it holds struct vdso_data. The counter is the generic
 * timer's virtual one.
 *
 * A reader takes the values between two looks at the sequence count, and starts over when it was odd or
 * changed. Clocks it does not serve go to the system call. Manual: vdso(7), clock_gettime(2).
 */
typedef unsigned int u32;
typedef unsigned long u64;
typedef long s64;

#define SYS_clock_gettime 113
#define SYS_clock_getres 114
#define SYS_gettimeofday 169
#define NSEC 1000000000ul

enum { REALTIME = 0, MONOTONIC = 1, REALTIME_COARSE = 5, MONOTONIC_COARSE = 6, BOOTTIME = 7 };

struct timespec {
	s64 sec, nsec;
};
struct timeval {
	s64 sec, usec;
};

/* As kernel/include/arch/vdso.h has it. */
struct vdso_data {
	u32 seq, user_readable;
	u64 base, base_ns;
	u32 mult, shift;
	s64 realtime_offset_ns;
};
extern const volatile struct vdso_data vdso_page __attribute__((visibility("hidden")));

static inline long call2(long nr, long a, long b)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;

	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1) : "memory");
	return x0;
}

/* Not before what was read before it. */
static inline u64 read_counter(void)
{
	u64 v;

	__asm__ volatile("isb; mrs %0, cntvct_el0" : "=r"(v) : : "memory");
	return v;
}

static inline void read_barrier(void)
{
	__asm__ volatile("dmb ishld" : : : "memory");
}

/* 0 with *ns, or -1: not to be had here. */
static int read_ns(int realtime, u64 *ns)
{
	u32 seq;

	do {
		seq = vdso_page.seq;
		read_barrier();
		if (!vdso_page.user_readable)
			return -1;
		*ns = vdso_page.base_ns +
		      (u64)((unsigned __int128)(read_counter() - vdso_page.base) * vdso_page.mult >>
			    vdso_page.shift);
		if (realtime)
			*ns += (u64)vdso_page.realtime_offset_ns;
		read_barrier();
	} while ((seq & 1) || seq != vdso_page.seq);
	return 0;
}

int __kernel_clock_gettime(int clock, struct timespec *ts);
int __kernel_clock_gettime(int clock, struct timespec *ts)
{
	int realtime = clock == REALTIME || clock == REALTIME_COARSE;
	u64 ns;

	if (!realtime && clock != MONOTONIC && clock != MONOTONIC_COARSE && clock != BOOTTIME)
		return (int)call2(SYS_clock_gettime, clock, (long)ts);
	if (read_ns(realtime, &ns))
		return (int)call2(SYS_clock_gettime, clock, (long)ts);
	ts->sec = (s64)(ns / NSEC);
	ts->nsec = (s64)(ns % NSEC);
	return 0;
}

int __kernel_gettimeofday(struct timeval *tv, void *zone);
int __kernel_gettimeofday(struct timeval *tv, void *zone)
{
	u64 ns;

	if (zone || !tv || read_ns(1, &ns))
		return (int)call2(SYS_gettimeofday, (long)tv, (long)zone);
	tv->sec = (s64)(ns / NSEC);
	tv->usec = (s64)(ns % NSEC / 1000);
	return 0;
}

int __kernel_clock_getres(int clock, struct timespec *ts);
int __kernel_clock_getres(int clock, struct timespec *ts)
{
	return (int)call2(SYS_clock_getres, clock, (long)ts);
}
