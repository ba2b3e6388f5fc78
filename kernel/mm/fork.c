/*
 * Copying an address space for fork.
 *
 * VMAs are copied; page tables only where private pages may be (vma->has_anon): everything else comes
 * back by faults, from the page cache. A private page is shared by both from then on, read-only in both
 * tables, and copied by the first write (fault.c). The parent's TLB is flushed once, at the end.
 */
#include "vma.h"
#include "huge.h"

struct copy {
	struct mm *from, *to;
	s64 anon;
	bool flush; /* an entry of the parent lost its write permission */
};

/* n entries of one table: private pages go over, the others are left to faults. */
static void copy_entries(struct copy *c, pte_t *from, pte_t *to, unsigned n, unsigned prot)
{
	struct spinlock *lock = pte_lock_of(from);

	spin_lock(lock);
	for (unsigned i = 0; i < n; i++) {
		pte_t e = pte_read(&from[i]);
		struct page *p;

		if (pte_none(e))
			continue;
		p = phys_to_page(pte_paddr(e));
		if (!(READ_ONCE(p->flags) & PG_ANON))
			continue;
		page_get(p);
		c->anon++;
		if (pte_writable(e) && !INJECT("fork_keeps_writable")) {
			e = pte_make(pte_paddr(e), prot);
			pte_copy(&from[i], e);
			c->flush = true;
		}
		pte_copy(&to[i], e);
	}
	spin_unlock(lock);
}

static int copy_tables(struct copy *c, struct vma *v)
{
	unsigned prot = vma_pt_prot(v) & ~(unsigned)PT_WRITE;
	uptr_t addr = v->start;

	while (addr < v->end) {
		uptr_t next = ALIGN_DOWN(addr, HUGE_SIZE) + HUGE_SIZE;
		pte_t *l1 = walk_level1(c->from->root, addr, &next), *table, *slot;
		int err;

		if (!l1 || pte_none(pte_read(l1))) {
			addr = next;
			continue;
		}
		if (!pte_is_table(pte_read(l1))) {
			err = huge_split(c->from, l1, addr);
			if (err)
				return err;
			c->flush = true;
		}
		err = pgtable_walk_alloc(c->to->root, addr, 0, &slot);
		if (err)
			return err;
		table = phys_to_virt(pte_paddr(pte_read(l1)));
		next = min(next, v->end);
		copy_entries(c, &table[pt_index(addr, 0)], slot,
			     (unsigned)((next - addr) >> PAGE_SHIFT), prot);
		addr = next;
	}
	return 0;
}

static int copy_vmas(struct copy *c)
{
	struct vma *last = NULL, *n;

	for (struct rb_node *i = rb_first(&c->from->vmas); i; i = rb_next(i)) {
		struct vma *v = rb_entry(i, struct vma, node);
		int err;

		if (v->flags & VM_DONTFORK) {
			mm_account(c->to, v->flags & ~(u32)VM_LOCKED, -(s64)vma_pages(v));
			continue;
		}
		n = vma_dup(c->to, v);
		if (!n)
			return -ENOMEM;
		n->flags &= ~(u32)VM_LOCKED;
		vma_append(c->to, n, last);
		last = n;
		if (!v->has_anon)
			continue;
		if (v->flags & VM_WIPEONFORK && !INJECT("fork_no_wipe")) {
			n->has_anon = false;
			continue;
		}
		err = copy_tables(c, v);
		if (err)
			return err;
	}
	return 0;
}

static void copy_fields(struct mm *to, const struct mm *from)
{
	to->total_vm = from->total_vm;
	to->data_vm = from->data_vm;
	to->stack_vm = from->stack_vm;
	to->brk_start = from->brk_start;
	to->brk = from->brk;
	to->mmap_base = from->mmap_base;
	to->code_start = from->code_start;
	to->code_end = from->code_end;
	to->data_start = from->data_start;
	to->data_end = from->data_end;
	to->stack_start = from->stack_start;
	to->arg_start = from->arg_start;
	to->arg_end = from->arg_end;
	to->env_start = from->env_start;
	to->env_end = from->env_end;
	to->vdso = from->vdso;
	to->membarrier = from->membarrier;
	memcpy(to->auxv, from->auxv, sizeof(to->auxv));
	to->exe = from->exe;
	if (to->exe)
		mm_file_get(to->exe);
}

int mm_fork(struct mm *parent, struct mm **out)
{
	struct copy c = { .from = parent };
	int err = mm_create(&c.to);

	if (err)
		return err;
	rwsem_write_lock(&parent->lock);
	copy_fields(c.to, parent);
	err = copy_vmas(&c);
	if (c.flush)
		tlb_flush_range(parent, 0, USER_TOP, false);
	rwsem_write_unlock(&parent->lock);
	c.to->rss_anon = (u64)c.anon;
	if (err) {
		mm_user_put(c.to);
		return err;
	}
	*out = c.to;
	return 0;
}
