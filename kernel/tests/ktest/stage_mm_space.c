/* Boot stages: faults, fork, protection, with a kernel thread as the user of an address space. */
#include <arch/debug.h>
#include <arch/uaccess.h>
#include <uapi/mman.h>
#include "mm_test.h"

#define AT 0x10000000ul

static int get(uptr_t addr, u64 *out)
{
	return copy_from_user(out, addr, sizeof(*out));
}

static int put(uptr_t addr, u64 value)
{
	return copy_to_user(addr, &value, sizeof(value));
}

static struct page *page_at(struct mm *mm, uptr_t addr)
{
	int level;
	pte_t *pte = pgtable_lookup(mm->root, addr, &level);

	return pte ? phys_to_page(pte_paddr(pte_read(pte))) : NULL;
}

int stage_fault_anonymous(struct stage *s)
{
	struct mm *mm = mm_test_enter();
	u64 v = 1;

	STAGE_CHECK(s, mm && mm_test_map(mm, AT, 8, USER_RW));
	STAGE_CHECK(s, !page_at(mm, AT));
	STAGE_CHECK_EQ(s, get(AT + 8, &v), 0);
	STAGE_CHECK_EQ(s, v, 0);
	STAGE_CHECK(s, page_at(mm, AT) == zero_page);
	STAGE_CHECK_EQ(s, mm->rss_anon, 0);
	STAGE_CHECK_EQ(s, put(AT + 8, 42), 0);
	STAGE_CHECK(s, page_at(mm, AT) != zero_page);
	STAGE_CHECK_EQ(s, mm->rss_anon, 1);
	STAGE_CHECK_EQ(s, put(AT + PAGE_SIZE, 43), 0);
	STAGE_CHECK_EQ(s, mm->rss_anon, 2);
	STAGE_CHECK_EQ(s, get(AT + 8, &v), 0);
	STAGE_CHECK_EQ(s, v, 42);
	STAGE_CHECK_EQ(s, get(AT + PAGE_SIZE + 8, &v), 0);
	STAGE_CHECK_EQ(s, v, 0);
	STAGE_CHECK_EQ(s, *(u64 *)page_to_virt(zero_page), 0);
	mm_test_leave(mm);
	return 0;
}

int stage_fault_refused(struct stage *s)
{
	struct mm *mm = mm_test_enter();
	u64 v;
	int code;

	STAGE_CHECK(s, mm && mm_test_map(mm, AT, 1, USER_RW));
	STAGE_CHECK(s, mm_test_map(mm, AT + PAGE_SIZE, 1, USER_RW & ~(u32)VM_WRITE));
	STAGE_CHECK(s, mm_test_map(mm, AT + 2 * PAGE_SIZE, 1, USER_RW & ~(u32)VM_ACCESS));
	STAGE_CHECK_EQ(s, put(AT - 8, 1), -EFAULT);
	STAGE_CHECK_EQ(s, get(AT + PAGE_SIZE, &v), 0);
	STAGE_CHECK_EQ(s, put(AT + PAGE_SIZE, 1), -EFAULT);
	STAGE_CHECK_EQ(s, get(AT + 2 * PAGE_SIZE, &v), -EFAULT);
	STAGE_CHECK_EQ(s, put(AT + PAGE_SIZE - 4, 1), -EFAULT); /* the second half is read-only */
	STAGE_CHECK_EQ(s, mm_fault(AT - 8, FAULT_READ, false, true, &code), 11);
	STAGE_CHECK_EQ(s, code, 1);
	STAGE_CHECK_EQ(s, mm_fault(AT + PAGE_SIZE, FAULT_WRITE, true, true, &code), 11);
	STAGE_CHECK_EQ(s, code, 2);
	STAGE_CHECK_EQ(s, mm_fault(AT, FAULT_EXEC, true, true, &code), 11);
	STAGE_CHECK_EQ(s, code, 2);
	current->fault_disabled++;
	STAGE_CHECK_EQ(s, get(AT + 3 * PAGE_SIZE - 8, &v), -EFAULT);
	current->fault_disabled--;
	STAGE_CHECK_EQ(s, mm_unmap(mm, AT, PAGE_SIZE), 0);
	STAGE_CHECK_EQ(s, get(AT, &v), -EFAULT);
	mm_test_leave(mm);
	return 0;
}

