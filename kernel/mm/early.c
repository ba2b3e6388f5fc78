/*
 * Memory before there is an allocator.
 *
 * early_alloc() hands out the low ends of the usable ranges of boot_info, lowest range first, from 1 MiB
 * on; what lies below stays reserved (start-up code of other CPUs, firmware). What is left over goes to
 * the page allocator with early_rest(). Boot CPU only, so no lock. Nothing is ever given back.
 */
#include "internal.h"

#define EARLY_LOWEST 0x100000ull

static u64 taken[ARRAY_SIZE(boot_info.ranges)]; /* bytes used at the start of each range */
static bool closed;

static u64 range_start(const struct memrange *r)
{
	return max_t(u64, r->base, EARLY_LOWEST);
}

void *early_alloc(size_t n, size_t align)
{
	BUG_ON(closed || !is_pow2(align));
	for (unsigned i = 0; i < boot_info.nr_ranges; i++) {
		const struct memrange *r = &boot_info.ranges[i];
		u64 start = range_start(r);
		u64 pa = ALIGN_UP(start + taken[i], align);

		if (r->kind != MEM_USABLE || pa + n > r->base + r->size || pa + n < pa)
			continue;
		taken[i] = pa + n - start;
		return memset(phys_to_virt(pa), 0, n);
	}
	panic("early_alloc: no memory for %lu bytes", (unsigned long)n);
}

void early_close(void)
{
	closed = true;
}

bool early_rest(unsigned range, u64 *first_pfn, u64 *end_pfn)
{
	const struct memrange *r = &boot_info.ranges[range];
	u64 start = ALIGN_UP(range_start(r) + taken[range], PAGE_SIZE);
	u64 end = ALIGN_DOWN(r->base + r->size, PAGE_SIZE);

	if (r->kind != MEM_USABLE || start >= end)
		return false;
	*first_pfn = start >> PAGE_SHIFT;
	*end_pfn = end >> PAGE_SHIFT;
	return true;
}
