/*
 * Kernel objects. A cache hands out objects of one size from slabs of pages, with a per-CPU list in
 * front: allocation and freeing are a few instructions with preemption off. Debug builds poison freed
 * objects and check redzones.
 */
#pragma once
#include <lib/types.h>
#include <mm/page.h>

struct kcache;

/* A cache; ctor may be NULL. Panics when out of memory at boot. align 0: 16. Thread context. */
struct kcache *kcache_create(const char *name, size_t size, size_t align);
void *kcache_alloc(struct kcache *c, unsigned flags); /* NULL when out; ALLOC_ZERO honoured */
void kcache_free(struct kcache *c, void *obj);

/* By size; up to 8 KiB from caches, above that whole pages. NULL when out. */
void *kmalloc(size_t size, unsigned flags);
void *kzalloc(size_t size);
void *krealloc(void *p, size_t size); /* contents kept; NULL leaves p as it was */
void kfree(void *p); /* NULL is fine; not in hard interrupts */
size_t ksize(const void *p);
char *kstrdup(const char *s);

/* Iterates caches for /proc/slabinfo. */
struct kcache_info {
	const char *name;
	size_t object_size;
	u64 active, total, slabs;
};
bool kcache_info(unsigned i, struct kcache_info *out);
int slab_check_all(char *why,
		   size_t size); /* debug: walks every slab; 0 or -EINVAL with the reason */
