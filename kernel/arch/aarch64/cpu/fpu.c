/*
 * FPU state: saved when a user thread is switched away from, loaded when another one's is in the registers.
 *
 * Per CPU, fpu_owner says whose state the registers hold; the thread says on which CPU (fpu_cpu). Both
 * must agree for a load to be left out. While a user thread runs, in user mode or in the kernel, the
 * registers hold its state. Locks: none, preemption off where stated.
 */
#include <arch/percpu.h>
#include <asm/fpu.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <sched/thread.h>

BUILD_ASSERT(offsetof(struct fpu_state, fpsr) == 8 && offsetof(struct fpu_state, v) == 16);
BUILD_ASSERT(sizeof(struct fpu_state) == 528);

/* fpu_regs.S */
void fpu_regs_save(struct fpu_state *to);
void fpu_regs_load(const struct fpu_state *from);

static struct kcache *areas; /* [I] */
static const struct fpu_state initial = { .magic = FPSIMD_MAGIC, .size = sizeof(initial) };
static DEFINE_PER_CPU(struct arch_thread *, fpu_owner) = NULL;

void fpu_init(void)
{
	areas = kcache_create("fpu", sizeof(struct fpu_state), 64);
}

int fpu_alloc(struct arch_thread *t)
{
	struct fpu_state *area = kcache_alloc(areas, ALLOC_KERNEL);

	if (!area)
		return -ENOMEM;
	*area = initial;
	t->fpu_cpu = -1;
	t->fpu = area;
	return 0;
}

int fpu_fork(struct arch_thread *child)
{
	if (!current->arch.fpu)
		return fpu_alloc(child);
	child->fpu = kcache_alloc(areas, ALLOC_KERNEL);
	if (!child->fpu)
		return -ENOMEM;
	*child->fpu = initial;
	fpu_regs_save(child->fpu);
	return 0;
}

void fpu_free(struct arch_thread *t)
{
	if (t->fpu)
		kcache_free(areas, t->fpu);
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
	fpu_regs_save(t->fpu);
	own(t);
}

void fpu_load(struct arch_thread *t)
{
	if (this_cpu_read(fpu_owner) == t && t->fpu_cpu == (s32)this_cpu())
		return;
	fpu_regs_load(t->fpu);
	own(t);
}

void fpu_reset(struct arch_thread *t)
{
	fpu_regs_load(&initial);
	own(t);
}

/* A switch meanwhile saves the same registers to the same place. */
const struct fpu_state *fpu_sync(void)
{
	fpu_regs_save(current->arch.fpu);
	return current->arch.fpu;
}

void fpu_set(const struct fpu_state *state)
{
	fpu_regs_load(state);
}
