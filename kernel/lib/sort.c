/* Heap sort (lib/sort.h). */
#include <lib/sort.h>

static void swap(u8 *a, u8 *b, size_t size)
{
	while (size--) {
		u8 t = *a;

		*a++ = *b;
		*b++ = t;
	}
}

/* Element i of a heap of n sinks to where both children are not greater. */
static void sink(u8 *base, size_t i, size_t n, size_t size, int (*cmp)(const void *, const void *))
{
	size_t child;

	while ((child = 2 * i + 1) < n) {
		if (child + 1 < n && cmp(base + child * size, base + (child + 1) * size) < 0)
			child++;
		if (cmp(base + i * size, base + child * size) >= 0)
			return;
		swap(base + i * size, base + child * size, size);
		i = child;
	}
}

void sort(void *base, size_t n, size_t size, int (*cmp)(const void *a, const void *b))
{
	u8 *b = base;

	for (size_t i = n / 2; i-- > 0;)
		sink(b, i, n, size, cmp);
	for (size_t end = n; end > 1; end--) {
		swap(b, b + (end - 1) * size, size);
		sink(b, 0, end - 1, size, cmp);
	}
}
