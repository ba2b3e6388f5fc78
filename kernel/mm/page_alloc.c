/*
 * The page allocator.
 *
 * Blocks of 2^order frames, order 0 to MAX_ORDER-1, in one zone: a list of free blocks for each order, a
 * block splits in two buddies and merges with its buddy when both are free. In front of it each CPU has
 * a stack of single pages, and one of pages known to be zero; both need no lock, only preemption off,
 * and exchange pages with the zone in batches. A page of a stack is PG_FREE with order
 * PAGE_ORDER_CACHED, so that it is never taken for a free buddy.
 *
 * Locks: zone.lock (RANK_ZONE). Not to be called from hard interrupts. The per-CPU stacks are in an array
 * here rather than in the per-CPU section, which is copied at start with what it holds.
 *
 * Watermarks: below zone.reserve free pages only kernel allocations succeed, below half of it only
 * ALLOC_ATOMIC ones. Reclaim and the out-of-memory policy are in reclaim.c and fault.c.
 *
 * Debug builds fill free pages with PAGE_POISON and check that when they are handed out again.
 */
#include "internal.h"
#include <mm/tlb.h>

#define STACK_MAX 256 /* pages a CPU keeps */
#define ZERO_MAX 128 /* zeroed pages a CPU keeps */
#define ZERO_IDLE 64 /* how many the idle loop makes */
#define BATCH 64

struct cpu_pages {
	u32 count, zero_count;
	long counters[MEM_COUNTERS];
	struct page *stack[STACK_MAX];
	struct page *zeroed[ZERO_MAX];
} __aligned(64);

static struct zone {
	struct spinlock lock;
	u32 nonempty; /* [x] bit per order */
	u64 nr_free; /* [x] pages in the lists */
	u64 reserve; /* [I] */
	struct list free[MAX_ORDER]; /* [x] */
} zone;

static struct cpu_pages cpu_pages[MAX_CPUS]; /* [o] its CPU, preemption off */
bool page_alloc_ready;
struct atomic64 mem_slab_pages, mem_cached_pages, mem_kstack_pages;

static __always_inline struct cpu_pages *my_pages(void)
{
	return &cpu_pages[this_cpu()];
}

void mem_count(enum mem_counter which, long n)
{
	preempt_disable();
	my_pages()->counters[which] += n;
	preempt_enable();
}

void mem_count_tables(long n)
{
	mem_count(MEM_TABLES, n);
}

/* --- checks of debug builds --- */

#ifdef CONFIG_DEBUG
static void poison_block(struct page *p, unsigned order)
{
	memset(page_to_virt(p), PAGE_POISON, PAGE_SIZE << order);
	for (unsigned i = 0; i < 1u << order; i++)
		p[i].flags = PG_POISON;
}

static void check_poison(struct page *p)
{
	const u64 *w = page_to_virt(p);

	if (!(p->flags & PG_POISON))
		return;
	for (unsigned i = 0; i < PAGE_SIZE / 8; i++)
		if (w[i] != 0x0101010101010101ull * PAGE_POISON)
			panic("page %#llx: written to while free: offset %u holds %#llx",
			      (unsigned long long)page_to_phys(p), i * 8, (unsigned long long)w[i]);
}

static void check_zeroed(struct page *p)
{
	const u64 *w = page_to_virt(p);

	for (unsigned i = 0; i < PAGE_SIZE / 8; i++)
		if (w[i])
			panic("page %#llx of the zeroed store: offset %u holds %#llx",
			      (unsigned long long)page_to_phys(p), i * 8, (unsigned long long)w[i]);
}
#else
static inline void poison_block(struct page *p, unsigned order)
{
	(void)p, (void)order;
}
static inline void check_poison(struct page *p)
{
	(void)p;
}
static inline void check_zeroed(struct page *p)
{
	(void)p;
}
#endif

/* --- the zone's lists; zone.lock held --- */

static void block_link(struct page *p, unsigned order)
{
	p->flags = (p->flags & PG_POISON) | PG_FREE;
	p->order = order;
	list_add(&p->link, &zone.free[order]);
	zone.nonempty |= 1u << order;
}

static void block_unlink(struct page *p, unsigned order)
{
	list_del(&p->link);
	if (list_empty(&zone.free[order]))
		zone.nonempty &= ~(1u << order);
	p->flags &= ~PG_FREE;
}

