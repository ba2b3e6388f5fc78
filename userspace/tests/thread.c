/* Threads and futexes. */
#include "stagetest.h"
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>

static long futex(volatile int *addr, int op, int val, const struct timespec *ts, void *addr2,
		  int val3)
{
	return syscall(SYS_futex, addr, op, val, ts, addr2, val3);
}

static void *add_index(void *arg)
{
	static int total;

	return (void *)(intptr_t)(__atomic_add_fetch(&total, (int)(intptr_t)arg, __ATOMIC_SEQ_CST)
					  ? (intptr_t)arg * 3
					  : 0);
}

TEST(thread_create_join, "sixty-four threads start, return a value, are joined")
{
	pthread_t t[64];
	void *ret;

	for (intptr_t i = 0; i < 64; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, add_index, (void *)(i + 1)), 0);
	for (intptr_t i = 0; i < 64; i++) {
		CHECK_EQ(pthread_join(t[i], &ret), 0);
		CHECK_EQ((intptr_t)ret, (i + 1) * 3);
	}
}

static void *exit_at_once(void *arg)
{
	return arg;
}

TEST(thread_many, "three hundred threads, one after the other, leave nothing behind")
{
	pthread_t t;

	for (int i = 0; i < 300; i++) {
		CHECK_EQ(pthread_create(&t, NULL, exit_at_once, NULL), 0);
		CHECK_EQ(pthread_join(t, NULL), 0);
	}
	for (int i = 0; i < 1000 && proc_status_field("/proc/self/status", "Threads") != 1; i++)
		sleep_ms(1);
	CHECK_EQ(proc_status_field("/proc/self/status", "Threads"), 1);
}

static pid_t thread_tid, thread_pid;
static void *show_ids(void *arg)
{
	thread_tid = (pid_t)syscall(SYS_gettid);
	thread_pid = getpid();
	return arg;
}

TEST(thread_ids, "threads share the pid and have their own tid")
{
	pthread_t t;

	CHECK_EQ(pthread_create(&t, NULL, show_ids, NULL), 0);
	CHECK_EQ(pthread_join(t, NULL), 0);
	CHECK_EQ(thread_pid, getpid());
	CHECK(thread_tid != getpid() && thread_tid > 0);
	CHECK_ERRNO(waitpid(thread_tid, NULL, 0), ECHILD);
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int counter;
static void *count_up(void *arg)
{
	for (int i = 0; i < 2000; i++) {
		pthread_mutex_lock(&lock);
		counter++;
		pthread_mutex_unlock(&lock);
		if (i % 64 == 0)
			sched_yield();
	}
	return arg;
}

TEST(thread_mutex, "eight threads count under a mutex")
{
	pthread_t t[8];

	for (int i = 0; i < 8; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, count_up, NULL), 0);
	for (int i = 0; i < 8; i++)
		CHECK_EQ(pthread_join(t[i], NULL), 0);
	CHECK_EQ(counter, 16000);
}

static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int turn;
static void *take_turns(void *arg)
{
	for (int i = 0; i < 100; i++) {
		pthread_mutex_lock(&lock);
		while (turn % 4 != (int)(intptr_t)arg)
			pthread_cond_wait(&cond, &lock);
		turn++;
		pthread_cond_broadcast(&cond);
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

TEST(thread_cond, "condition variables: four threads take turns; a timed wait times out")
{
	struct timespec ts;
	pthread_t t[4];

	for (intptr_t i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, take_turns, (void *)i), 0);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_join(t[i], NULL), 0);
	CHECK_EQ(turn, 400);
	OK(clock_gettime(CLOCK_REALTIME, &ts));
	ts.tv_nsec += 20000000;
	if (ts.tv_nsec >= 1000000000)
		ts.tv_sec++, ts.tv_nsec -= 1000000000;
	pthread_mutex_lock(&lock);
	CHECK_EQ(pthread_cond_timedwait(&cond, &lock, &ts), ETIMEDOUT);
	pthread_mutex_unlock(&lock);
}

static __thread int tls_value = 7;
static __thread char tls_zero[300];
static void *use_tls(void *arg)
{
	if (tls_value != 7 || tls_zero[299] != 0)
		return NULL;
	for (int i = 0; i < 100; i++) {
		tls_value = (int)(intptr_t)arg + i;
		sched_yield();
		if (tls_value != (int)(intptr_t)arg + i)
			return NULL;
	}
	return arg;
}

TEST(thread_tls, "thread-local variables belong to each thread, across switches")
{
	pthread_t t[6];
	void *ret;

	for (intptr_t i = 0; i < 6; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, use_tls, (void *)((i + 1) * 1000)), 0);
	for (intptr_t i = 0; i < 6; i++) {
		CHECK_EQ(pthread_join(t[i], &ret), 0);
		CHECK_EQ((intptr_t)ret, (i + 1) * 1000);
	}
	CHECK_EQ(tls_value, 7);
}

