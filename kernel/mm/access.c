/*
 * Pages of an address space, from outside the faults: populating, reading and writing another
 * process's memory, mincore(2).
 */
#include "vma.h"
#include "huge.h"

/* --- populate --- */

static int populate_page(struct vma *v, uptr_t addr, enum populate_mode mode)
{
	bool write = mode == POPULATE_WRITE;

	if (mode == POPULATE_BY_VMA)
		write = (v->flags & (VM_WRITE | VM_SHARED)) == VM_WRITE;
	if (!(v->flags & (write ? VM_WRITE : VM_ACCESS)))
		return -EINVAL;
	for (;;) {
		switch (fault_handle(v, addr, write, false)) {
		case FAULT_DONE: return 0;
		case FAULT_SIGBUS: return -EFAULT;
		case FAULT_NOMEM: return -ENOMEM;
		case FAULT_RETRY: break;
		}
	}
}

int mm_populate(struct mm *mm, uptr_t addr, size_t len, enum populate_mode mode)
{
	uptr_t end = addr + len;

	while (addr < end) {
		struct vma *v;
		int err = 0;

		rwsem_read_lock(&mm->lock);
		v = vma_find(mm, addr);
		if (!v || v->start > addr)
			err = -ENOMEM;
		for (unsigned i = 0; !err && addr < min(v->end, end) && i < 64; i++) {
			err = populate_page(v, addr, mode);
			if (!err)
				addr += PAGE_SIZE;
		}
		rwsem_read_unlock(&mm->lock);
		if (err)
			return err;
		if (sched_signal_pending && sched_signal_pending(current, true))
			return -EINTR;
		sched_point();
	}
	return 0;
}

/* --- another address space --- */

static bool access_allowed(const struct vma *v, bool write, bool force)
{
	if (write)
		return v->flags & VM_WRITE ||
		       (force && v->flags & VM_MAYWRITE && !(v->flags & VM_SHARED));
	return v->flags & VM_READ || (force && v->flags & VM_MAYREAD);
}

/* The page that is mapped at addr, with a reference, if it may be used as asked. */
static struct page *mapped_page(struct mm *mm, uptr_t addr, bool write, bool force)
{
	struct page *p = NULL;
	uptr_t next;
	pte_t *l1 = walk_level1(mm->root, addr, &next), *slot, e;

	if (!l1 || pte_none(pte_read(l1)))
		return NULL;
	if (!pte_is_table(pte_read(l1)))
		return huge_page_get(l1, addr, write);
	slot = (pte_t *)phys_to_virt(pte_paddr(pte_read(l1))) + pt_index(addr, 0);
	spin_lock(pte_lock_of(slot));
	e = pte_read(slot);
	if (pte_present(e)) {
		p = phys_to_page(pte_paddr(e));
		if (!write || pte_writable(e) ||
		    (force && p->flags & PG_ANON && READ_ONCE(p->refs) == 1))
			page_get(p);
		else
			p = NULL;
	}
	spin_unlock(pte_lock_of(slot));
	return p;
}

static struct page *get_user_page(struct mm *mm, uptr_t addr, bool write, bool force)
{
	struct page *p = NULL;
	struct vma *v;

	rwsem_read_lock(&mm->lock);
	v = vma_find(mm, addr);
	if (v && v->start <= addr && access_allowed(v, write, force)) {
		for (unsigned tries = 0; !p && tries < 16; tries++) {
			enum fault_result r;

			p = mapped_page(mm, addr, write, force);
			if (p)
				break;
			r = fault_handle(v, addr, write, force);
			if (r == FAULT_SIGBUS || r == FAULT_NOMEM)
				break;
		}
		if (p && write && v->mapping && v->flags & VM_SHARED)
			mapping_mark_dirty(v->mapping, p);
	}
	rwsem_read_unlock(&mm->lock);
	return p;
}

static size_t access(struct mm *mm, uptr_t addr, void *buf, size_t n, bool write, bool force)
{
	size_t done = 0;

	while (done < n && addr < USER_TOP) {
		size_t off = addr & (PAGE_SIZE - 1), chunk = min(n - done, PAGE_SIZE - off);
		struct page *p = get_user_page(mm, addr, write, force);
		char *at;

		if (!p)
			break;
		at = (char *)page_to_virt(p) + off;
		if (write) {
			memcpy(at, (char *)buf + done, chunk);
			if (READ_ONCE(p->flags) & PG_CODE)
				arch_code_sync(page_to_phys(p) + off, chunk); /* a breakpoint */
		} else {
			memcpy((char *)buf + done, at, chunk);
		}
		page_put(p);
		done += chunk;
		addr += chunk;
	}
	return done;
}

size_t mm_access(struct mm *mm, uptr_t addr, void *buf, size_t n, bool write)
{
	return access(mm, addr, buf, n, write, true);
}

size_t mm_access_checked(struct mm *mm, uptr_t addr, void *buf, size_t n, bool write)
{
	return access(mm, addr, buf, n, write, false);
}

/* --- mincore --- */

static bool page_in_memory(struct vma *v, uptr_t addr)
{
	int level;
	pte_t *pte = pgtable_lookup(v->mm->root, addr, &level);
	struct page *p;
	bool up;

	if (pte)
		return true;
	if (!v->mapping)
		return false;
	p = mapping_find_page(v->mapping, vma_index(v, addr));
	if (!p)
		return false;
	up = smp_load_acquire(&p->flags) & PG_UPTODATE;
	page_put(p);
	return up;
}

int mm_incore(struct mm *mm, uptr_t addr, u64 npages, u8 *vec)
{
	int err = 0;

	rwsem_read_lock(&mm->lock);
	for (u64 i = 0; i < npages; i++, addr += PAGE_SIZE) {
		struct vma *v = vma_find(mm, addr);

		if (!v || v->start > addr) {
			err = -ENOMEM;
			break;
		}
		vec[i] = page_in_memory(v, addr);
	}
	rwsem_read_unlock(&mm->lock);
	return err;
}
