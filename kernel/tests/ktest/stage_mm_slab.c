/* Boot stages: kernel objects, allocation by size, kernel virtual memory. */
#include <mm/pgtable.h>
#include <mm/vmalloc.h>
#include "mm_test.h"

static int check_slabs(struct stage *s)
{
	char why[120];

	if (slab_check_all(why, sizeof(why)))
		return stage_fail(s, "%s", why);
	return 0;
}

int stage_kmalloc_sizes(struct stage *s)
{
	for (size_t size = 1; size <= 9000; size += size < 300 ? 1 : 97) {
		u8 *a = kmalloc(size, ALLOC_KERNEL), *b = kmalloc(size, ALLOC_KERNEL);

		STAGE_CHECK(s, a && b);
		STAGE_CHECK(s, IS_ALIGNED((uintptr_t)a, 16) && IS_ALIGNED((uintptr_t)b, 16));
		STAGE_CHECK(s, ksize(a) >= size);
		STAGE_CHECK(s, a + size <= b || b + size <= a);
		memset(a, 0x11, size);
		memset(b, 0x22, size);
		for (size_t i = 0; i < size; i++)
			if (a[i] != 0x11 || b[i] != 0x22)
				return stage_fail(s, "objects of %lu bytes overlap",
						  (unsigned long)size);
		kfree(a);
		kfree(b);
	}
	return check_slabs(s);
}

int stage_slab_reuse(struct stage *s)
{
	struct kcache *c = kcache_create("test-reuse", 72, 0);
	void *a, *b;

	a = kcache_alloc(c, ALLOC_KERNEL);
	STAGE_CHECK(s, a);
	preempt_disable();
	kcache_free(c, a);
	b = kcache_alloc(c, ALLOC_ATOMIC);
	preempt_enable();
	STAGE_CHECK(s, a == b);
	kcache_free(c, b);
	return check_slabs(s);
}

int stage_slab_alignment(struct stage *s)
{
	static const char *const names[] = { "test-align-32", "test-align-64", "test-align-256" };
	static const size_t aligns[] = { 32, 64, 256 };

	for (unsigned i = 0; i < ARRAY_SIZE(aligns); i++) {
		struct kcache *c = kcache_create(names[i], 40 + aligns[i], aligns[i]);
		void *obj[40];

		for (unsigned k = 0; k < 40; k++) {
			obj[k] = kcache_alloc(c, ALLOC_KERNEL);
			STAGE_CHECK(s, obj[k] && IS_ALIGNED((uintptr_t)obj[k], aligns[i]));
		}
		for (unsigned k = 0; k < 40; k++)
			kcache_free(c, obj[k]);
	}
	return check_slabs(s);
}

int stage_slab_zero(struct stage *s)
{
	for (unsigned i = 0; i < 50; i++) {
		u8 *p = kzalloc(500);

		STAGE_CHECK(s, p);
		for (unsigned k = 0; k < 500; k++)
			if (p[k])
				return stage_fail(s, "byte %u of a zeroed object is %#x", k, p[k]);
		memset(p, 0xff, 500);
		kfree(p);
	}
	return 0;
}

int stage_slab_many(struct stage *s)
{
	struct kcache *c = kcache_create("test-many", 200, 0);
	u64 before = page_free_count();
	void **obj = vmalloc(5000 * sizeof(*obj));

	STAGE_CHECK(s, obj);
	for (unsigned i = 0; i < 5000; i++) {
		obj[i] = kcache_alloc(c, ALLOC_KERNEL);
		STAGE_CHECK(s, obj[i]);
		*(u64 *)obj[i] = i;
	}
	STAGE_CHECK(s, page_free_count() + 5000 * 200 / PAGE_SIZE < before);
	for (unsigned i = 0; i < 5000; i++)
		STAGE_CHECK_EQ(s, *(u64 *)obj[i], i);
	for (unsigned i = 0; i < 5000; i++)
		kcache_free(c, obj[i * 7 % 5000]);
	vfree(obj);
	STAGE_CHECK(s, page_free_count() + 64 >= before);
	return check_slabs(s);
}

