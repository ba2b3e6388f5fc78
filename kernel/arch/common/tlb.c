/*
 * TLB shootdown and lazy switching; see mm/tlb.h.
 *
 * Order: a CPU puts itself into mm->cpumask before it loads the tables (both are serialising), and a
 * flusher changes entries before it reads the mask. So either the flusher sees the CPU, or the CPU loads
 * tables that are changed already. Where TLBs are invalidated by broadcast, the mask only says who has to
 * leave an address space that ends.
 */
#include <debug/inject.h>
#include <lib/atomic.h>
#include <mm/tlb.h>
#include <sched/thread.h>

#define FLUSH_PAGES_MAX 32 /* beyond: the whole of it */

DEFINE_PER_CPU(struct mm *, tlb_loaded_mm);

struct flush {
	struct mm *mm; /* NULL: kernel addresses */
	vaddr_t start, end;
	bool tables;
};

/* Preemption off. */
void tlb_switch_mm_slow(struct mm *mm)
{
	irqflags_t flags = arch_irq_save();
	struct mm *old = this_cpu_read(tlb_loaded_mm);
	unsigned long bit = BIT(this_cpu());

	if (mm)
		__atomic_fetch_or(&mm->cpumask, bit, __ATOMIC_SEQ_CST);
	this_cpu_write(tlb_loaded_mm, mm);
	arch_mmu_activate(mm);
	if (old)
		__atomic_fetch_and(&old->cpumask, ~bit, __ATOMIC_SEQ_CST);
	arch_irq_restore(flags);
}

static void flush_local(const struct flush *f)
{
	if (f->tables || f->end - f->start > FLUSH_PAGES_MAX * PAGE_SIZE) {
		if (f->mm)
			arch_tlb_flush_user();
		else
			arch_tlb_flush_all();
		return;
	}
	for (vaddr_t va = f->start; va < f->end; va += PAGE_SIZE)
		arch_tlb_flush_page(va);
}

/* On another CPU, interrupts off. */
static void flush_remote(void *arg)
{
	const struct flush *f = arg;

	if (f->mm && this_cpu_read(tlb_loaded_mm) != f->mm)
		return;
	if (f->mm && current->mm != f->mm)
		tlb_switch_mm_slow(NULL); /* lazy: leave it */
	else
		flush_local(f);
}

static void flush(struct flush *f, unsigned long cpus, bool here)
{
	unsigned long others;

	preempt_disable();
	others = cpus & ~BIT(this_cpu());
	if (here)
		flush_local(f);
	if (unlikely(others))
		smp_call(others, flush_remote, f);
	preempt_enable();
}

void tlb_flush_range(struct mm *mm, uptr_t start, uptr_t end, bool tables)
{
	struct flush f = { mm, start, end, tables };

	if (INJECT("tlb_no_flush"))
		return;
	if (ARCH_TLB_BROADCAST) {
		arch_tlb_broadcast(mm, start, end, tables);
		return;
	}
	smp_mb(); /* the changed entries before the mask */
	flush(&f, READ_ONCE(mm->cpumask), this_cpu_read(tlb_loaded_mm) == mm);
}

void tlb_flush_kernel(vaddr_t start, vaddr_t end)
{
	struct flush f = { NULL, start, end, false };

	if (ARCH_TLB_BROADCAST)
		arch_tlb_broadcast(NULL, start, end, false);
	else
		flush(&f, READ_ONCE(cpu_online_mask), true);
}

void tlb_leave_mm(struct mm *mm)
{
	struct flush f = { mm, 0, 0, true };
	unsigned long others;

	preempt_disable();
	if (this_cpu_read(tlb_loaded_mm) == mm)
		tlb_switch_mm_slow(NULL);
	others = READ_ONCE(mm->cpumask);
	if (unlikely(others))
		smp_call(others, flush_remote, &f);
	preempt_enable();
	arch_mmu_release(mm);
}