static void block_free(struct page *p, unsigned order)
{
	u64 pfn = page_to_pfn(p);

	zone.nr_free += 1ull << order;
	for (; order < MAX_ORDER - 1 && !INJECT("buddy_no_merge"); order++) {
		struct page *buddy = pfn_to_page(pfn ^ (1ull << order));

		if (!(smp_load_acquire(&buddy->flags) & PG_FREE) || buddy->order != order)
			break;
		block_unlink(buddy, order);
		pfn &= ~(1ull << order);
	}
	block_link(pfn_to_page(pfn), order);
}

/* A block of at least `order`, cut down to it; NULL when there is none. */
static struct page *block_take(unsigned order)
{
	u32 fit = zone.nonempty & (~0u << order);
	unsigned o;
	struct page *p;

	if (!fit)
		return NULL;
	o = (unsigned)__builtin_ctz(fit);
	p = list_first_entry(&zone.free[o], struct page, link);
	block_unlink(p, o);
	while (o > order) {
		o--;
		block_link(p + (1u << o), o);
	}
	zone.nr_free -= 1ull << order;
	return p;
}

static u64 watermark(unsigned flags)
{
	if (flags & ALLOC_ATOMIC || INJECT("no_reserve"))
		return 0;
	return flags & ALLOC_USER ? zone.reserve : zone.reserve / 2;
}

/* --- per-CPU stacks; preemption off --- */

/* The order comes before PG_FREE: another CPU, which frees the buddy, must not take the page for a block. */
static __always_inline void mark_cached(struct page *p)
{
	p->order = PAGE_ORDER_CACHED;
	smp_store_release(&p->flags, (p->flags & PG_POISON) | PG_FREE);
}

/* Moves up to BATCH pages from the zone to this CPU's stack, smallest blocks first. */
static bool stack_refill(struct cpu_pages *c, unsigned flags)
{
	unsigned want = BATCH;

	spin_lock(&zone.lock);
	if (zone.nr_free < watermark(flags) + want)
		want = zone.nr_free > watermark(flags) ? 1 : 0;
	while (want && zone.nonempty) {
		unsigned order = min((unsigned)__builtin_ctz(zone.nonempty), ilog2(want));
		struct page *p = block_take(order);

		for (unsigned i = 1u << order; i-- > 0;) {
			mark_cached(p + i);
			c->stack[c->count++] = p + i;
		}
		want -= 1u << order;
	}
	spin_unlock(&zone.lock);
	return c->count;
}

static __noinline void stack_drain(struct cpu_pages *c, unsigned n)
{
	spin_lock(&zone.lock);
	while (n-- && c->count) {
		struct page *p = c->stack[--c->count];

		p->flags &= PG_POISON;
		block_free(p, 0);
	}
	spin_unlock(&zone.lock);
}

static __always_inline void free_one(struct cpu_pages *c, struct page *p)
{
	u32 flags = p->flags;

	if (unlikely(flags & (PG_FREE | PG_RESERVED | PG_SLAB | PG_CACHE | PG_LOCKED)))
		panic("page %#llx freed with flags %#x", (unsigned long long)page_to_phys(p),
		      flags);
	if (flags & PG_ANON)
		c->counters[MEM_ANON]--;
	if (INJECT("page_leak") && c->count % 8 == 7)
		return;
	p->flags = 0;
	poison_block(p, 0);
	mark_cached(p);
	if (unlikely(c->count == STACK_MAX))
		stack_drain(c, BATCH);
	c->stack[c->count++] = p;
}

static __noinline void free_block(struct page *p, unsigned order)
{
	if (unlikely(p->flags & (PG_FREE | PG_RESERVED | PG_SLAB | PG_CACHE)))
		panic("block %#llx of order %u freed with flags %#x",
		      (unsigned long long)page_to_phys(p), order, p->flags);
	if (p->flags & PG_ANON)
		mem_count(MEM_ANON, -(1l << order));
	p->flags = 0;
	poison_block(p, order);
	spin_lock(&zone.lock);
	block_free(p, order);
	spin_unlock(&zone.lock);
}

/* --- allocation --- */

static __noinline struct page *alloc_from_zone(unsigned order, unsigned flags)
{
	struct page *p = NULL;

	spin_lock(&zone.lock);
	if (zone.nr_free >= watermark(flags) + (1ull << order))
		p = block_take(order);
	spin_unlock(&zone.lock);
	return p;
}

static struct page *alloc_from_stack(unsigned flags)
{
	struct cpu_pages *c;
	struct page *p = NULL;

	preempt_disable();
	c = my_pages();
	if (likely(c->count) || stack_refill(c, flags))
		p = c->stack[--c->count];
	else if (c->zero_count)
		p = c->zeroed[--c->zero_count];
	preempt_enable();
	return p;
}