/* Debug builds: a freed object is filled with poison behind its link. */
int stage_slab_poison(struct stage *s)
{
#ifdef CONFIG_DEBUG
	struct kcache *c = kcache_create("test-poison", 64, 0);
	u8 *p = kcache_alloc(c, ALLOC_KERNEL);

	STAGE_CHECK(s, p);
	memset(p, 0x33, 64);
	kcache_free(c, p);
	for (unsigned i = 8; i < 64; i++)
		STAGE_CHECK_EQ(s, p[i], 0x6b);
	return check_slabs(s);
#else
	return stage_skip(s, "poison is in debug builds");
#endif
}

int stage_slab_stress(struct stage *s)
{
	static void *held[512];
	static u32 sizes[512];
	u64 seed = 88172645463325252ull;

	for (unsigned i = 0; i < 40000; i++) {
		u64 r = test_random(&seed);
		unsigned slot = r & 511;

		if (held[slot]) {
			STAGE_CHECK_EQ(s, *(u8 *)held[slot], slot & 255);
			STAGE_CHECK_EQ(s, ((u8 *)held[slot])[sizes[slot] - 1], slot & 255);
			kfree(held[slot]);
			held[slot] = NULL;
			continue;
		}
		sizes[slot] = 1 + (u32)(r >> 16) % (r & 0x200 ? 3000 : 200);
		held[slot] = kmalloc(sizes[slot], ALLOC_KERNEL);
		STAGE_CHECK(s, held[slot]);
		*(u8 *)held[slot] = (u8)slot;
		((u8 *)held[slot])[sizes[slot] - 1] = (u8)slot;
		if (i % 8192 == 0 && check_slabs(s))
			return -EINVAL;
	}
	for (unsigned i = 0; i < 512; i++) {
		kfree(held[i]);
		held[i] = NULL;
	}
	return check_slabs(s);
}

int stage_kmalloc_large(struct stage *s)
{
	u64 before = page_free_count();

	for (size_t size = 8193; size <= 4ul << 20; size = size * 5 / 3) {
		u8 *p = kmalloc(size, ALLOC_KERNEL);

		STAGE_CHECK(s, p && IS_ALIGNED((uintptr_t)p, PAGE_SIZE));
		p[0] = 1;
		p[size - 1] = 2;
		STAGE_CHECK(s, ksize(p) >= size);
		kfree(p);
		STAGE_CHECK_EQ(s, page_free_count(), before);
	}
	return mm_test_check(s);
}

int stage_krealloc(struct stage *s)
{
	u8 *p = NULL;

	for (size_t size = 8; size <= 70000; size = size * 3 / 2) {
		p = krealloc(p, size);
		STAGE_CHECK(s, p);
		if (size > 8)
			STAGE_CHECK(s, p[0] == 0x5c && p[size * 2 / 3 - 1] == 0x5c);
		memset(p, 0x5c, size);
	}
	p = krealloc(p, 16);
	STAGE_CHECK(s, p && p[15] == 0x5c);
	kfree(p);
	return 0;
}

/* The blocks are chained in their struct pages: touching all of memory takes the host long. */
int stage_kmalloc_oom(struct stage *s)
{
	DEFINE_LIST(held);
	u64 before;
	void *p;

	(void)page_reclaim(~0u);
	before = page_free_count();
	STAGE_CHECK(s, !kmalloc(1ul << 40, ALLOC_KERNEL));
	STAGE_CHECK(s, !vmalloc(1ul << 40));
	while ((p = kmalloc(1ul << 20, ALLOC_KERNEL)) != NULL)
		list_add(&virt_to_page(p)->link, &held);
	STAGE_CHECK(s, page_free_count() < before);
	p = kmalloc(64, ALLOC_KERNEL);
	STAGE_CHECK(s, p);
	kfree(p);
	while (!list_empty(&held)) {
		struct page *page = list_first_entry(&held, struct page, link);

		list_del(&page->link);
		kfree(page_to_virt(page));
	}
	STAGE_CHECK(s, page_free_count() + 64 >= before);
	return mm_test_check(s);
}

