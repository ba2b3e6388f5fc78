/*
 * Backtraces by frame pointers. A frame is believed only when it is aligned, lies in kernel memory that is
 * mapped, and is above the last one (or the chain moves to another stack, at most twice): a broken chain
 * ends, it never faults.
 *
 * Entry's assembly has no frame, and what it interrupted has not called it: that one's place is in the registers
 * that were saved.
 */
#include <arch/debug.h>
#include <arch/mmu.h>
#include <arch/thread.h>
#include <asm/boot.h>
#include <debug/inject.h>
#include <mm/pgtable.h>
#include "backtrace.h"

extern const char __entry_end[]; /* link.ld: where .entry.text ends */

static bool readable(uintptr_t fp)
{
	int level;
	pte_t *pte;

	if (fp < DIRECT_MAP_BASE || (fp & 7) || (fp & ~PAGE_MASK) > PAGE_SIZE - 16)
		return false;
	pte = kernel_root ? pgtable_lookup(kernel_root, fp, &level) : NULL;
	return pte && (pte_prot(pte_read(pte)) & PT_READ);
}

bool backtrace_regs_fit(const struct regs *regs, uintptr_t next)
{
	uintptr_t first = ALIGN_DOWN((uintptr_t)regs, 16);
	uintptr_t last = ALIGN_DOWN((uintptr_t)(regs + 1) - 8, 16);

	return readable(first) && readable(last) && !regs_user_mode(regs) &&
	       regs_fp(regs) == next && regs_ip(regs) >= KERNEL_BASE &&
	       regs_ip(regs) < (uintptr_t)__text_end;
}

/* Where the kernel was when entry's code made the call of this frame; 0: in a program, or it was not entry. */
static uintptr_t interrupted_at(const uintptr_t *frame)
{
	const struct regs *regs;

	if (frame[1] < (uintptr_t)__text_start || frame[1] >= (uintptr_t)__entry_end)
		return 0;
	regs = backtrace_saved_regs((uintptr_t)frame, frame[0]);
	return regs ? regs_ip(regs) : 0;
}

unsigned arch_backtrace(uintptr_t fp, uintptr_t *pcs, unsigned max)
{
	unsigned n = 0, jumps = 0;

	while (n < max && readable(fp)) {
		const uintptr_t *frame = (const uintptr_t *)fp;
		uintptr_t next = frame[0], interrupted;

		if (frame[1] < KERNEL_BASE)
			break;
		pcs[n++] = INJECT("backtrace_wrong") ? fp : frame[1];
		interrupted = interrupted_at(frame);
		if (interrupted && n < max)
			pcs[n++] = interrupted;
		if ((next <= fp || next - fp > KSTACK_SIZE) && ++jumps > 2)
			break;
		fp = next;
	}
	return n;
}
