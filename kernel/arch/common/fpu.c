/*
 * FPU state: saved when a user thread is switched away from, loaded when another one's is in the registers.
 *
 * Per CPU, fpu_owner says whose state the registers hold; the thread says on which CPU (fpu_cpu). Both
 * must agree for a load to be left out. While a user thread runs, in user mode or in the kernel, the
 * registers hold its state. Locks: none, preemption off where stated.
 */
#include <arch/percpu.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <sched/thread.h>
#include "fpu.h"

struct kcache *fpu_areas;
u32 fpu_area_size;
const void *fpu_initial;
static DEFINE_PER_CPU(struct arch_thread *, fpu_owner) = NULL;

int fpu_alloc(struct arch_thread *t)
{
	void *area = kcache_alloc(fpu_areas, ALLOC_KERNEL);

	if (!area)
		return -ENOMEM;
	memcpy(area, fpu_initial, fpu_area_size);
	t->fpu_cpu = -1;
	t->fpu = area;
	return 0;
}

int fpu_fork(struct arch_thread *child)
{
	if (!current->arch.fpu)
		return fpu_alloc(child);
	child->fpu = kcache_alloc(fpu_areas, ALLOC_KERNEL);
	if (!child->fpu)
		return -ENOMEM;
	fpu_hw_prepare(child->fpu);
	fpu_hw_save(child->fpu);
	return 0;
}

void fpu_free(struct arch_thread *t)
{
	if (t->fpu)
		kcache_free(fpu_areas, t->fpu);
	t->fpu = NULL;
	t->fpu_cpu = -1;
}

static void own(struct arch_thread *t)
{
	t->fpu_cpu = (s32)this_cpu();
	this_cpu_write(fpu_owner, t);
}

void fpu_save(struct arch_thread *t)
{
	fpu_hw_save(t->fpu);
	own(t);
}

void fpu_load(struct arch_thread *t)
{
	if (this_cpu_read(fpu_owner) == t && t->fpu_cpu == (s32)this_cpu())
		return;
	fpu_hw_load(t->fpu);
	own(t);
}

void fpu_reset(struct arch_thread *t)
{
	fpu_hw_load(fpu_initial);
	own(t);
}