static bool may_reclaim(unsigned flags)
{
	return !(flags & (ALLOC_ATOMIC | ALLOC_NO_RECLAIM)) && !in_atomic() && arch_irqs_enabled();
}

/* The caches of this CPU may hold what would make a block, and clean cache pages can go. */
static __noinline struct page *alloc_slow(unsigned order, unsigned flags)
{
	for (unsigned tries = 0; tries < 16; tries++) {
		struct page *p;

		preempt_disable();
		if (order && my_pages()->count)
			stack_drain(my_pages(), STACK_MAX);
		preempt_enable();
		p = order ? alloc_from_zone(order, flags) : alloc_from_stack(flags);
		if (p)
			return p;
		if (!may_reclaim(flags) || !page_reclaim(BATCH << order))
			break;
	}
	return NULL;
}

struct page *page_alloc(unsigned order, unsigned flags)
{
	struct page *p;

	if (unlikely(INJECT("page_alloc_fails")))
		return NULL;
	if (order == 0) {
		p = alloc_from_stack(flags);
	} else {
		BUG_ON(order >= MAX_ORDER);
		p = alloc_from_zone(order, flags);
	}
	if (unlikely(!p)) {
		p = alloc_slow(order, flags);
		if (!p)
			return NULL;
	}
	if (unlikely(p->refs))
		panic("page %#llx is free but has %u references",
		      (unsigned long long)page_to_phys(p), p->refs);
	for (unsigned i = 0; i < 1u << order; i++) {
		check_poison(p + i);
		p[i].flags = 0;
	}
	p->refs = 1;
	if (order) {
		p->flags = PG_HEAD;
		p->order = order;
	}
	if (flags & ALLOC_ZERO && !INJECT("page_not_zeroed"))
		for (unsigned i = 0; i < 1u << order; i++)
			arch_page_zero(page_to_virt(p + i));
	return p;
}

struct page *page_alloc_zeroed(unsigned flags)
{
	struct cpu_pages *c;
	struct page *p;

	preempt_disable();
	c = my_pages();
	if (likely(c->zero_count)) {
		p = c->zeroed[--c->zero_count];
		preempt_enable();
		check_zeroed(p);
		p->flags = 0;
		p->refs = 1;
		return p;
	}
	preempt_enable();
	return page_alloc(0, flags | ALLOC_ZERO);
}

/* Short for faults: one section with preemption off. */
struct page *page_alloc_anon(bool zero)
{
	struct cpu_pages *c;
	struct page *p;

	preempt_disable();
	c = my_pages();
	c->counters[MEM_ANON]++;
	if (likely(zero && c->zero_count)) {
		p = c->zeroed[--c->zero_count];
		preempt_enable();
		check_zeroed(p);
		p->flags = PG_ANON;
		p->refs = 1;
		return p;
	}
	preempt_enable();
	p = page_alloc(0, ALLOC_USER | (zero ? ALLOC_ZERO : 0));
	if (likely(p))
		p->flags = PG_ANON;
	else
		mem_count(MEM_ANON, -1);
	return p;
}

bool page_can_alloc_user(void)
{
	return READ_ONCE(zone.nr_free) > zone.reserve + BATCH;
}

/* --- freeing --- */

static __always_inline bool last_ref(struct page *p)
{
	u32 old = __atomic_fetch_sub(&p->refs, 1, __ATOMIC_ACQ_REL);

	if (unlikely(old == 0))
		panic("page %#llx (flags %#x) freed twice", (unsigned long long)page_to_phys(p),
		      p->flags);
	return old == 1;
}

void page_free(struct page *p, unsigned order)
{
	if (!last_ref(p))
		return;
	if (order) {
		free_block(p, order);
		return;
	}
	preempt_disable();
	free_one(my_pages(), p);
	preempt_enable();
}

void page_put(struct page *p)
{
	if (last_ref(p)) {
		if (unlikely(p->flags & PG_HEAD)) {
			free_block(p, p->order);
			return;
		}
		preempt_disable();
		free_one(my_pages(), p);
		preempt_enable();
	}
}

void page_put_many(struct page **pages, unsigned n)
{
	struct cpu_pages *c;

	preempt_disable();
	c = my_pages();
	for (unsigned i = 0; i < n; i++) {
		struct page *p = pages[i];

		if (!last_ref(p))
			continue;
		if (unlikely(p->flags & PG_HEAD))
			free_block(p, p->order);
		else
			free_one(c, p);
	}
	preempt_enable();
}