int stage_fault_disabled(struct stage *s)
{
	struct mm *mm = mm_test_enter();
	u64 v;

	STAGE_CHECK(s, mm && mm_test_map(mm, AT, 2, USER_RW));
	current->fault_disabled++;
	STAGE_CHECK_EQ(s, get(AT, &v), -EFAULT);
	current->fault_disabled--;
	preempt_disable();
	v = (u64)(s64)get(AT, &v);
	preempt_enable();
	STAGE_CHECK_EQ(s, (s64)v, -EFAULT);
	STAGE_CHECK(s, !page_at(mm, AT));
	STAGE_CHECK_EQ(s, get(AT, &v), 0);
	mm_test_leave(mm);
	return 0;
}

int stage_fork_cow(struct stage *s)
{
	struct mm *parent = mm_test_enter(), *child;
	struct page *shared;
	u64 v;

	STAGE_CHECK(s, parent && mm_test_map(parent, AT, 4, USER_RW));
	STAGE_CHECK_EQ(s, put(AT, 1), 0);
	STAGE_CHECK_EQ(s, put(AT + PAGE_SIZE, 2), 0);
	STAGE_CHECK_EQ(s, mm_fork(parent, &child), 0);
	shared = page_at(parent, AT);
	STAGE_CHECK(s, page_at(child, AT) == shared);
	STAGE_CHECK_EQ(s, shared->refs, 2);
	STAGE_CHECK_EQ(s, child->rss_anon, 2);
	STAGE_CHECK_EQ(s, put(AT, 11), 0); /* the parent writes: it gets the copy */
	STAGE_CHECK(s, page_at(parent, AT) != shared);
	STAGE_CHECK_EQ(s, shared->refs, 1);
	mm_switch_current(child);
	STAGE_CHECK_EQ(s, get(AT, &v), 0);
	STAGE_CHECK_EQ(s, v, 1);
	STAGE_CHECK_EQ(s, put(AT, 21), 0); /* sole owner by now: no copy */
	STAGE_CHECK(s, page_at(child, AT) == shared);
	STAGE_CHECK_EQ(s, get(AT + PAGE_SIZE, &v), 0);
	STAGE_CHECK_EQ(s, v, 2);
	STAGE_CHECK_EQ(s, put(AT + PAGE_SIZE, 22), 0);
	mm_switch_current(parent);
	mm_user_put(child);
	STAGE_CHECK_EQ(s, get(AT, &v), 0);
	STAGE_CHECK_EQ(s, v, 11);
	STAGE_CHECK_EQ(s, get(AT + PAGE_SIZE, &v), 0);
	STAGE_CHECK_EQ(s, v, 2);
	mm_test_leave(parent);
	return 0;
}

int stage_fork_shared(struct stage *s)
{
	struct mm *parent = mm_test_enter(), *child;
	u64 v;

	STAGE_CHECK(s, parent && mm_test_map(parent, AT, 4, USER_RW | VM_SHARED));
	STAGE_CHECK(s, mm_test_map(parent, AT + 8 * PAGE_SIZE, 1, USER_RW | VM_WIPEONFORK));
	STAGE_CHECK(s, mm_test_map(parent, AT + 16 * PAGE_SIZE, 1, USER_RW | VM_DONTFORK));
	STAGE_CHECK_EQ(s, put(AT + 8 * PAGE_SIZE, 5), 0);
	STAGE_CHECK_EQ(s, put(AT + 16 * PAGE_SIZE, 5), 0);
	STAGE_CHECK_EQ(s, put(AT, 1), 0);
	STAGE_CHECK_EQ(s, mm_fork(parent, &child), 0);
	mm_switch_current(child);
	STAGE_CHECK_EQ(s, get(AT, &v), 0);
	STAGE_CHECK_EQ(s, v, 1);
	STAGE_CHECK_EQ(s, put(AT, 2), 0);
	STAGE_CHECK_EQ(s, put(AT + 3 * PAGE_SIZE, 3), 0);
	STAGE_CHECK_EQ(s, get(AT + 8 * PAGE_SIZE, &v), 0);
	STAGE_CHECK_EQ(s, v, 0);
	STAGE_CHECK_EQ(s, get(AT + 16 * PAGE_SIZE, &v), -EFAULT);
	mm_switch_current(parent);
	mm_user_put(child);
	STAGE_CHECK_EQ(s, get(AT, &v), 0);
	STAGE_CHECK_EQ(s, v, 2);
	STAGE_CHECK_EQ(s, get(AT + 3 * PAGE_SIZE, &v), 0);
	STAGE_CHECK_EQ(s, v, 3);
	mm_test_leave(parent);
	return 0;
}

