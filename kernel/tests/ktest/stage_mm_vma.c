/* Boot stages: the tree of an address space, against a plain model; page-table walks. */
#include "mm_test.h"

#define REGION 0x100000000ul
#define NPAGES 512

static int check_tree(struct stage *s, struct mm *mm)
{
	char why[120];

	if (vma_check(mm, why, sizeof(why)))
		return stage_fail(s, "%s", why);
	return 0;
}

/* Every page is as the model says: 0 unmapped, else its flags. */
static int check_model(struct stage *s, struct mm *mm, const u32 *model)
{
	u64 pages = 0;

	for (unsigned i = 0; i < NPAGES; i++) {
		uptr_t addr = REGION + i * PAGE_SIZE;
		struct vma *v = vma_find(mm, addr);
		u32 flags = v && v->start <= addr ? v->flags & VM_ACCESS : 0;

		if (flags != model[i])
			return stage_fail(s, "page %u has flags %#x, the model %#x", i, flags,
					  model[i]);
		pages += !!flags;
	}
	if (pages != mm->total_vm)
		return stage_fail(s, "%llu pages mapped, %llu accounted", pages, mm->total_vm);
	for (struct vma *v = vma_find(mm, 0); v; v = vma_next(v)) {
		struct vma *next = vma_next(v);

		if (next && next->start == v->end && next->flags == v->flags)
			return stage_fail(s, "two alike neighbours at %#lx are not merged", v->end);
	}
	return check_tree(s, mm);
}

int stage_vma_model(struct stage *s)
{
	static const u32 kinds[] = { VM_READ, VM_READ | VM_WRITE, VM_READ | VM_EXEC };
	static u32 model[NPAGES];
	u64 seed = 0xdeadbeefcafe1234ull;
	struct mm *mm;

	memset(model, 0, sizeof(model));
	STAGE_CHECK_EQ(s, mm_create(&mm), 0);
	for (unsigned step = 0; step < 3000; step++) {
		u64 r = test_random(&seed);
		unsigned first = r % NPAGES, n = 1 + (r >> 16) % 40, op = (r >> 32) % 8;
		uptr_t addr = REGION + first * PAGE_SIZE;
		u32 flags = kinds[(r >> 40) % 3];
		bool whole = true;

		n = min(n, NPAGES - first);
		for (unsigned i = first; i < first + n; i++)
			whole &= !!model[i];
		if (op < 4) {
			STAGE_CHECK(s,
				    mm_test_map(mm, addr, n, flags | (USER_RW & ~(u32)VM_ACCESS)));
		} else if (op < 6) {
			STAGE_CHECK_EQ(s, mm_unmap(mm, addr, n * PAGE_SIZE), 0);
			flags = 0;
		} else if (whole) {
			STAGE_CHECK_EQ(s, mm_protect(mm, addr, n * PAGE_SIZE, flags), 0);
		} else {
			continue;
		}
		for (unsigned i = first; i < first + n; i++)
			model[i] = flags;
		if (step % 16 == 0 && check_model(s, mm, model))
			return -EINVAL;
	}
	if (check_model(s, mm, model))
		return -EINVAL;
	mm_user_put(mm);
	return 0;
}

int stage_vma_merge(struct stage *s)
{
	struct mm *mm;

	STAGE_CHECK_EQ(s, mm_create(&mm), 0);
	STAGE_CHECK(s, mm_test_map(mm, REGION, 1, USER_RW));
	STAGE_CHECK(s, mm_test_map(mm, REGION + 2 * PAGE_SIZE, 1, USER_RW));
	STAGE_CHECK_EQ(s, mm->nr_vmas, 2);
	STAGE_CHECK(s, mm_test_map(mm, REGION + PAGE_SIZE, 1, USER_RW));
	STAGE_CHECK_EQ(s, mm->nr_vmas, 1);
	STAGE_CHECK_EQ(s, mm_protect(mm, REGION + PAGE_SIZE, PAGE_SIZE, VM_READ), 0);
	STAGE_CHECK_EQ(s, mm->nr_vmas, 3);
	STAGE_CHECK_EQ(s, mm_protect(mm, REGION + PAGE_SIZE, PAGE_SIZE, VM_READ | VM_WRITE), 0);
	STAGE_CHECK_EQ(s, mm->nr_vmas, 1);
	STAGE_CHECK_EQ(s, mm_unmap(mm, REGION + PAGE_SIZE, PAGE_SIZE), 0);
	STAGE_CHECK_EQ(s, mm->nr_vmas, 2);
	STAGE_CHECK_EQ(s, mm_protect(mm, REGION, 3 * PAGE_SIZE, VM_READ), -ENOMEM);
	STAGE_CHECK_EQ(s, mm_unmap(mm, 0, 0), -EINVAL);
	STAGE_CHECK_EQ(s, mm_unmap(mm, REGION + 1, PAGE_SIZE), -EINVAL);
	mm_user_put(mm);
	return 0;
}

/* The highest place of len pages below the limit, by looking at every page. */
static uptr_t naive_gap(const u8 *used, unsigned n, unsigned len)
{
	for (unsigned at = n - len + 1; at-- > 0;) {
		unsigned i = 0;

		while (i < len && !used[at + i])
			i++;
		if (i == len)
			return REGION + at * PAGE_SIZE;
	}
	return 0;
}

