/* Boot stages: the page cache. */
#include "mm_test.h"

static unsigned reads, writes;

static int test_read(struct mapping *m, struct page *p)
{
	u64 *w = page_to_virt(p);

	reads++;
	if (p->index == 666)
		return -EIO;
	for (unsigned i = 0; i < PAGE_SIZE / 8; i++)
		w[i] = p->index;
	return 0;
}

static int test_write(struct mapping *m, struct page *p)
{
	writes++;
	return 0;
}

static const struct mapping_ops disk_ops = { .read_page = test_read, .write_page = test_write };
static const struct mapping_ops memory_ops = { .read_page = NULL };

int stage_cache_lookup(struct stage *s)
{
	static const u64 where[] = { 0, 1, 63, 64, 4095, 4096, 1ull << 30, (1ull << 40) + 5 };
	struct mapping m;
	struct page *p, *q;

	mapping_init(&m, &memory_ops, NULL);
	STAGE_CHECK(s, !mapping_find_page(&m, 0));
	for (unsigned i = 0; i < ARRAY_SIZE(where); i++) {
		STAGE_CHECK_EQ(s, mapping_get_page(&m, where[i], &p), 0);
		STAGE_CHECK_EQ(s, p->index, where[i]);
		STAGE_CHECK_EQ(s, *(u64 *)page_to_virt(p), 0);
		*(u64 *)page_to_virt(p) = where[i] + 1;
		page_put(p);
	}
	STAGE_CHECK_EQ(s, m.nr_pages, ARRAY_SIZE(where));
	for (unsigned i = 0; i < ARRAY_SIZE(where); i++) {
		p = mapping_find_page(&m, where[i]);
		STAGE_CHECK(s, p);
		STAGE_CHECK_EQ(s, *(u64 *)page_to_virt(p), where[i] + 1);
		STAGE_CHECK_EQ(s, p->refs, 2);
		page_put(p);
		STAGE_CHECK(s, !mapping_find_page(&m, where[i] + 2));
	}
	q = page_alloc(0, ALLOC_KERNEL);
	STAGE_CHECK(s, q);
	STAGE_CHECK_EQ(s, mapping_add_page(&m, 64, q), -EEXIST);
	STAGE_CHECK_EQ(s, mapping_add_page(&m, 77, q), 0);
	page_put(q);
	q = mapping_find_page(&m, 77);
	STAGE_CHECK(s, q);
	page_put(q);
	mapping_fini(&m);
	return 0;
}

int stage_cache_truncate(struct stage *s)
{
	u64 before = page_free_count();
	struct mapping m;
	struct page *p;

	mapping_init(&m, &memory_ops, NULL);
	for (u64 i = 0; i < 300; i++) {
		STAGE_CHECK_EQ(s, mapping_get_page(&m, i, &p), 0);
		page_put(p);
	}
	mapping_truncate(&m, 100, 149);
	STAGE_CHECK_EQ(s, m.nr_pages, 250);
	for (u64 i = 0; i < 300; i++) {
		p = mapping_find_page(&m, i);
		STAGE_CHECK_EQ(s, !p, i >= 100 && i < 150);
		if (p)
			page_put(p);
	}
	mapping_truncate(&m, 10, ~0ull);
	STAGE_CHECK_EQ(s, m.nr_pages, 10);
	mapping_fini(&m);
	STAGE_CHECK_EQ(s, m.nr_pages, 0);
	STAGE_CHECK(s, page_free_count() + 32 >= before);
	return mm_test_check(s);
}

int stage_cache_reads(struct stage *s)
{
	struct mapping m;
	struct page *p;

	mapping_init(&m, &disk_ops, NULL);
	reads = 0;
	for (unsigned round = 0; round < 2; round++) {
		for (u64 i = 5; i < 15; i++) {
			STAGE_CHECK_EQ(s, mapping_get_page(&m, i, &p), 0);
			STAGE_CHECK_EQ(s, *(u64 *)page_to_virt(p), i);
			STAGE_CHECK(s, p->flags & PG_UPTODATE && !(p->flags & PG_LOCKED));
			page_put(p);
		}
	}
	STAGE_CHECK_EQ(s, reads, 10);
	STAGE_CHECK_EQ(s, mapping_get_page(&m, 666, &p), -EIO);
	STAGE_CHECK_EQ(s, mapping_get_page(&m, 666, &p), -EIO);
	STAGE_CHECK_EQ(s, reads, 12);
	mapping_fini(&m);
	return 0;
}

int stage_cache_dirty(struct stage *s)
{
	struct mapping m;
	struct page *p;

	mapping_init(&m, &disk_ops, NULL);
	writes = 0;
	for (u64 i = 0; i < 100; i++) {
		STAGE_CHECK_EQ(s, mapping_get_page(&m, i, &p), 0);
		if (i % 3 == 0)
			mapping_mark_dirty(&m, p);
		page_put(p);
	}
	STAGE_CHECK_EQ(s, mapping_sync(&m, 0, 49), 0);
	STAGE_CHECK_EQ(s, writes, 17);
	STAGE_CHECK_EQ(s, mapping_sync(&m, 0, ~0ull), 0);
	STAGE_CHECK_EQ(s, writes, 34);
	STAGE_CHECK_EQ(s, mapping_sync(&m, 0, ~0ull), 0);
	STAGE_CHECK_EQ(s, writes, 34);
	mapping_fini(&m);
	return 0;
}

int stage_cache_reclaim(struct stage *s)
{
	struct mapping disk, memory;
	struct page *p, *held;

	mapping_init(&disk, &disk_ops, NULL);
	mapping_init(&memory, &memory_ops, NULL);
	for (u64 i = 0; i < 200; i++) {
		STAGE_CHECK_EQ(s, mapping_get_page(&memory, i, &p), 0);
		page_put(p);
		STAGE_CHECK_EQ(s, mapping_get_page(&disk, i, &p), 0);
		if (i < 20)
			mapping_mark_dirty(&disk, p);
		page_put(p);
	}
	held = mapping_find_page(&disk, 150);
	STAGE_CHECK(s, held);
	(void)page_reclaim(~0u);
	STAGE_CHECK_EQ(s, memory.nr_pages, 200);
	STAGE_CHECK_EQ(s, disk.nr_pages, 21);
	STAGE_CHECK_EQ(s, *(u64 *)page_to_virt(held), 150);
	page_put(held);
	STAGE_CHECK_EQ(s, mapping_get_page(&disk, 100, &p), 0);
	STAGE_CHECK_EQ(s, *(u64 *)page_to_virt(p), 100);
	page_put(p);
	mapping_fini(&disk);
	mapping_fini(&memory);
	return mm_test_check(s);
}
