/*
 * The memory map: resolves what firmware says, kernel image and initrd into disjoint sorted ranges.
 *
 * Sweep over all boundaries: between two neighbouring ones nothing changes, so the strongest range that
 * covers the gap decides. Quadratic, for some tens of ranges. No state, no locks.
 */
#include <lib/errno.h>
#include "memmap.h"

static int kind_strength(enum memrange_kind kind)
{
	switch (kind) {
	case MEM_USABLE: return 1;
	case MEM_FIRMWARE: return 2;
	case MEM_INITRD: return 3;
	case MEM_KERNEL: return 4;
	default: return 5;
	}
}

static u64 range_end(const struct memrange *r)
{
	u64 end = r->base + r->size;

	return end < r->base ? ~0ull : end;
}

/* The lowest boundary above pos; ~0 when there is none. */
static u64 next_boundary(const struct memrange *in, unsigned n, u64 pos)
{
	u64 best = ~0ull;

	for (unsigned i = 0; i < n; i++) {
		u64 base = in[i].base, end = range_end(&in[i]);

		if (base > pos && base < best)
			best = base;
		if (end > pos && end < best)
			best = end;
	}
	return best;
}

static const struct memrange *strongest_at(const struct memrange *in, unsigned n, u64 pos)
{
	const struct memrange *best = NULL;

	for (unsigned i = 0; i < n; i++) {
		if (pos < in[i].base || pos >= range_end(&in[i]))
			continue;
		if (!best || kind_strength(in[i].kind) > kind_strength(best->kind))
			best = &in[i];
	}
	return best;
}

/* Appends [base, end), merging with the last one where that continues it. */
static bool append(struct memrange *out, unsigned *count, unsigned max, u64 base, u64 end,
		   enum memrange_kind kind)
{
	struct memrange *last = *count ? &out[*count - 1] : NULL;

	if (last && last->kind == kind && range_end(last) == base) {
		last->size += end - base;
		return true;
	}
	if (*count == max)
		return false;
	out[*count].base = base;
	out[*count].size = end - base;
	out[*count].kind = kind;
	(*count)++;
	return true;
}

/* Usable memory counts in whole pages. */
static unsigned trim_usable(struct memrange *out, unsigned count)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < count; i++) {
		struct memrange r = out[i];

		if (r.kind == MEM_USABLE) {
			u64 end = ALIGN_DOWN(range_end(&r), PAGE_SIZE);

			r.base = ALIGN_UP(r.base, PAGE_SIZE);
			if (r.base >= end)
				continue;
			r.size = end - r.base;
		}
		out[kept++] = r;
	}
	return kept;
}

int memmap_build(const struct memrange *in, unsigned n, struct memrange *out, unsigned max)
{
	unsigned count = 0;
	bool fits = true;
	u64 pos = 0;

	while (pos != ~0ull && fits) {
		const struct memrange *r = strongest_at(in, n, pos);
		u64 end = next_boundary(in, n, pos);

		if (r)
			fits = append(out, &count, max, pos, end, r->kind);
		pos = end;
	}
	count = trim_usable(out, count);
	return fits ? (int)count : -E2BIG;
}