int stage_stack_growth(struct stage *s)
{
	uptr_t top = 0x7f0000000000ul;
	struct mm *mm = mm_test_enter();
	struct vma *v;

	STAGE_CHECK(s,
		    mm && mm_test_map(mm, top - PAGE_SIZE, 1, USER_RW | VM_GROWSDOWN | VM_STACK));
	STAGE_CHECK_EQ(s, put(top - 8, 1), 0);
	STAGE_CHECK_EQ(s, put(top - 100 * PAGE_SIZE, 1), 0);
	v = vma_find(mm, top - 8);
	STAGE_CHECK_EQ(s, v->start, top - 100 * PAGE_SIZE);
	STAGE_CHECK_EQ(s, mm->nr_vmas, 1);
	STAGE_CHECK_EQ(s, put(top - (8ul << 20) - 8, 1), -EFAULT); /* beyond the limit */
	/* Something mapped within the gap below stops it. */
	STAGE_CHECK(s, mm_test_map(mm, top - 400 * PAGE_SIZE, 1, USER_RW));
	STAGE_CHECK_EQ(s, put(top - 140 * PAGE_SIZE, 1), 0);
	STAGE_CHECK_EQ(s, put(top - 150 * PAGE_SIZE, 1), -EFAULT);
	mm_test_leave(mm);
	return 0;
}

static u64 one_page(struct mapping *m)
{
	return PAGE_SIZE + 1;
}
static const struct mapping_ops two_pages_ops = { .size = one_page };

/* Past the end of an object: SIGBUS; its last, partial page is there. */
int stage_fault_past_end(struct stage *s)
{
	struct mm *mm = mm_test_enter();
	struct vma *v;
	int code;

	STAGE_CHECK(s, mm && mm_test_map(mm, AT, 4, USER_RW | VM_SHARED));
	v = vma_find(mm, AT);
	v->mapping->ops = &two_pages_ops;
	STAGE_CHECK_EQ(s, mm_fault(AT, FAULT_WRITE, false, true, &code), 0);
	STAGE_CHECK_EQ(s, mm_fault(AT + PAGE_SIZE, FAULT_READ, false, true, &code), 0);
	STAGE_CHECK_EQ(s, mm_fault(AT + 2 * PAGE_SIZE, FAULT_READ, false, true, &code), 7);
	STAGE_CHECK_EQ(s, code, 2);
	mapping_truncate(v->mapping, 0, ~0ull);
	STAGE_CHECK(s, !page_at(mm, AT) && !page_at(mm, AT + PAGE_SIZE));
	STAGE_CHECK_EQ(s, mm->rss_file, 0);
	mm_test_leave(mm);
	return 0;
}

int stage_fault_around(struct stage *s)
{
	struct mm *mm = mm_test_enter();
	struct vma *v;
	struct page *p;
	u64 value;

	STAGE_CHECK(s, mm && mm_test_map(mm, AT, 64, USER_RW | VM_SHARED));
	v = vma_find(mm, AT);
	for (u64 i = 0; i < 64; i += 2) {
		STAGE_CHECK_EQ(s, mapping_get_page(v->mapping, i, &p), 0);
		page_put(p);
	}
	STAGE_CHECK_EQ(s, get(AT + 20 * PAGE_SIZE, &value), 0);
	for (u64 i = 0; i < 64; i++)
		STAGE_CHECK_EQ(s, !!page_at(mm, AT + i * PAGE_SIZE),
			       i >= 16 && i < 32 && i % 2 == 0);
	STAGE_CHECK_EQ(s, mm->rss_file, 8);
	mm_test_leave(mm);
	return 0;
}

