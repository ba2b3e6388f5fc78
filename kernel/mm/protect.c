/*
 * Changing what mappings allow. Semantics of mprotect(2): what lies before the first hole or the first
 * mapping that may not be changed stays changed when it fails.
 *
 * Entries are rewritten in place. Write permission comes back at once only for private pages that nobody
 * else has; the others are left read-only for the fault to sort out.
 */
#include "vma.h"
#include "huge.h"
#include <debug/trace.h>

#define MAY_SHIFT 4 /* VM_MAYREAD to VM_READ and so on */
BUILD_ASSERT(VM_READ << MAY_SHIFT == VM_MAYREAD && VM_EXEC << MAY_SHIFT == VM_MAYEXEC);

struct change {
	unsigned prot; /* of the vma, with PT_WRITE */
	bool writable; /* private, so that a sole owner may write */
	bool flush;
};

static void change_entries(struct change *c, pte_t *slot, unsigned n)
{
	struct spinlock *lock = pte_lock_of(slot);

	spin_lock(lock);
	for (unsigned i = 0; i < n; i++) {
		pte_t old = pte_read(&slot[i]), e;
		unsigned prot = c->prot;
		struct page *p;

		if (pte_none(old))
			continue;
		p = phys_to_page(pte_paddr(old));
		if (!c->writable || !(p->flags & PG_ANON) || READ_ONCE(p->refs) != 1)
			prot &= ~(unsigned)PT_WRITE;
		e = pte_make(pte_paddr(old), prot);
		if (e.v == old.v)
			continue;
		pte_write(&slot[i], e);
		c->flush = true;
	}
	spin_unlock(lock);
}

void protect_entries(struct vma *v, uptr_t start, uptr_t end)
{
	struct change c = { vma_pt_prot(v), !(v->flags & VM_SHARED), false };
	uptr_t addr = start;

	if (c.prot & PT_WRITE)
		c.prot |= PT_DIRTY;
	while (addr < end) {
		uptr_t next = ALIGN_DOWN(addr, HUGE_SIZE) + HUGE_SIZE;
		pte_t *l1 = walk_level1(v->mm->root, addr, &next), *table;

		if (!l1 || pte_none(pte_read(l1))) {
			addr = next;
			continue;
		}
		if (!pte_is_table(pte_read(l1))) {
			if (huge_split(v->mm, l1, addr)) {
				/* No table to be had: what is mapped goes, to be faulted in anew, would lose
				 * data; so wait for memory. */
				if (!fault_out_of_memory())
					return;
				continue;
			}
			c.flush = true;
		}
		table = phys_to_virt(pte_paddr(pte_read(l1)));
		next = min(next, end);
		change_entries(&c, &table[pt_index(addr, 0)],
			       (unsigned)((next - addr) >> PAGE_SHIFT));
		addr = next;
	}
	if (c.flush)
		tlb_flush_range(v->mm, start, end, false);
}

/* One vma that lies in the range whole. */
static int change_vma(struct mm *mm, struct vma *v, u32 flags)
{
	u64 pages = vma_pages(v);
	u32 old = v->flags;

	if (!(old & VM_WRITE) && flags & VM_WRITE && !(flags & VM_SHARED)) {
		int err = mm_may_expand(mm, flags, 0);

		if (!err && vma_accountable(flags) && pages > mem_total_pages)
			err = -ENOMEM;
		if (!err && mm->data_vm + pages > mm_limit_get(MM_LIMIT_DATA) >> PAGE_SHIFT &&
		    !(flags & VM_STACK))
			err = -ENOMEM;
		if (err)
			return err;
	}
	mm_account(mm, old, -(s64)pages);
	mm_account(mm, flags, (s64)pages);
	v->flags = flags;
	if (!INJECT("mprotect_keeps_entries"))
		protect_entries(v, v->start, v->end);
	return 0;
}

static int protect_locked(struct mm *mm, uptr_t start, uptr_t end, u32 prot)
{
	struct vma *v = vma_find(mm, start);
	uptr_t at = start;

	if (!v || v->start > start)
		return -ENOMEM;
	for (; at < end; v = vma_next(v)) {
		u32 flags;
		int err;

		if (!v || v->start > at)
			return -ENOMEM;
		flags = (v->flags & ~(u32)VM_ACCESS) | prot;
		if (flags & VM_ACCESS & ~(v->flags >> MAY_SHIFT))
			return -EACCES;
		if (flags == v->flags) {
			at = v->end;
			v = vma_merge_prev(v); /* which may have been changed just now */
			continue;
		}
		err = vma_split_range(mm, max(v->start, at), min(v->end, end));
		if (err)
			return err;
		v = vma_find(mm, at);
		err = change_vma(mm, v, flags);
		if (err)
			return err;
		at = v->end;
		v = vma_merge_prev(v);
	}
	if (v)
		(void)vma_merge_prev(v);
	return 0;
}

int mm_protect(struct mm *mm, uptr_t addr, size_t len, u32 prot)
{
	int err;

	if (!IS_ALIGNED(addr, PAGE_SIZE))
		return -EINVAL;
	if (!len)
		return 0;
	len = ALIGN_UP(len, PAGE_SIZE);
	if (!len || addr + len <= addr)
		return -ENOMEM;
	rwsem_write_lock(&mm->lock);
	err = protect_locked(mm, addr, addr + len, prot);
	mm_write_unlock(mm);
	TRACE(mprotect, addr, len, prot, err);
	return err;
}