int stage_vma_gaps(struct stage *s)
{
	static u8 used[NPAGES];
	u64 seed = 0x123456789abcdefull;
	struct mm *mm;

	memset(used, 0, sizeof(used));
	STAGE_CHECK_EQ(s, mm_create(&mm), 0);
	for (unsigned i = 0; i < 120; i++) {
		u64 r = test_random(&seed);
		unsigned at = r % (NPAGES - 4), n = 1 + (r >> 20) % 3;

		/* Kinds alternate, so that not everything merges. */
		STAGE_CHECK(s, mm_test_map(mm, REGION + at * PAGE_SIZE, n,
					   USER_RW & ~(u32)(i & 1 ? VM_WRITE : 0)));
		memset(used + at, 1, n);
		for (unsigned len = 1; len < 40; len += 1 + len / 4) {
			uptr_t found = vma_gap_topdown(mm, len * PAGE_SIZE, REGION,
						       REGION + NPAGES * PAGE_SIZE);

			if (found != naive_gap(used, NPAGES, len))
				return stage_fail(s, "%u pages: %#lx, the model says %#lx", len,
						  found, naive_gap(used, NPAGES, len));
		}
	}
	if (check_tree(s, mm))
		return -EINVAL;
	mm_user_put(mm);
	return 0;
}

int stage_vma_placement(struct stage *s)
{
	struct mmap_args a = { .len = PAGE_SIZE, .vm_flags = USER_RW };
	struct mm *mm;
	uptr_t first, second, out;

	STAGE_CHECK_EQ(s, mm_create(&mm), 0);
	STAGE_CHECK_EQ(s, mm_map(mm, &a, &first), 0);
	STAGE_CHECK_EQ(s, first, mm->mmap_base - PAGE_SIZE);
	STAGE_CHECK_EQ(s, mm_map(mm, &a, &second), 0);
	STAGE_CHECK_EQ(s, second, first - PAGE_SIZE);
	a.addr = REGION + 5;
	STAGE_CHECK_EQ(s, mm_map(mm, &a, &out), 0);
	STAGE_CHECK_EQ(s, out, REGION);
	STAGE_CHECK_EQ(s, mm_map(mm, &a, &out), 0);
	STAGE_CHECK_EQ(s, out, second - PAGE_SIZE); /* the hint is taken */
	a.addr = REGION;
	a.fixed = true;
	a.noreplace = true;
	STAGE_CHECK_EQ(s, mm_map(mm, &a, &out), -EEXIST);
	a.addr = REGION + 1;
	STAGE_CHECK_EQ(s, mm_map(mm, &a, &out), -EINVAL);
	a.addr = USER_TOP;
	STAGE_CHECK_EQ(s, mm_map(mm, &a, &out), -ENOMEM);
	a = (struct mmap_args){ .len = USER_TOP, .vm_flags = USER_RW };
	STAGE_CHECK_EQ(s, mm_map(mm, &a, &out), -ENOMEM);
	a.len = (mem_total_pages + 1) << PAGE_SHIFT;
	STAGE_CHECK_EQ(s, mm_map(mm, &a, &out), -ENOMEM);
	a.vm_flags |= VM_NORESERVE;
	STAGE_CHECK_EQ(s, mm_map(mm, &a, &out), 0);
	a.len = 0;
	STAGE_CHECK_EQ(s, mm_map(mm, &a, &out), -EINVAL);
	mm_user_put(mm);
	return 0;
}

int stage_page_table_walk(struct stage *s)
{
	static const vaddr_t where[] = { 0x1000, 0x200000, 0x40000000, 0x7ffffffff000 - 0x1000 };
	struct mm *mm;
	pte_t *pte, *found;
	int level;

	STAGE_CHECK_EQ(s, mm_create(&mm), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(where); i++) {
		STAGE_CHECK(s, !pgtable_lookup(mm->root, where[i], &level));
		STAGE_CHECK_EQ(s, pgtable_walk_alloc(mm->root, where[i], 0, &pte), 0);
		STAGE_CHECK(s, pte_none(pte_read(pte)));
		pte_write(pte, pte_make(page_to_phys(zero_page), PT_READ | PT_USER));
		found = pgtable_lookup(mm->root, where[i], &level);
		STAGE_CHECK(s, found == pte);
		STAGE_CHECK_EQ(s, level, 0);
		STAGE_CHECK_EQ(s, pte_paddr(pte_read(found)), page_to_phys(zero_page));
		STAGE_CHECK_EQ(s,
			       pte_prot(pte_read(found)) & (PT_READ | PT_WRITE | PT_EXEC | PT_USER),
			       PT_READ | PT_USER);
		STAGE_CHECK(s, !pgtable_lookup(mm->root, where[i] + PAGE_SIZE, &level));
		pte_write(pte, (pte_t){ 0 });
		unmap_tables(mm, where[i], where[i] + PAGE_SIZE, 0, 1ul << 47, true);
	}
	mm_user_put(mm);
	return 0;
}
