/* Dynamic linking: libc by name, libm's result, an initialiser, the auxiliary vector. */
#include <math.h>
#include <stdio.h>
#include <sys/auxv.h>

static int ready;
__attribute__((constructor)) static void prepare(void)
{
	ready = 1;
}

int main(int argc, char **argv)
{
	volatile double two = 2.0;

	printf("dynamic: constructor=%d argc=%d argv1=%s sqrt2=%.6f page=%lu\n", ready, argc,
	       argc > 1 ? argv[1] : "-", sqrt(two), getauxval(AT_PAGESZ));
	return 0;
}
