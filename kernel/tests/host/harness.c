/* Runs the tests that registered themselves; see harness.h. */
#include "harness.h"
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct htest *tests;
static jmp_buf escape;
static u64 state;

void h_register(struct htest *t)
{
	struct htest **p = &tests;

	while (*p)
		p = &(*p)->next;
	*p = t;
}

void h_fail(const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	printf("%s:%d: ", file, line);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	longjmp(escape, 1);
}

/* splitmix64 */
u64 h_rand(void)
{
	u64 z = (state += 0x9e3779b97f4a7c15ull);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

int main(int argc, char **argv)
{
	const char *given = getenv("SEED");
	u64 seed = given ? strtoull(given, NULL, 0) : (u64)time(NULL) ^ ((u64)getpid() << 32);
	static unsigned passed, failed; /* static: they outlive longjmp */
	char *name = strrchr(argv[0], '/');

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("%s: seed %llu\n", name ? name + 1 : argv[0], seed);
	for (struct htest *t = tests; t; t = t->next) {
		if (argc > 1 && strcmp(argv[1], t->name) != 0)
			continue;
		state = seed;
		if (setjmp(escape) == 0) {
			t->fn();
			printf("ok   %s\n", t->name);
			passed++;
		} else {
			printf("FAIL %s (SEED=%llu)\n", t->name, seed);
			failed++;
		}
	}
	printf("closing: %u passed, %u failed\n", passed, failed);
	return failed || !passed;
}