int stage_mprotect(struct stage *s)
{
	struct mm *mm = mm_test_enter();
	u64 v;

	STAGE_CHECK(s, mm && mm_test_map(mm, AT, 4, USER_RW));
	for (unsigned i = 0; i < 4; i++)
		STAGE_CHECK_EQ(s, put(AT + i * PAGE_SIZE, i), 0);
	STAGE_CHECK_EQ(s, mm_protect(mm, AT + PAGE_SIZE, PAGE_SIZE, VM_READ), 0);
	STAGE_CHECK_EQ(s, mm_protect(mm, AT + 2 * PAGE_SIZE, PAGE_SIZE, 0), 0);
	STAGE_CHECK_EQ(s, put(AT, 10), 0);
	STAGE_CHECK_EQ(s, put(AT + PAGE_SIZE, 10), -EFAULT);
	STAGE_CHECK_EQ(s, get(AT + PAGE_SIZE, &v), 0);
	STAGE_CHECK_EQ(s, v, 1);
	STAGE_CHECK_EQ(s, get(AT + 2 * PAGE_SIZE, &v), -EFAULT);
	STAGE_CHECK_EQ(s, mm_protect(mm, AT, 4 * PAGE_SIZE, VM_READ | VM_WRITE), 0);
	STAGE_CHECK_EQ(s, mm->nr_vmas, 1);
	STAGE_CHECK_EQ(s, get(AT + 2 * PAGE_SIZE, &v), 0);
	STAGE_CHECK_EQ(s, v, 2); /* kept while it could not be seen */
	STAGE_CHECK_EQ(s, put(AT + PAGE_SIZE, 11), 0);
	STAGE_CHECK_EQ(s, mm_test_map(mm, AT + 4 * PAGE_SIZE, 1, VM_READ | VM_MAYREAD),
		       AT + 4 * PAGE_SIZE);
	STAGE_CHECK_EQ(s, mm_protect(mm, AT + 4 * PAGE_SIZE, PAGE_SIZE, VM_WRITE), -EACCES);
	mm_test_leave(mm);
	return 0;
}

int stage_mremap(struct stage *s)
{
	struct mm *mm = mm_test_enter();
	uptr_t to;
	u64 v;

	STAGE_CHECK(s, mm && mm_test_map(mm, AT, 4, USER_RW));
	STAGE_CHECK(s, mm_test_map(mm, AT + 8 * PAGE_SIZE, 1, USER_RW));
	for (unsigned i = 0; i < 4; i++)
		STAGE_CHECK_EQ(s, put(AT + i * PAGE_SIZE, 100 + i), 0);
	STAGE_CHECK_EQ(s, mm_remap(mm, AT, 4 * PAGE_SIZE, 6 * PAGE_SIZE, 0, 0, &to), 0);
	STAGE_CHECK_EQ(s, to, AT);
	STAGE_CHECK_EQ(s, mm_remap(mm, AT, 6 * PAGE_SIZE, 20 * PAGE_SIZE, 0, 0, &to), -ENOMEM);
	STAGE_CHECK_EQ(s, mm_remap(mm, AT, 6 * PAGE_SIZE, 20 * PAGE_SIZE, MREMAP_MAYMOVE, 0, &to),
		       0);
	STAGE_CHECK(s, to != AT);
	STAGE_CHECK_EQ(s, get(AT, &v), -EFAULT);
	for (unsigned i = 0; i < 4; i++) {
		STAGE_CHECK_EQ(s, get(to + i * PAGE_SIZE, &v), 0);
		STAGE_CHECK_EQ(s, v, 100 + i);
	}
	STAGE_CHECK_EQ(s, get(to + 19 * PAGE_SIZE, &v), 0);
	STAGE_CHECK_EQ(s, v, 0);
	STAGE_CHECK_EQ(
		s,
		mm_remap(mm, to, 20 * PAGE_SIZE, PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, AT, &to),
		0);
	STAGE_CHECK_EQ(s, to, AT);
	STAGE_CHECK_EQ(s, get(AT, &v), 0);
	STAGE_CHECK_EQ(s, v, 100);
	STAGE_CHECK_EQ(s, mm->total_vm, 2);
	STAGE_CHECK_EQ(s, mm->rss_anon, 1);
	mm_test_leave(mm);
	return 0;
}