static volatile double fp_result[4];
static void *use_fpu(void *arg)
{
	intptr_t me = (intptr_t)arg;
	double x = (double)me + 0.5, y = 1;

	for (int i = 0; i < 20000; i++) {
		y = y * 1.0000001 + x;
		if (i % 500 == 0)
			sched_yield();
	}
	fp_result[me] = y;
	return NULL;
}

TEST(thread_fpu, "floating-point state belongs to each thread, across switches")
{
	pthread_t t[4];

	for (intptr_t i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, use_fpu, (void *)i), 0);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_join(t[i], NULL), 0);
	for (int i = 0; i < 4; i++) {
		double x = i + 0.5, y = 1;

		for (int k = 0; k < 20000; k++)
			y = y * 1.0000001 + x;
		CHECK(fp_result[i] == y);
	}
}

static volatile int word;
static void *wait_on_word(void *arg)
{
	while (word == 0)
		futex(&word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
	return arg;
}

static volatile pid_t bit_waiter;
static void *wait_on_bit(void *arg)
{
	bit_waiter = (pid_t)syscall(SYS_gettid);
	while (word == 0)
		futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, 1);
	return arg;
}

TEST(futex_basic, "futex: wait, wake counts, a changed value, time-outs")
{
	struct timespec ts = { 0, 20000000 };
	uint64_t start = now_ns();
	pthread_t t[3];

	CHECK_ERRNO(futex(&word, FUTEX_WAIT, 1, NULL, NULL, 0), EAGAIN);
	CHECK_ERRNO(futex(&word, FUTEX_WAIT, 0, &ts, NULL, 0), ETIMEDOUT);
	CHECK_GE(now_ns() - start, 20000000);
	CHECK_EQ(futex(&word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, wait_on_word, NULL), 0);
	sleep_ms(20);
	word = 1;
	futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	futex(&word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(pthread_join(t[i], NULL), 0);
	word = 0;
	CHECK_EQ(pthread_create(&t[0], NULL, wait_on_bit, NULL), 0);
	while (!bit_waiter)
		sched_yield();
	wait_until_asleep(bit_waiter);
	CHECK_EQ(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 1, NULL, NULL, 2), 0); /* not its bit */
	word = 1;
	CHECK_EQ(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 1, NULL, NULL, 3), 1);
	CHECK_EQ(pthread_join(t[0], NULL), 0);
	CHECK_ERRNO(futex((volatile int *)((uintptr_t)&word + 1), FUTEX_WAIT, 0, NULL, NULL, 0),
		    EINVAL);
	CHECK_ERRNO(futex(bad_address(), FUTEX_WAIT, 0, NULL, NULL, 0), EFAULT);
	ts.tv_nsec = 1000000000;
	CHECK_ERRNO(futex(&word, FUTEX_WAIT, 1, &ts, NULL, 0), EINVAL);
	CHECK_ERRNO(futex(&word, 77, 1, NULL, NULL, 0), ENOSYS);
}

TEST(futex_shared, "a futex in shared memory works between processes; absolute time-outs")
{
	volatile int *p =
		mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct timespec ts;
	pid_t pid;

	CHECK(p != MAP_FAILED);
	pid = xfork();
	if (pid == 0) {
		while (*p == 0)
			futex(p, FUTEX_WAIT, 0, NULL, NULL, 0);
		_exit(*p);
	}
	wait_until_asleep(pid);
	*p = 13;
	CHECK_EQ(futex(p, FUTEX_WAKE, 1, NULL, NULL, 0), 1);
	CHECK_EXITS(pid, 13);
	OK(clock_gettime(CLOCK_MONOTONIC, &ts));
	CHECK_ERRNO(futex(p, FUTEX_WAIT_BITSET, 13, &ts, NULL, -1), ETIMEDOUT);
	CHECK_ERRNO(futex(p, FUTEX_WAIT_BITSET, 13, &ts, NULL, 0), EINVAL);
}

static volatile int cond_word, lock_word, woken;
static void *wait_for_requeue(void *arg)
{
	if (futex(&cond_word, FUTEX_WAIT, 0, NULL, NULL, 0) == 0)
		__atomic_fetch_add(&woken, 1, __ATOMIC_SEQ_CST);
	return arg;
}

