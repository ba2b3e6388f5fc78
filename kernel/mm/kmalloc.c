/*
 * Allocation by size: caches of some twenty sizes up to 8 KiB, whole blocks of pages above. What a pointer
 * is can be told from the struct page of its address. Blocks are aligned to 16 bytes; whole pages to pages.
 */
#include "slab_internal.h"

#define SMALL_MAX 1024
#define KMALLOC_MAX_CACHED 8192

static const u16 sizes[] = { 16,  32,  48,  64,  80,   96,   128,  160,  192,  256, 320,
			     384, 512, 640, 768, 1024, 1536, 2048, 3072, 4096, 8192 };
static const char *const names[] = { "kmalloc-16",   "kmalloc-32",   "kmalloc-48",   "kmalloc-64",
				     "kmalloc-80",   "kmalloc-96",   "kmalloc-128",  "kmalloc-160",
				     "kmalloc-192",  "kmalloc-256",  "kmalloc-320",  "kmalloc-384",
				     "kmalloc-512",  "kmalloc-640",  "kmalloc-768",  "kmalloc-1024",
				     "kmalloc-1536", "kmalloc-2048", "kmalloc-3072", "kmalloc-4096",
				     "kmalloc-8192" };
static struct kcache *caches[ARRAY_SIZE(sizes)]; /* [I] */
static struct kcache *small[SMALL_MAX / 16 + 1]; /* [I] by size in units of 16, rounded up */

static __noinline struct kcache *cache_of_large(size_t size)
{
	for (unsigned i = ARRAY_SIZE(sizes) - 5; i < ARRAY_SIZE(sizes); i++)
		if (size <= sizes[i])
			return caches[i];
	return NULL;
}

static void *alloc_pages(size_t size, unsigned flags)
{
	unsigned order = ilog2_up(div_round_up(size, PAGE_SIZE));
	struct page *p;

	if (size > PAGE_SIZE << (MAX_ORDER - 1))
		return NULL;
	p = page_alloc(order, flags);
	return p ? page_to_virt(p) : NULL;
}

void *kmalloc(size_t size, unsigned flags)
{
	uintptr_t place = (uintptr_t)__builtin_return_address(0);

	if (likely(size <= SMALL_MAX))
		return slab_alloc(small[(size + 15) / 16], flags, place);
	if (size <= KMALLOC_MAX_CACHED)
		return slab_alloc(cache_of_large(size), flags, place);
	return alloc_pages(size, flags);
}

void *kzalloc(size_t size)
{
	return kmalloc(size, ALLOC_KERNEL | ALLOC_ZERO);
}

void kfree(void *p)
{
	struct page *page;

	if (!p)
		return;
	page = virt_to_page(p);
	if (likely(page->flags & PG_SLAB)) {
		slab_free(page->cache, p, (uintptr_t)__builtin_return_address(0));
		return;
	}
	if (unlikely(!(page->flags & PG_HEAD) || (uintptr_t)p & ~PAGE_MASK))
		panic("kfree of %p, which kmalloc did not return", p);
	page_free(page, page->order);
}

size_t ksize(const void *p)
{
	struct page *page = virt_to_page(p);

	return page->flags & PG_SLAB ? page->cache->object_size : PAGE_SIZE << page->order;
}

void *krealloc(void *p, size_t size)
{
	size_t old = p ? ksize(p) : 0;
	void *n;

	if (p && size && size <= old && size > old / 2)
		return p;
	n = kmalloc(size, ALLOC_KERNEL);
	if (!n)
		return NULL;
	if (p)
		memcpy(n, p, min(old, size));
	kfree(p);
	return n;
}

char *kstrdup(const char *s)
{
	size_t n = strlen(s) + 1;
	char *copy = kmalloc(n, ALLOC_KERNEL);

	return copy ? memcpy(copy, s, n) : NULL;
}

void kmalloc_init(void)
{
	unsigned c = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++)
		caches[i] = kcache_create(names[i], sizes[i], 0);
	for (unsigned i = 0; i < ARRAY_SIZE(small); i++) {
		while (sizes[c] < i * 16)
			c++;
		small[i] = caches[c];
	}
}
