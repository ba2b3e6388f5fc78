/*
 * Backtraces by frame pointers. A frame is believed only when it is aligned, lies in kernel memory that is
 * mapped, and is above the last one (or the chain moves to another stack, at most twice): a broken chain
 * ends, it never faults.
 */
#include <arch/debug.h>
#include <arch/mmu.h>
#include <arch/thread.h>
#include <debug/inject.h>
#include <mm/pgtable.h>

static bool readable(uintptr_t fp)
{
	int level;
	pte_t *pte;

	if (fp < DIRECT_MAP_BASE || (fp & 7) || (fp & ~PAGE_MASK) > PAGE_SIZE - 16)
		return false;
	pte = kernel_root ? pgtable_lookup(kernel_root, fp, &level) : NULL;
	return pte && (pte_prot(pte_read(pte)) & PT_READ);
}

unsigned arch_backtrace(uintptr_t fp, uintptr_t *pcs, unsigned max)
{
	unsigned n = 0, jumps = 0;

	while (n < max && readable(fp)) {
		const uintptr_t *frame = (const uintptr_t *)fp;
		uintptr_t next = frame[0];

		if (frame[1] < KERNEL_BASE)
			break;
		pcs[n++] = INJECT("backtrace_wrong") ? fp : frame[1];
		if ((next <= fp || next - fp > KSTACK_SIZE) && ++jumps > 2)
			break;
		fp = next;
	}
	return n;
}
