/*
 * hotload: does what `xtask hotpath` counts: system calls that do nothing, first touches of pages, switches
 * between two threads, and ticks in user mode. getsid() marks the begin and the end; nothing else calls it.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define CALLS 2000
#define PAGES 512
#define YIELDS 1000
#define SPIN_NS 130000000

static void *yielder(void *arg)
{
	for (int i = 0; i < YIELDS; i++)
		sched_yield();
	return arg;
}

static void touch_pages(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	volatile char *area = mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (area == MAP_FAILED)
		abort();
	madvise((void *)area, PAGES * page, MADV_NOHUGEPAGE);
	for (int i = 0; i < PAGES; i++)
		area[i * page] = 1;
}

static void yield_between_two(void)
{
	pthread_t other;

	if (pthread_create(&other, NULL, yielder, NULL))
		abort();
	yielder(NULL);
	pthread_join(other, NULL);
}

static long long now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

int main(void)
{
	long long end;

	getsid(0);
	for (int i = 0; i < CALLS; i++)
		syscall(SYS_getppid);
	touch_pages();
	yield_between_two();
	end = now_ns() + SPIN_NS;
	while (now_ns() < end)
		;
	getsid(0);
	puts("done");
	return 0;
}
