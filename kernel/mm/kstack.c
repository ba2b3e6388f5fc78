/*
 * Kernel stacks. Each has a slot of its own in a region of the kernel's virtual memory, the lower half of
 * which is never mapped: running off the end faults there, and the fault's address tells that it did.
 *
 * A freed stack stays mapped: a few on the CPU's own list, the others on a common one, linked through
 * their lowest word. Only reclaim unmaps them, since that takes a flush on all CPUs. So stacks may be
 * freed with preemption or interrupts off, but not in interrupt handlers.
 */
#include "internal.h"
#include <lib/bitmap.h>
#include <mm/slab.h>
#include <mm/vmalloc.h>
#include "kstack.h"

#define CPU_MAX 8

static struct {
	void *stack[CPU_MAX];
	u32 count;
} cpu_stacks[MAX_CPUS]; /* [o] its CPU, preemption off */

static struct spinlock kstack_lock;
static void *common; /* [x] kstack_lock */
static DECLARE_BITMAP(used, KSTACK_MAX); /* [x] kstack_lock: slots that are mapped */
static size_t next_slot; /* [x] kstack_lock */

static vaddr_t slot_stack(size_t slot)
{
	return VMALLOC_BASE + slot * KSTACK_SLOT + (KSTACK_SLOT - KSTACK_SIZE);
}

static void *take_cached(void)
{
	unsigned cpu;
	void *stack = NULL;

	preempt_disable();
	cpu = this_cpu();
	if (cpu_stacks[cpu].count) {
		stack = cpu_stacks[cpu].stack[--cpu_stacks[cpu].count];
	} else if (READ_ONCE(common)) {
		spin_lock(&kstack_lock);
		stack = common;
		if (stack)
			common = *(void **)stack;
		spin_unlock(&kstack_lock);
	}
	preempt_enable();
	return stack;
}

void *kstack_alloc(void)
{
	void *stack = take_cached();
	size_t slot;

	if (likely(stack))
		return stack;
	spin_lock(&kstack_lock);
	slot = bitmap_find_next_zero(used, KSTACK_MAX, next_slot);
	if (slot == KSTACK_MAX)
		slot = bitmap_find_next_zero(used, KSTACK_MAX, 0);
	if (slot != KSTACK_MAX) {
		bitmap_set(used, slot);
		next_slot = slot + 1;
	}
	spin_unlock(&kstack_lock);
	if (slot == KSTACK_MAX)
		return NULL;
	if (kernel_map_alloc(slot_stack(slot), KSTACK_SIZE, ALLOC_KERNEL)) {
		spin_lock(&kstack_lock);
		bitmap_clear(used, slot);
		spin_unlock(&kstack_lock);
		return NULL;
	}
	atomic64_add(&mem_kstack_pages, KSTACK_SIZE / PAGE_SIZE);
	if (INJECT("kstack_no_guard"))
		(void)kernel_map_alloc(slot_stack(slot) - PAGE_SIZE, PAGE_SIZE, ALLOC_KERNEL);
	return (void *)slot_stack(slot);
}

void kstack_free(void *stack)
{
	unsigned cpu;

	preempt_disable();
	cpu = this_cpu();
	if (cpu_stacks[cpu].count < CPU_MAX) {
		cpu_stacks[cpu].stack[cpu_stacks[cpu].count++] = stack;
	} else {
		spin_lock(&kstack_lock);
		*(void **)stack = common;
		common = stack;
		spin_unlock(&kstack_lock);
	}
	preempt_enable();
}

/* Unmaps the stacks on the common list: how many pages that frees. */
unsigned kstack_shrink(void)
{
	unsigned freed = 0;
	void *stack;

	spin_lock(&kstack_lock);
	stack = common;
	common = NULL;
	spin_unlock(&kstack_lock);
	while (stack) {
		void *next = *(void **)stack;

		kernel_map_free((vaddr_t)stack, KSTACK_SIZE);
		spin_lock(&kstack_lock);
		bitmap_clear(used, ((vaddr_t)stack - VMALLOC_BASE) / KSTACK_SLOT);
		spin_unlock(&kstack_lock);
		freed += KSTACK_SIZE / PAGE_SIZE;
		stack = next;
	}
	atomic64_sub(&mem_kstack_pages, freed);
	return freed;
}

bool kstack_guard_hit(uintptr_t addr)
{
	uintptr_t off = addr - VMALLOC_BASE;

	if (off >= KSTACK_REGION_SIZE || off % KSTACK_SLOT >= KSTACK_SLOT - KSTACK_SIZE)
		return false;
	return atomic_test_bit(off / KSTACK_SLOT, used);
}

void kstack_init(void)
{
	spin_init(&kstack_lock, "kstack", RANK_VMALLOC);
}
