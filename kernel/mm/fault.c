/*
 * Page faults of user addresses.
 *
 * A fault takes mm->lock for reading, finds the VMA, checks the access, and fills the entry: anonymous
 * memory from the store of zeroed pages (a read gets the zero page), other objects in fault_file.c. A
 * write to an entry that is read-only in a writable VMA is copy-on-write: a page that nobody else
 * has is made writable, else it is copied. Entries change under the lock of their table's page, and are
 * looked at again under it: another thread may have resolved the same fault.
 *
 * Faults with preemption off, or while current->fault_disabled, fail at once. Memory that cannot be had
 * makes the fault be repeated after something was killed or freed, or kills this thread: never a hang.
 *
 * Manual: mmap(2), sigaction(2) (SEGV_MAPERR, SEGV_ACCERR, BUS_ADRERR).
 */
#include <arch/debug.h>
#include "vma.h"
#include "huge.h"
#include <debug/trace.h>

#define SIGKILL_NR 9
#define SIGBUS_NR 7
#define SIGSEGV_NR 11
#define CODE_MAPERR 1
#define CODE_ACCERR 2
#define CODE_ADRERR 2

/* --- anonymous memory --- */

static enum fault_result anon_fault(struct vma *v, pte_t *slot, bool write)
{
	struct spinlock *lock = pte_lock_of(slot);
	struct page *p;
	pte_t e;

	if (!write) {
		e = pte_make(page_to_phys(zero_page), vma_pt_prot(v) & ~(unsigned)PT_WRITE);
		spin_lock(lock);
		if (pte_none(pte_read(slot)))
			pte_write(slot, e);
		spin_unlock(lock);
		return FAULT_DONE;
	}
	p = page_alloc_anon(true);
	if (unlikely(!p))
		return FAULT_NOMEM;
	e = pte_make(page_to_phys(p), vma_pt_prot(v) | PT_DIRTY);
	v->has_anon = true;
	spin_lock(lock);
	if (likely(pte_none(pte_read(slot)))) {
		pte_write(slot, e);
		spin_unlock(lock);
		rss_add(&v->mm->rss_anon, 1);
		return FAULT_DONE;
	}
	spin_unlock(lock);
	page_put(p);
	return FAULT_DONE;
}

/* --- copy on write --- */

/* The page is this address space's alone: writing is all right. Entry lock held. */
static void make_writable(struct vma *v, uptr_t addr, pte_t *slot, pte_t e)
{
	pte_write(slot, pte_make(pte_paddr(e), vma_pt_prot(v) | PT_DIRTY));
	tlb_flush_local(addr);
}

static enum fault_result copy_page(struct vma *v, uptr_t addr, pte_t *slot, pte_t e)
{
	struct page *old = phys_to_page(pte_paddr(e)), *p;
	bool zero = old == zero_page, uncounted = page_uncounted(old);
	struct spinlock *lock = pte_lock_of(slot);

	p = page_alloc_anon(zero);
	if (unlikely(!p))
		return FAULT_NOMEM;
	v->has_anon = true;
	spin_lock(lock);
	if (unlikely(pte_read(slot).v != e.v)) {
		spin_unlock(lock);
		page_put(p);
		return FAULT_DONE;
	}
	if (!zero)
		arch_page_copy(page_to_virt(p), page_to_virt(old));
	arch_pte_break(v->mm, addr, slot);
	pte_write(slot, pte_make(page_to_phys(p), vma_pt_prot(v) | PT_DIRTY));
	spin_unlock(lock);
	tlb_flush_range(v->mm, addr, addr + PAGE_SIZE, false);
	if (uncounted || !(old->flags & PG_ANON))
		rss_add(&v->mm->rss_anon, 1);
	if (uncounted)
		return FAULT_DONE;
	if (!(old->flags & PG_ANON))
		rss_add(&v->mm->rss_file, -1);
	page_put(old);
	return FAULT_DONE;
}

static enum fault_result write_fault(struct vma *v, uptr_t addr, pte_t *slot, pte_t e)
{
	struct page *p = phys_to_page(pte_paddr(e));
	struct spinlock *lock = pte_lock_of(slot);
	bool sole = READ_ONCE(p->refs) == 1 && p->flags & PG_ANON;

	if (!(v->flags & VM_SHARED && v->mapping) && (!sole || INJECT("cow_never_reuses")) &&
	    !(INJECT("cow_shares") && p->flags & PG_ANON))
		return copy_page(v, addr, slot, e);
	spin_lock(lock);
	/* Under the lock, one reference cannot become two: they come from this entry. */
	if (pte_read(slot).v == e.v &&
	    (v->flags & VM_SHARED || READ_ONCE(p->refs) == 1 || INJECT("cow_shares")))
		make_writable(v, addr, slot, e);
	spin_unlock(lock);
	if (v->flags & VM_SHARED && v->mapping)
		mapping_mark_dirty(v->mapping, p);
	return FAULT_DONE;
}

/* --- dispatch --- */

static enum fault_result fill_entry(struct vma *v, uptr_t addr, pte_t *slot, bool write)
{
	if (v->ops)
		return fault_special(v, addr, slot);
	if (v->mapping)
		return fault_file(v, addr, slot, write);
	return anon_fault(v, slot, write);
}

enum fault_result fault_handle(struct vma *v, uptr_t addr, bool write, bool force)
{
	pte_t *slot, *l1, e;
	int err;

