/* 64 threads that share a mutex, a barrier, a condition and thread-local storage; prints what they made.
 * The same output on every system, whichever C library it is linked with. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define THREADS 64
#define ROUNDS 200

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t all_done = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static __thread long mine;
static long total, done;

static void *worker(void *arg)
{
	long id = (long)arg;

	pthread_barrier_wait(&barrier);
	for (int i = 0; i < ROUNDS; i++) {
		mine += id;
		pthread_mutex_lock(&lock);
		total += id;
		pthread_mutex_unlock(&lock);
	}
	pthread_mutex_lock(&lock);
	if (++done == THREADS)
		pthread_cond_signal(&all_done);
	pthread_mutex_unlock(&lock);
	return (void *)mine;
}

int main(void)
{
	pthread_t threads[THREADS];
	long own = 0;

	pthread_barrier_init(&barrier, NULL, THREADS);
	for (long i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, worker, (void *)i))
			return 1;
	pthread_mutex_lock(&lock);
	while (done != THREADS)
		pthread_cond_wait(&all_done, &lock);
	pthread_mutex_unlock(&lock);
	for (int i = 0; i < THREADS; i++) {
		void *result;

		pthread_join(threads[i], &result);
		own += (long)result;
	}
	printf("threads=%d total=%ld own=%ld tls_of_main=%ld\n", THREADS, total, own, mine);
	return total == own && total == (long)ROUNDS * THREADS * (THREADS - 1) / 2 ? 0 : 1;
}