int stage_madvise(struct stage *s)
{
	struct mm *mm = mm_test_enter();
	u64 v;

	STAGE_CHECK(s, mm && mm_test_map(mm, AT, 4, USER_RW));
	for (unsigned i = 0; i < 4; i++)
		STAGE_CHECK_EQ(s, put(AT + i * PAGE_SIZE, 7), 0);
	STAGE_CHECK_EQ(s, mm_advise(mm, AT + PAGE_SIZE, 2 * PAGE_SIZE, MADV_DONTNEED), 0);
	STAGE_CHECK_EQ(s, mm->rss_anon, 2);
	for (unsigned i = 0; i < 4; i++) {
		STAGE_CHECK_EQ(s, get(AT + i * PAGE_SIZE, &v), 0);
		STAGE_CHECK_EQ(s, v, i == 1 || i == 2 ? 0 : 7);
	}
	STAGE_CHECK_EQ(s, mm_advise(mm, AT, 8 * PAGE_SIZE, MADV_DONTNEED), -ENOMEM);
	STAGE_CHECK_EQ(s, mm->rss_anon, 0);
	STAGE_CHECK_EQ(s, mm_advise(mm, AT + 1, PAGE_SIZE, MADV_DONTNEED), -EINVAL);
	STAGE_CHECK_EQ(s, mm_advise(mm, AT, PAGE_SIZE, 99), -EINVAL);
	STAGE_CHECK_EQ(s, mm_advise(mm, AT, 4 * PAGE_SIZE, MADV_POPULATE_WRITE), 0);
	STAGE_CHECK_EQ(s, mm->rss_anon, 4);
	STAGE_CHECK_EQ(s, mm_advise(mm, AT + PAGE_SIZE, PAGE_SIZE, MADV_DONTFORK), 0);
	STAGE_CHECK_EQ(s, mm->nr_vmas, 3);
	STAGE_CHECK_EQ(s, mm_advise(mm, AT, 4 * PAGE_SIZE, MADV_DOFORK), 0);
	STAGE_CHECK_EQ(s, mm->nr_vmas, 1);
	mm_test_leave(mm);
	return 0;
}

int stage_brk(struct stage *s)
{
	struct mm *mm = mm_test_enter();
	u64 v;

	STAGE_CHECK(s, mm);
	mm->brk_start = mm->brk = AT + 100;
	STAGE_CHECK_EQ(s, mm_brk(mm, AT + 3 * PAGE_SIZE), 0);
	STAGE_CHECK_EQ(s, put(AT + PAGE_SIZE, 5), 0);
	STAGE_CHECK_EQ(s, put(AT + 3 * PAGE_SIZE, 5), -EFAULT);
	STAGE_CHECK_EQ(s, mm_brk(mm, AT + PAGE_SIZE), 0);
	STAGE_CHECK_EQ(s, get(AT + PAGE_SIZE, &v), -EFAULT);
	STAGE_CHECK_EQ(s, mm_brk(mm, AT + 2 * PAGE_SIZE), 0);
	STAGE_CHECK_EQ(s, get(AT + PAGE_SIZE, &v), 0);
	STAGE_CHECK_EQ(s, v, 0);
	STAGE_CHECK_EQ(s, mm_brk(mm, AT), -ENOMEM);
	STAGE_CHECK_EQ(s, mm->brk, AT + 2 * PAGE_SIZE);
	mm_test_leave(mm);
	return 0;
}

int stage_mm_access(struct stage *s)
{
	struct mm *other = mm_test_enter();
	char buf[64] = "written from another address space, over a page's end";
	char back[64] = "";

	STAGE_CHECK(s, other && mm_test_map(other, AT, 2, USER_RW));
	STAGE_CHECK(s, mm_test_map(other, AT + 2 * PAGE_SIZE, 1, USER_RW & ~(u32)VM_WRITE));
	mm_switch_current(NULL);
	STAGE_CHECK_EQ(s, mm_access(other, AT + PAGE_SIZE - 20, buf, 60, true), 60);
	STAGE_CHECK_EQ(s, mm_access(other, AT + PAGE_SIZE - 20, back, 60, false), 60);
	STAGE_CHECK(s, !memcmp(buf, back, 60));
	STAGE_CHECK_EQ(s, mm_access_checked(other, AT + 2 * PAGE_SIZE, buf, 8, true), 0);
	STAGE_CHECK_EQ(s, mm_access(other, AT + 2 * PAGE_SIZE, buf, 8, true), 8);
	STAGE_CHECK_EQ(s, mm_access(other, AT + 3 * PAGE_SIZE - 8, back, 60, false), 8);
	STAGE_CHECK_EQ(s, *(u64 *)page_to_virt(zero_page), 0);
	mm_user_put(other);
	return 0;
}

/* Everything a busy address space took comes back with its end. */
int stage_mm_conservation(struct stage *s)
{
	u64 before = 0, seed = 4711;

	for (unsigned round = 0; round < 4; round++) {
		struct mm *mm = mm_test_enter(), *child;

		STAGE_CHECK(s, mm);
		for (unsigned i = 0; i < 60; i++) {
			uptr_t at = AT + (test_random(&seed) % 4096) * (PAGE_SIZE * 33);

			STAGE_CHECK(s, mm_test_map(mm, at, 5, USER_RW));
			STAGE_CHECK_EQ(s, put(at + PAGE_SIZE, at), 0);
			STAGE_CHECK_EQ(s, put(at + 4 * PAGE_SIZE, at), 0);
		}
		STAGE_CHECK_EQ(s, mm_fork(mm, &child), 0);
		mm_user_put(child);
		mm_test_leave(mm);
		(void)page_reclaim(~0u);
		if (round == 0)
			before = page_free_count();
	}
	STAGE_CHECK(s, page_free_count() + 4 >= before);
	return mm_test_check(s);
}

