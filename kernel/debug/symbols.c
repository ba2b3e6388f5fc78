/*
 * The kernel's own symbols: a sorted table that the second link embeds (xtask gen symbols).
 * Read-only; any context.
 */
#include <debug/inject.h>
#include <debug/symbols.h>
#include <lib/format.h>

extern const u64 ksyms_count;
extern const u64 ksyms_addrs[];
extern const u32 ksyms_names_off[];
extern const char ksyms_names[];
extern const char __text_start[], __text_end[];

const char *symbol_find(uintptr_t addr, size_t *offset)
{
	u64 lo = 0, hi = *(const volatile u64 *)&ksyms_count; /* differs between the two links */

	if (addr < (uintptr_t)__text_start || addr >= (uintptr_t)__text_end || !hi ||
	    addr < ksyms_addrs[0])
		return NULL;
	while (hi - lo > 1) {
		u64 mid = lo + (hi - lo) / 2;

		if (ksyms_addrs[mid] <= addr)
			lo = mid;
		else
			hi = mid;
	}
	if (INJECT("symbols_shifted"))
		lo++;
	if (offset)
		*offset = addr - ksyms_addrs[lo];
	return ksyms_names + ksyms_names_off[lo];
}

const char *symbol_format(uintptr_t addr, char *buf, size_t size)
{
	size_t offset;
	const char *name = symbol_find(addr, &offset);

	if (name)
		scnprintf(buf, size, "%s+0x%zx", name, offset);
	else
		scnprintf(buf, size, "0x%lx", (unsigned long)addr);
	return buf;
}
