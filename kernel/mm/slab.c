/*
 * Caches of kernel objects of one size.
 *
 * A slab is a block of pages cut into slots; its head page holds the list of its free objects and how
 * many are in use, each of its pages the cache. In front, each CPU has a list of free objects of any
 * slabs: allocating and freeing is popping and pushing there with preemption off. An empty list takes
 * over all free objects of one slab; a list past its limit gives half of them back to their slabs. To
 * the slab, an object on a CPU's list is in use.
 *
 * Locks: kcache.lock (RANK_SLAB) for slabs and their lists. Not from hard interrupts.
 */
#include "slab_internal.h"

#define SLAB_ORDER_MAX 3
#define SLAB_EMPTY_MAX 2 /* empty slabs a cache keeps */

struct kcache slab_caches[SLAB_CACHES_MAX];
unsigned slab_cache_count;

/* --- slabs --- */

static void *slot_object(const struct kcache *c, const struct page *slab, unsigned i)
{
	return (char *)page_to_virt(slab) + (size_t)i * c->slot_size + c->head;
}

/* A slab with all objects on its list, not on any of the cache's. */
static struct page *slab_create(struct kcache *c, unsigned flags)
{
	struct page *slab = page_alloc(c->order, flags & (ALLOC_ATOMIC | ALLOC_USER));
	unsigned i = c->per_slab; /* at least one */
	void *next = NULL;

	if (!slab)
		return NULL;
	for (unsigned tail = 1; tail < 1u << c->order; tail++) {
		slab[tail].flags = PG_SLAB | PG_TAIL;
		slab[tail].cache = c;
		slab[tail].freelist = slab;
	}
	do {
		void *obj = slot_object(c, slab, --i);

		slab_debug_init_object(c, obj);
		*(void **)obj = next;
		next = obj;
	} while (i);
	slab->cache = c;
	slab->freelist = next;
	slab->slab_objects = 0;
	slab->flags |= PG_SLAB;
	atomic64_add(&mem_slab_pages, 1 << c->order);
	return slab;
}

static void slab_destroy(struct kcache *c, struct page *slab)
{
	for (unsigned i = 1; i < 1u << c->order; i++)
		slab[i].flags = 0;
	slab->flags &= ~PG_SLAB;
	atomic64_sub(&mem_slab_pages, 1 << c->order);
	page_free(slab, c->order);
}

/* --- between slabs and a CPU's list --- */

/* All free objects of a slab go to the list, which is empty. Lock held. */
static void take_slab(struct kcache *c, struct kcache_cpu *cpu, struct page *slab)
{
	cpu->free = slab->freelist;
	cpu->count = c->per_slab - slab->slab_objects;
	if (!slab->slab_objects)
		c->nr_empty--;
	slab->freelist = NULL;
	slab->slab_objects = (u16)c->per_slab;
	list_move(&slab->link, &c->full);
}

static void take_partial(struct kcache *c, struct kcache_cpu *cpu)
{
	spin_lock(&c->lock);
	if (!list_empty(&c->partial))
		take_slab(c, cpu, list_first_entry(&c->partial, struct page, link));
	spin_unlock(&c->lock);
}

__noinline void *slab_alloc_slow(struct kcache *c, unsigned flags)
{
	struct kcache_cpu *cpu;
	void *obj;

	preempt_disable();
	cpu = &c->cpu[this_cpu()];
	if (!cpu->free)
		take_partial(c, cpu);
	if (!cpu->free) {
		struct page *slab;

		preempt_enable();
		slab = slab_create(c, flags);
		if (!slab)
			return NULL;
		preempt_disable();
		cpu = &c->cpu[this_cpu()]; /* maybe another one, with a list by now */
		spin_lock(&c->lock);
		list_add(&slab->link, &c->partial);
		c->nr_slabs++;
		c->nr_empty++;
		if (!cpu->free)
			take_slab(c, cpu, slab);
		spin_unlock(&c->lock);
	}
	obj = cpu->free;
	cpu->free = *(void **)obj;
	cpu->count--;
	preempt_enable();
	return obj;
}

/* Puts one object back on its slab's list; the slab goes to *dead when it is not needed any more. */
static void return_object(struct kcache *c, void *obj, struct list *dead)
{
	struct page *slab = slab_of(obj);

	if (slab->slab_objects == c->per_slab)
		list_move(&slab->link, &c->partial);
	*(void **)obj = slab->freelist;
	slab->freelist = obj;
	if (--slab->slab_objects)
		return;
	if (c->nr_empty < SLAB_EMPTY_MAX || INJECT("slab_never_freed")) {
		c->nr_empty++;
		list_move_tail(&slab->link, &c->partial);
	} else {
		c->nr_slabs--;
		list_move(&slab->link, dead);
	}
}