static int level_of(struct mm *mm, uptr_t addr)
{
	int level;

	return pgtable_lookup(mm->root, addr, &level) ? level : -1;
}

/* Huge pages: used when asked for, split by partial changes, separated by fork, all given back. */
int stage_huge_pages(struct stage *s)
{
	const uptr_t at = 0x40000000ul;
	u64 before = page_free_count(), v;
	struct mm *mm = mm_test_enter(), *child;

	STAGE_CHECK(s, mm && mm_test_map(mm, at, 4 * 512, USER_RW | VM_HUGE));
	for (unsigned i = 0; i < 4; i++)
		STAGE_CHECK_EQ(s, put(at + i * HUGE_SIZE + 8, i + 1), 0);
	STAGE_CHECK_EQ(s, mm->rss_anon, 4 * 512);
	for (unsigned i = 0; i < 4; i++)
		STAGE_CHECK_EQ(s, level_of(mm, at + i * HUGE_SIZE), 1);
	STAGE_CHECK_EQ(s, get(at + HUGE_SIZE - 8, &v), 0);
	STAGE_CHECK_EQ(s, v, 0);
	STAGE_CHECK_EQ(s, mm_unmap(mm, at + PAGE_SIZE, PAGE_SIZE), 0);
	STAGE_CHECK_EQ(s, level_of(mm, at), 0);
	STAGE_CHECK_EQ(s, level_of(mm, at + PAGE_SIZE), -1);
	STAGE_CHECK_EQ(s, mm->rss_anon, 4 * 512 - 1);
	STAGE_CHECK_EQ(s, mm_protect(mm, at + HUGE_SIZE, PAGE_SIZE, VM_READ), 0);
	STAGE_CHECK_EQ(s, put(at + HUGE_SIZE, 1), -EFAULT);
	STAGE_CHECK_EQ(s, put(at + HUGE_SIZE + PAGE_SIZE, 1), 0);
	STAGE_CHECK_EQ(s, mm_fork(mm, &child), 0);
	STAGE_CHECK_EQ(s, put(at + 2 * HUGE_SIZE + 8, 33), 0);
	mm_switch_current(child);
	for (unsigned i = 0; i < 4; i++) {
		STAGE_CHECK_EQ(s, get(at + i * HUGE_SIZE + 8, &v), 0);
		STAGE_CHECK_EQ(s, v, i + 1);
	}
	STAGE_CHECK_EQ(s, put(at + 3 * HUGE_SIZE + 8, 44), 0);
	mm_switch_current(mm);
	mm_user_put(child);
	STAGE_CHECK_EQ(s, get(at + 3 * HUGE_SIZE + 8, &v), 0);
	STAGE_CHECK_EQ(s, v, 4);
	STAGE_CHECK_EQ(s, mm_unmap(mm, at, 3 * HUGE_SIZE), 0);
	STAGE_CHECK_EQ(s, mm->rss_anon, 512);
	mm_test_leave(mm);
	STAGE_CHECK(s, page_free_count() + 24 >= before);
	return mm_test_check(s);
}

/* A region that is filled in order gets huge pages after its first span; a sparse one does not. */
int stage_huge_adaptive(struct stage *s)
{
	const uptr_t at = 0x40000000ul;
	struct mm *mm = mm_test_enter();

	STAGE_CHECK(s, mm && mm_test_map(mm, at, 6 * 512, USER_RW));
	for (uptr_t a = at; a < at + 3 * HUGE_SIZE; a += PAGE_SIZE)
		STAGE_CHECK_EQ(s, put(a, a), 0);
	STAGE_CHECK_EQ(s, level_of(mm, at), 0);
	STAGE_CHECK_EQ(s, level_of(mm, at + HUGE_SIZE), 1);
	STAGE_CHECK_EQ(s, level_of(mm, at + 2 * HUGE_SIZE), 1);
	STAGE_CHECK_EQ(s, put(at + 5 * HUGE_SIZE, 1), 0);
	STAGE_CHECK_EQ(s, level_of(mm, at + 5 * HUGE_SIZE), 0);
	mm_test_leave(mm);
	return mm_test_check(s);
}
