/*
 * The exception table: instructions that may fault on a user address, and where they go on. Entries are
 * emitted beside the code; they are sorted once at boot into a table of absolute addresses.
 */
#include <arch/ex_table.h>
#include <arch/regs.h>
#include <debug/panic.h>
#include <lib/sort.h>

#define EX_MAX 2048

extern const struct ex_entry __ex_table_start[], __ex_table_end[];

static struct ex_address {
	uintptr_t insn, fixup;
} table[EX_MAX]; /* [I] after ex_table_init() */
static unsigned count;

static int compare(const void *a, const void *b)
{
	const struct ex_address *x = a, *y = b;

	return x->insn < y->insn ? -1 : x->insn > y->insn;
}

void ex_table_init(void)
{
	for (const struct ex_entry *e = __ex_table_start; e < __ex_table_end; e++) {
		BUG_ON(count == EX_MAX);
		table[count].insn = (uintptr_t)&e->insn + e->insn;
		table[count].fixup = (uintptr_t)&e->fixup + e->fixup;
		count++;
	}
	sort(table, count, sizeof(table[0]), compare);
}

uintptr_t ex_table_find(uintptr_t ip)
{
	unsigned lo = 0, hi = count;

	while (lo < hi) {
		unsigned mid = lo + (hi - lo) / 2;

		if (table[mid].insn < ip)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < count && table[lo].insn == ip ? table[lo].fixup : 0;
}

bool ex_fixup(struct regs *regs)
{
	uintptr_t to = ex_table_find(regs_ip(regs));

	if (to)
		regs_set_ip(regs, to);
	return to;
}
