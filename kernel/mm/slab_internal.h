/* Between slab.c and its checker slab_debug.c. */
#pragma once
#include "internal.h"
#include <mm/slab.h>

#define SLAB_CACHES_MAX 96

struct kcache_cpu {
	void *free; /* [o] objects ready to go, linked through their first word */
	u32 count;
} __aligned(64);

struct kcache {
	struct kcache_cpu cpu[MAX_CPUS]; /* [o] its CPU, preemption off */
	u32 object_size, slot_size, head; /* [I] head: bytes before the object in its slot */
	u32 per_slab, limit; /* [I] limit: objects a CPU keeps */
	u8 order; /* [I] */
	const char *name; /* [I] */
	struct spinlock lock;
	struct list partial, full; /* [x] slabs with and without a free object, by page->link */
	u32 nr_empty; /* [x] slabs without any object in use */
	u64 nr_slabs; /* [x] */
};

extern struct kcache slab_caches[SLAB_CACHES_MAX];
extern unsigned slab_cache_count; /* [a] */

/* The head page of the slab that holds obj. */
static __always_inline struct page *slab_of(const void *obj)
{
	struct page *p = virt_to_page(obj);

	return unlikely(p->flags & PG_TAIL) ? p->freelist : p;
}

#ifdef CONFIG_DEBUG
/* Before an object: its state. After it: a red zone, and who allocated or freed it last. */
struct slab_mark {
	u64 state, unused;
};
struct slab_tail {
	u64 redzone;
	uintptr_t place;
};
#define SLAB_HEAD_SIZE sizeof(struct slab_mark)
#define SLAB_TAIL_SIZE sizeof(struct slab_tail)
void slab_debug_init_object(struct kcache *c, void *obj);
void slab_debug_alloc(struct kcache *c, void *obj, uintptr_t place);
void slab_debug_free(struct kcache *c, void *obj, uintptr_t place);
#else
#define SLAB_HEAD_SIZE 0
#define SLAB_TAIL_SIZE 0
static inline void slab_debug_init_object(struct kcache *c, void *obj)
{
	(void)c, (void)obj;
}
static inline void slab_debug_alloc(struct kcache *c, void *obj, uintptr_t place)
{
	(void)c, (void)obj, (void)place;
}
static inline void slab_debug_free(struct kcache *c, void *obj, uintptr_t place)
{
	(void)c, (void)obj, (void)place;
}
#endif

void *slab_alloc_slow(struct kcache *c, unsigned flags);
void slab_flush(struct kcache *c, struct kcache_cpu *cpu, unsigned n);

/* The short paths, inline in kcache_alloc and kmalloc. place: the caller, for reports. */
static __always_inline void *slab_alloc(struct kcache *c, unsigned flags, uintptr_t place)
{
	struct kcache_cpu *cpu;
	void *obj;

	if (unlikely(INJECT("slab_alloc_fails")))
		return NULL;
	preempt_disable();
	cpu = &c->cpu[this_cpu()];
	obj = cpu->free;
	if (likely(obj)) {
		cpu->free = *(void **)obj;
		cpu->count--;
		preempt_enable();
	} else {
		preempt_enable();
		obj = slab_alloc_slow(c, flags);
		if (!obj)
			return NULL;
	}
	slab_debug_alloc(c, obj, place);
	if (flags & ALLOC_ZERO && !INJECT("slab_not_zeroed"))
		memset(obj, 0, c->object_size);
	return obj;
}

static __always_inline void slab_free(struct kcache *c, void *obj, uintptr_t place)
{
	struct kcache_cpu *cpu;

	ASSERT(slab_of(obj)->cache == c);
	slab_debug_free(c, obj, place);
	preempt_disable();
	cpu = &c->cpu[this_cpu()];
	*(void **)obj = cpu->free;
	cpu->free = obj;
	if (unlikely(++cpu->count > c->limit))
		slab_flush(c, cpu, c->limit / 2 + 1);
	preempt_enable();
}