	addr = ALIGN_DOWN(addr, PAGE_SIZE);
	err = pgtable_walk_alloc(v->mm->root, addr, 1, &l1);
	if (unlikely(err))
		return FAULT_NOMEM;
	e = pte_read(l1);
	if (unlikely(!pte_is_table(e))) {
		if (pte_present(e)) {
			if (write && !pte_writable(e))
				return huge_write(v, addr, l1);
			tlb_flush_local(addr);
			return FAULT_DONE;
		}
		if (write && huge_wanted(v, addr)) {
			enum fault_result r = huge_fault(v, addr, l1);

			if (r != FAULT_NOMEM)
				return r;
		}
		err = pgtable_walk_alloc(v->mm->root, addr, 0, &slot);
		if (unlikely(err))
			return err == -ENOMEM ? FAULT_NOMEM : FAULT_RETRY;
	} else {
		slot = (pte_t *)phys_to_virt(pte_paddr(e)) + pt_index(addr, 0);
	}
	e = pte_read(slot);
	if (pte_none(e))
		return fill_entry(v, addr, slot, write);
	if (write && !pte_writable(e) && (v->flags & VM_WRITE || force))
		return write_fault(v, addr, slot, e);
	tlb_flush_local(addr); /* resolved by another thread */
	return FAULT_DONE;
}

/* --- the stack --- */

int stack_expand(struct vma *v, uptr_t addr)
{
	struct mm *mm = v->mm;
	struct vma *prev = vma_prev(v);
	u64 pages;
	int err;

	addr = ALIGN_DOWN(addr, PAGE_SIZE);
	if (addr >= v->start)
		return 0;
	pages = (v->start - addr) >> PAGE_SHIFT;
	if (addr < MM_MMAP_MIN || v->end - addr > mm_limit_get(MM_LIMIT_STACK))
		return -ENOMEM;
	if (prev && prev->flags & VM_ACCESS && !(prev->flags & VM_GROWSDOWN) &&
	    addr - MIN(addr, MM_STACK_GAP) < prev->end && !INJECT("stack_no_gap"))
		return -ENOMEM;
	if (prev && addr < prev->end)
		return -ENOMEM;
	err = mm_may_expand(mm, v->flags, pages);
	if (err)
		return err;
	vma_resize(v, addr, v->end);
	mm_account(mm, v->flags, (s64)pages);
	return 0;
}

/* The vma above addr is a stack: makes it reach down to addr. True when it does. */
static bool grow_stack(struct mm *mm, uptr_t addr)
{
	struct vma *v;
	bool ok = false;

	rwsem_write_lock(&mm->lock);
	v = vma_find(mm, addr);
	if (v && (v->start <= addr || (v->flags & VM_GROWSDOWN && !stack_expand(v, addr))))
		ok = true;
	mm_write_unlock(mm);
	return ok;
}

/* --- out of memory --- */

static int wait_a_moment(void)
{
	return sched_sleep_until(time_monotonic_ns() + 5 * NSEC_PER_MSEC, false);
}

bool (*mm_oom_kill)(void);

bool fault_out_of_memory(void)
{
	struct thread *t = current;

	for (unsigned tries = 0; tries < 100; tries++) {
		if (sched_signal_pending && sched_signal_pending(t, true))
			return true; /* killed: it dies on the way out */
		if (page_reclaim(32))
			return true;
		if (tries % 20 == 0 && !(mm_oom_kill && mm_oom_kill()))
			return false;
		(void)wait_a_moment();
		if (page_can_alloc_user())
			return true;
	}
	return false;
}

/* --- the upcall --- */

static __always_inline bool access_ok(const struct vma *v, enum fault_access access, bool present)
{
	if (access == FAULT_WRITE)
		return v->flags & VM_WRITE;
	if (access == FAULT_EXEC)
		return v->flags & VM_EXEC;
	return v->flags & VM_ACCESS;
}

static int fail(int *code, int sig, int what)
{
	*code = what;
	return sig;
}

static int resolve(uptr_t addr, enum fault_access access, bool present, bool user, int *code)
{
	struct thread *t = current;
	struct mm *mm = t->mm;
	enum fault_result r;
	struct vma *v;

	if (unlikely(!mm || addr >= USER_TOP || t->fault_disabled || in_atomic()))
		return fail(code, SIGSEGV_NR, CODE_MAPERR);
	for (;;) {
		rwsem_read_lock(&mm->lock);
		v = vma_find(mm, addr);
		if (unlikely(!v || v->start > addr)) {
			bool stack = v && v->flags & VM_GROWSDOWN;

			rwsem_read_unlock(&mm->lock);
			if (!stack || !grow_stack(mm, addr))
				return fail(code, SIGSEGV_NR, CODE_MAPERR);
			continue;
		}
		if (unlikely(!access_ok(v, access, present))) {
			rwsem_read_unlock(&mm->lock);
			return fail(code, SIGSEGV_NR,
				    INJECT("fault_wrong_code") ? CODE_MAPERR : CODE_ACCERR);
		}
		r = fault_handle(v, addr, access == FAULT_WRITE, false);
		rwsem_read_unlock(&mm->lock);
		if (likely(r == FAULT_DONE))
			return 0;
		if (r == FAULT_SIGBUS)
			return fail(code, SIGBUS_NR, CODE_ADRERR);
		if (r == FAULT_RETRY)
			continue;
		if (!fault_out_of_memory()) {
			log_err("out of memory: tid %d (%s) killed", t->tid, t->comm);
			return fail(code, SIGKILL_NR, 0);
		}
		if (sched_signal_pending && sched_signal_pending(t, true))
			return user ? 0 : fail(code, SIGKILL_NR, 0);
	}
}

int mm_fault(uptr_t addr, enum fault_access access, bool present, bool user, int *code)
{
	int sig = resolve(addr, access, present, user, code);

	TRACE(fault, addr, access, sig, sig ? *code : 0);
	return sig;
}