TEST(futex_requeue, "futex requeue moves waiters to another word")
{
	pthread_t t[4];
	long n = 0;

	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, wait_for_requeue, NULL), 0);
	CHECK_ERRNO(futex(&cond_word, FUTEX_CMP_REQUEUE, 1, (void *)4l, (void *)&lock_word, 9),
		    EAGAIN);
	sleep_ms(30);
	while (n < 4) { /* until all have gone to sleep and were taken */
		long got = OK(futex(&cond_word, FUTEX_CMP_REQUEUE, n == 0, (void *)4l,
				    (void *)&lock_word, 0));

		n += got;
		sched_yield();
	}
	CHECK_EQ(n, 4);
	CHECK_EQ(futex(&cond_word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0),
		 0); /* nobody is here any more */
	CHECK_EQ(futex(&lock_word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0), 3);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_join(t[i], NULL), 0);
	CHECK_EQ(woken, 4);
}

static pthread_mutex_t robust;
static void *die_with_lock(void *arg)
{
	pthread_mutex_lock(&robust);
	return arg;
}

TEST(robust_mutex, "a robust mutex whose owner died is handed on with EOWNERDEAD")
{
	pthread_mutexattr_t a;
	pthread_t t;

	pthread_mutexattr_init(&a);
	pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	CHECK_EQ(pthread_mutex_init(&robust, &a), 0);
	CHECK_EQ(pthread_create(&t, NULL, die_with_lock, NULL), 0);
	CHECK_EQ(pthread_join(t, NULL), 0);
	CHECK_EQ(pthread_mutex_lock(&robust), EOWNERDEAD);
	CHECK_EQ(pthread_mutex_consistent(&robust), 0);
	CHECK_EQ(pthread_mutex_unlock(&robust), 0);
	CHECK_EQ(pthread_mutex_lock(&robust), 0);
}

static volatile sig_atomic_t main_hits, thread_hits;
static pthread_t main_thread;
static void tell_thread(int sig)
{
	(void)sig;
	if (pthread_equal(pthread_self(), main_thread))
		main_hits++;
	else
		thread_hits++;
}

static void *unblocked_thread(void *arg)
{
	sigset_t s;

	sigemptyset(&s);
	sigaddset(&s, SIGUSR1);
	pthread_sigmask(SIG_UNBLOCK, &s, NULL);
	sem_post(arg);
	while (!thread_hits)
		sleep_ms(1);
	return NULL;
}

TEST(thread_signals, "masks are per thread; a process signal goes to a thread that takes it")
{
	sigset_t s, pend;
	pthread_t t;
	sem_t ready;

	main_thread = pthread_self();
	sem_init(&ready, 0, 0);
	on_signal(SIGUSR1, tell_thread, 0);
	sigemptyset(&s);
	sigaddset(&s, SIGUSR1);
	CHECK_EQ(pthread_sigmask(SIG_BLOCK, &s, NULL), 0);
	CHECK_EQ(pthread_create(&t, NULL, unblocked_thread, &ready), 0);
	sem_wait(&ready);
	OK(kill(getpid(), SIGUSR1));
	CHECK_EQ(pthread_join(t, NULL), 0);
	CHECK(thread_hits == 1 && main_hits == 0);
	CHECK_EQ(pthread_kill(pthread_self(), SIGUSR1),
		 0); /* for this thread alone: stays pending */
	OK(sigpending(&pend));
	CHECK(sigismember(&pend, SIGUSR1));
	CHECK_EQ(pthread_sigmask(SIG_UNBLOCK, &s, NULL), 0);
	CHECK_EQ(main_hits, 1);
}

static sem_t sem_a, sem_b;
static void *ping(void *arg)
{
	for (int i = 0; i < 1000; i++) {
		sem_wait(&sem_a);
		sem_post(&sem_b);
	}
	return arg;
}

TEST(thread_ping_pong, "a thousand hand-overs between two threads")
{
	pthread_t t;

	sem_init(&sem_a, 0, 0);
	sem_init(&sem_b, 0, 0);
	CHECK_EQ(pthread_create(&t, NULL, ping, NULL), 0);
	for (int i = 0; i < 1000; i++) {
		sem_post(&sem_a);
		sem_wait(&sem_b);
	}
	CHECK_EQ(pthread_join(t, NULL), 0);
}

static void *fault_pages(void *arg)
{
	volatile char *p = arg;

	for (size_t i = 0; i < 512; i++)
		__atomic_fetch_add(&p[i * PAGE], 1, __ATOMIC_SEQ_CST);
	return NULL;
}

TEST(thread_faults, "threads fault in the same pages at the same time")
{
	char *p =
		mmap(NULL, 512 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_t t[4];

	CHECK(p != MAP_FAILED);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, fault_pages, p), 0);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_join(t[i], NULL), 0);
	for (size_t i = 0; i < 512; i++)
		CHECK_EQ(p[i * PAGE], 4);
}
