/*
 * Address spaces: creation, references, end.
 *
 * mm->users counts the threads (and who works on the space for another process): with the last one
 * everything is unmapped. mm->refs keeps the structure and its root table: one for all users, one for
 * each reader of /proc. CPUs that still have the tables loaded hold no reference: they are made to leave
 * before anything is freed.
 */
#include "vma.h"
#include <mm/slab.h>

static struct kcache *mm_cache;

int mm_create(struct mm **out)
{
	struct mm *mm = kcache_alloc(mm_cache, ALLOC_KERNEL | ALLOC_ZERO);
	int err;

	if (!mm)
		return -ENOMEM;
	err = arch_mmu_create(&mm->root);
	if (err) {
		kcache_free(mm_cache, mm);
		return err;
	}
	rwsem_init(&mm->lock, "mm", RANK_MM);
	refcount_init(&mm->users, 1);
	refcount_init(&mm->refs, 1);
	mm->mmap_base = MMAP_BASE;
	*out = mm;
	return 0;
}

void mm_get(struct mm *mm)
{
	if (mm)
		refcount_inc(&mm->refs);
}

void mm_put(struct mm *mm)
{
	if (!mm || !refcount_dec_and_test(&mm->refs))
		return;
	arch_mmu_destroy(mm->root);
	kcache_free(mm_cache, mm);
}

void mm_user_get(struct mm *mm)
{
	refcount_inc(&mm->users);
}

bool mm_user_get_not_zero(struct mm *mm)
{
	return refcount_inc_not_zero(&mm->users);
}

void mm_user_put(struct mm *mm)
{
	if (!mm || !refcount_dec_and_test(&mm->users))
		return;
	tlb_leave_mm(mm);
	/* Readers of /proc may look at the tree under the lock. */
	rwsem_write_lock(&mm->lock);
	unmap_all(mm);
	if (INJECT("mm_leaks_page"))
		(void)page_alloc(0, ALLOC_KERNEL);
	mm_write_unlock(mm);
	if (mm->exe)
		mm_file_put(mm->exe);
	mm->exe = NULL;
	mm_put(mm);
}

void mm_switch_current(struct mm *mm)
{
	struct thread *t = current;
	struct mm *lazy;

	preempt_disable();
	lazy = t->mm ? NULL : t->active_mm; /* a kernel thread holds whose tables it ran on */
	t->mm = mm;
	t->active_mm = mm;
	if (mm)
		tlb_switch_mm(mm);
	preempt_enable();
	mm_put(lazy);
}

void mm_struct_init(void)
{
	mm_cache = kcache_create("mm", sizeof(struct mm), 0);
	vma_init();
}