static bool mapped(const void *p)
{
	int level;

	return pgtable_lookup(kernel_root, (vaddr_t)p, &level);
}

int stage_vmalloc_guard(struct stage *s)
{
	u64 before;
	char *p, *q;

	vfree(vmalloc(PAGE_SIZE)); /* page tables stay */
	before = page_free_count();
	p = vmalloc(3 * PAGE_SIZE - 5);
	q = vmalloc(PAGE_SIZE);
	STAGE_CHECK(s, p && q);
	STAGE_CHECK(s, mapped(p) && mapped(p + 2 * PAGE_SIZE));
	STAGE_CHECK(s, !mapped(p + 3 * PAGE_SIZE) && !mapped(q + PAGE_SIZE));
	for (unsigned i = 0; i < 3 * PAGE_SIZE; i++)
		STAGE_CHECK_EQ(s, p[i], 0);
	memset(p, 0x77, 3 * PAGE_SIZE);
	vfree(p);
	vfree(q);
	STAGE_CHECK(s, !mapped(p) && !mapped(q));
	STAGE_CHECK(s, page_free_count() + 4 >= before);
	return 0;
}

int stage_vmalloc_many(struct stage *s)
{
	static char *held[64];
	static u32 pages[64];
	u64 seed = 12345;

	for (unsigned i = 0; i < 2000; i++) {
		u64 r = test_random(&seed);
		unsigned slot = r & 63;

		if (held[slot]) {
			STAGE_CHECK_EQ(s, held[slot][0], (char)slot);
			STAGE_CHECK_EQ(s, held[slot][pages[slot] * PAGE_SIZE - 1], (char)slot);
			vfree(held[slot]);
			held[slot] = NULL;
			continue;
		}
		pages[slot] = 1 + (r >> 8) % 9;
		held[slot] = vmalloc(pages[slot] * PAGE_SIZE);
		STAGE_CHECK(s, held[slot]);
		STAGE_CHECK(s, !mapped(held[slot] + pages[slot] * PAGE_SIZE));
		held[slot][0] = (char)slot;
		held[slot][pages[slot] * PAGE_SIZE - 1] = (char)slot;
	}
	for (unsigned i = 0; i < 64; i++) {
		vfree(held[i]);
		held[i] = NULL;
	}
	return mm_test_check(s);
}

int stage_kstack_guard(struct stage *s)
{
	char *stack[40];

	for (unsigned i = 0; i < 40; i++) {
		stack[i] = kstack_alloc();
		STAGE_CHECK(s, stack[i]);
		STAGE_CHECK(s, mapped(stack[i]) && mapped(stack[i] + KSTACK_SIZE - 8));
		STAGE_CHECK(s, !mapped(stack[i] - 8) && !mapped(stack[i] + KSTACK_SIZE));
		STAGE_CHECK(s, kstack_guard_hit((uintptr_t)stack[i] - 8));
		STAGE_CHECK(s, !kstack_guard_hit((uintptr_t)stack[i] + 8));
		memset(stack[i], 0x44, KSTACK_SIZE);
	}
	for (unsigned i = 0; i < 40; i++)
		kstack_free(stack[i]);
	(void)kstack_shrink();
	STAGE_CHECK(s, !kstack_guard_hit(0) && !kstack_guard_hit((uintptr_t)s));
	return 0;
}

int stage_kstack_reuse(struct stage *s)
{
	void *a, *b;

	a = kstack_alloc();
	STAGE_CHECK(s, a);
	preempt_disable();
	kstack_free(a);
	b = kstack_alloc();
	preempt_enable();
	STAGE_CHECK(s, a == b);
	kstack_free(b);
	return 0;
}