static void destroy_list(struct kcache *c, struct list *dead)
{
	struct page *slab, *next;

	list_for_each_entry_safe(slab, next, dead, link)
		slab_destroy(c, slab);
}

/* Gives n objects of this CPU's list back; preemption off. */
__noinline void slab_flush(struct kcache *c, struct kcache_cpu *cpu, unsigned n)
{
	DEFINE_LIST(dead);

	spin_lock(&c->lock);
	while (n-- && cpu->free) {
		void *obj = cpu->free;

		cpu->free = *(void **)obj;
		cpu->count--;
		return_object(c, obj, &dead);
	}
	spin_unlock(&c->lock);
	destroy_list(c, &dead);
}

/* --- the interface --- */

void *kcache_alloc(struct kcache *c, unsigned flags)
{
	return slab_alloc(c, flags, (uintptr_t)__builtin_return_address(0));
}

void kcache_free(struct kcache *c, void *obj)
{
	slab_free(c, obj, (uintptr_t)__builtin_return_address(0));
}

/* The smallest block in which at most an eighth is left over and a few objects fit. */
static void choose_order(struct kcache *c)
{
	for (c->order = 0; c->order < SLAB_ORDER_MAX; c->order++) {
		size_t bytes = PAGE_SIZE << c->order;

		if (bytes / c->slot_size >= 8 && bytes % c->slot_size <= bytes / 8)
			break;
	}
	c->per_slab = (u32)((PAGE_SIZE << c->order) / c->slot_size);
	BUG_ON(!c->per_slab);
}

struct kcache *kcache_create(const char *name, size_t size, size_t align)
{
	unsigned i = __atomic_fetch_add(&slab_cache_count, 1, __ATOMIC_RELAXED);
	struct kcache *c = &slab_caches[i];

	BUG_ON(i >= SLAB_CACHES_MAX || !size);
	align = max_t(size_t, align, 16);
	c->name = name;
	c->object_size = (u32)size;
	c->head = SLAB_HEAD_SIZE ? (u32)ALIGN_UP(SLAB_HEAD_SIZE, align) : 0;
	c->slot_size = (u32)ALIGN_UP(c->head + ALIGN_UP(size, 8) + SLAB_TAIL_SIZE, align);
	c->limit = (u32)clamp(65536 / c->slot_size, 16u, 128u);
	choose_order(c);
	spin_init(&c->lock, name, RANK_SLAB);
	list_init(&c->partial);
	list_init(&c->full);
	return c;
}

/* Frees all empty slabs, after this CPU's lists went back: how many pages. For reclaim. */
unsigned slab_shrink(void)
{
	unsigned freed = 0;

	for (unsigned i = 0; i < READ_ONCE(slab_cache_count); i++) {
		struct kcache *c = &slab_caches[i];
		struct page *slab, *next;
		DEFINE_LIST(dead);

		preempt_disable();
		slab_flush(c, &c->cpu[this_cpu()], c->limit + 1);
		spin_lock(&c->lock);
		list_for_each_entry_safe(slab, next, &c->partial, link) {
			if (slab->slab_objects)
				continue;
			list_move(&slab->link, &dead);
			c->nr_empty--;
			c->nr_slabs--;
			freed += 1u << c->order;
		}
		spin_unlock(&c->lock);
		preempt_enable();
		destroy_list(c, &dead);
	}
	return freed;
}

bool kcache_info(unsigned i, struct kcache_info *out)
{
	struct kcache *c = &slab_caches[i];
	struct page *slab;
	u64 unused = 0;

	if (i >= READ_ONCE(slab_cache_count) || !c->name)
		return false;
	spin_lock(&c->lock);
	list_for_each_entry(slab, &c->partial, link)
		unused += c->per_slab - slab->slab_objects;
	out->slabs = c->nr_slabs;
	spin_unlock(&c->lock);
	for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++)
		unused += READ_ONCE(c->cpu[cpu].count);
	out->name = c->name;
	out->object_size = c->object_size;
	out->total = out->slabs * c->per_slab;
	out->active = out->total > unused ? out->total - unused : 0;
	return true;
}

void slab_init(void)
{
	BUILD_ASSERT(MAX_CPUS * sizeof(struct kcache_cpu) < PAGE_SIZE);
}