void page_free_zeroed(struct page *p)
{
	struct cpu_pages *c;

	preempt_disable();
	c = my_pages();
	if (c->zero_count == ZERO_MAX || READ_ONCE(p->refs) != 1) {
		preempt_enable();
		page_free(p, 0);
		return;
	}
	if (last_ref(p)) {
		p->flags = 0;
		mark_cached(p);
		c->zeroed[c->zero_count++] = p;
	}
	preempt_enable();
}

bool page_zero_idle(void)
{
	struct cpu_pages *c;
	struct page *p;

	if (!page_alloc_ready)
		return false;
	preempt_disable();
	c = my_pages();
	if (c->zero_count >= ZERO_IDLE || (!c->count && !stack_refill(c, ALLOC_USER))) {
		preempt_enable();
		return false;
	}
	p = c->stack[--c->count];
	check_poison(p);
	arch_page_zero(page_to_virt(p));
	p->flags = PG_FREE;
	c->zeroed[c->zero_count++] = p;
	preempt_enable();
	return true;
}

void page_alloc_drain(void)
{
	struct cpu_pages *c;

	preempt_disable();
	c = my_pages();
	stack_drain(c, STACK_MAX);
	while (c->zero_count) {
		struct page *p = c->zeroed[--c->zero_count];

		p->flags = 0;
		spin_lock(&zone.lock);
		block_free(p, 0);
		spin_unlock(&zone.lock);
	}
	preempt_enable();
}

/* --- start, statistics --- */

void buddy_add_range(u64 pfn, u64 end)
{
	spin_lock(&zone.lock);
	while (pfn < end) {
		unsigned order = pfn ? (unsigned)__builtin_ctzll(pfn) : MAX_ORDER - 1;

		order = min(order, MAX_ORDER - 1u);
		while (order && pfn + (1ull << order) > end)
			order--;
		block_free(pfn_to_page(pfn), order);
		pfn += 1ull << order;
	}
	zone.reserve = clamp(zone.nr_free / 256, 32ull, 2048ull);
	spin_unlock(&zone.lock);
}

void page_alloc_init(void)
{
	spin_init(&zone.lock, "zone", RANK_ZONE);
	for (unsigned i = 0; i < MAX_ORDER; i++)
		list_init(&zone.free[i]);
	page_alloc_ready = true;
}

u64 page_free_count(void)
{
	u64 n = READ_ONCE(zone.nr_free);

	for (unsigned i = 0; i < MAX_CPUS; i++)
		n += READ_ONCE(cpu_pages[i].count) + READ_ONCE(cpu_pages[i].zero_count);
	return n;
}

static u64 counter_sum(enum mem_counter which)
{
	long n = 0;

	for (unsigned i = 0; i < MAX_CPUS; i++)
		n += READ_ONCE(cpu_pages[i].counters[which]);
	return n > 0 ? (u64)n : 0;
}

void mem_stats(struct mem_stats *out)
{
	out->total_pages = mem_total_pages;
	out->free_pages = page_free_count();
	out->cached_pages = (u64)atomic64_read(&mem_cached_pages);
	out->slab_pages = (u64)atomic64_read(&mem_slab_pages);
	out->table_pages = counter_sum(MEM_TABLES);
	out->anon_pages = counter_sum(MEM_ANON);
	out->kernel_stack_pages = (u64)atomic64_read(&mem_kstack_pages);
}

static const char *check_lists(void)
{
	u64 n = 0;

	for (unsigned order = 0; order < MAX_ORDER; order++) {
		struct page *p;

		if (list_empty(&zone.free[order]) == !!(zone.nonempty & (1u << order)))
			return "the bit of an order's list is wrong";
		list_for_each_entry(p, &zone.free[order], link) {
			struct page *buddy = pfn_to_page(page_to_pfn(p) ^ (1ull << order));

			if (!(p->flags & PG_FREE) || p->order != order || p->refs)
				return "a block in a list is not free, or of another order";
			if (page_to_pfn(p) & ((1ull << order) - 1))
				return "a block is not aligned to its size";
			if (order < MAX_ORDER - 1 && (buddy->flags & PG_FREE) &&
			    buddy->order == order)
				return "two buddies are free and not merged";
			n += 1ull << order;
		}
	}
	return n == zone.nr_free ? NULL : "the lists do not add up to the count of free pages";
}

int page_alloc_check(char *why, size_t size)
{
	const char *reason;

	spin_lock(&zone.lock);
	reason = check_lists();
	spin_unlock(&zone.lock);
	if (reason)
		snprintf(why, size, "%s", reason);
	return reason ? -EINVAL : 0;
}
