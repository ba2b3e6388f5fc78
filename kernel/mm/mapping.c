/*
 * Page cache: lookup, creation, locks of single pages.
 *
 * Lookups take no lock: the page is found in the radix tree under rcu, its count is raised unless it is
 * zero (being freed), and then it must still belong to this mapping at this index, since it may have
 * been given away in between. Removal clears page->mapping before the cache's reference goes.
 *
 * Changes of the tree are under mapping->lock. A page that is being read in is in the tree, locked and
 * not PG_UPTODATE; who needs it waits for its lock. Waiters sleep on one of a few hashed queues.
 */
#include "internal.h"
#include <core/rcu.h>
#include <mm/mm.h>
#include <mm/slab.h>
#include <sched/waitq.h>
#include "mapping_internal.h"

#define PAGE_QUEUES 32

static struct waitq page_queues[PAGE_QUEUES];
static struct kcache *node_cache, *object_cache;

/* --- nodes of the tree --- */

static struct radix_node *node_alloc(struct radix_root *root)
{
	return kcache_alloc(node_cache, ALLOC_ATOMIC | ALLOC_ZERO);
}

static void node_free_rcu(struct rcu_head *head)
{
	kcache_free(node_cache, (char *)head - offsetof(struct radix_node, owner));
}

static void node_free(struct radix_root *root, struct radix_node *node)
{
	BUILD_ASSERT(sizeof(struct rcu_head) <= sizeof(node->owner));
	call_rcu((struct rcu_head *)node->owner, node_free_rcu);
}

static const struct radix_ops node_ops = { node_alloc, node_free };

/* --- page locks --- */

static struct waitq *queue_of(struct page *p)
{
	return &page_queues[page_to_pfn(p) % PAGE_QUEUES];
}

bool page_trylock(struct page *p)
{
	return !(__atomic_fetch_or(&p->flags, PG_LOCKED, __ATOMIC_ACQUIRE) & PG_LOCKED);
}

void page_lock(struct page *p)
{
	might_sleep();
	if (likely(page_trylock(p)))
		return;
	(void)waitq_wait(queue_of(p), page_trylock(p), SLEEP_UNINTERRUPTIBLE, TIME_NEVER);
}

void page_unlock(struct page *p)
{
	__atomic_fetch_and(&p->flags, ~(u32)PG_LOCKED, __ATOMIC_SEQ_CST);
	if (waitq_active(queue_of(p)))
		waitq_wake_all(queue_of(p), 0);
}

/* --- lookup --- */

static bool get_not_zero(struct page *p)
{
	u32 old = READ_ONCE(p->refs);

	do {
		if (!old)
			return false;
	} while (!__atomic_compare_exchange_n(&p->refs, &old, old + 1, true, __ATOMIC_ACQ_REL,
					      __ATOMIC_RELAXED));
	return true;
}

/* rcu read side. */
static __always_inline struct page *find_rcu(struct mapping *m, u64 index)
{
	for (;;) {
		struct page *p = radix_lookup(&m->pages, index);

		if (!p)
			return NULL;
		if (likely(get_not_zero(p))) {
			if (likely(READ_ONCE(p->mapping) == m && p->index == index))
				return p;
			page_put(p);
		}
		cpu_relax();
	}
}

struct page *mapping_find_page(struct mapping *m, u64 index)
{
	struct page *p;

	rcu_read_lock();
	p = find_rcu(m, index);
	rcu_read_unlock();
	return p;
}

unsigned mapping_find_pages(struct mapping *m, u64 first, unsigned n, struct page **pages)
{
	unsigned found = 0;

	rcu_read_lock();
	for (unsigned i = 0; i < n; i++) {
		pages[i] = find_rcu(m, first + i);
		found += !!pages[i];
	}
	rcu_read_unlock();
	return found;
}

/* --- insertion --- */

static bool reclaimable(const struct mapping *m)
{
	return m->ops && m->ops->read_page && m->ops->write_page;
}

/* The caller's reference becomes the cache's. */
static int insert(struct mapping *m, u64 index, struct page *p)
{
	int err;

	p->mapping = m;
	p->index = index;
	spin_lock(&m->lock);
	err = radix_insert(&m->pages, index, p);
	if (!err) {
		m->nr_pages++;
		if (reclaimable(m))
			reclaim_add(p);
	}
	spin_unlock(&m->lock);
	if (unlikely(err)) {
		p->mapping = NULL;
		return err;
	}
	atomic64_inc(&mem_cached_pages);
	return 0;
}

int mapping_add_page(struct mapping *m, u64 index, struct page *p)
{
	u32 flags = p->flags;
	int err;

	page_get(p);
	p->flags = PG_CACHE | PG_UPTODATE;
	err = insert(m, index, p);
	if (err) {
		p->flags = flags;
		page_put(p);
	}
	return err;
}

/* A new page for index; with read_page it is in the cache locked, and read in here. */
static int create(struct mapping *m, u64 index, struct page **out)
{
	bool reads = m->ops && m->ops->read_page;
	struct page *p = reads ? page_alloc(0, ALLOC_USER) : page_alloc_zeroed(ALLOC_USER);
	int err;

	if (!p)
		return -ENOMEM;
	p->flags = PG_CACHE | (reads ? PG_LOCKED : PG_UPTODATE);
	page_get(p); /* one for the cache, one for the caller */
	err = insert(m, index, p);
	if (err) {
		p->flags = 0;
		page_put(p);
		page_put(p);
		return err;
	}
	if (reads) {
		if (INJECT("cache_reads_twice"))
			(void)m->ops->read_page(m, p);
		err = m->ops->read_page(m, p);
		if (!err)
			__atomic_fetch_or(&p->flags, PG_UPTODATE, __ATOMIC_RELEASE);
		page_unlock(p);
		if (err) {
			page_put(p);
			return err;
		}
	}
	*out = p;
	return 0;
}

/* A page that was found but is not up to date: being read by another thread, or its read failed. */
static int wait_uptodate(struct mapping *m, struct page *p)
{
	int err = 0;

	page_lock(p);
	if (p->mapping != m)
		err = -EAGAIN; /* truncated meanwhile */
	else if (!(p->flags & PG_UPTODATE))
		err = m->ops->read_page(m, p);
	if (!err)
		__atomic_fetch_or(&p->flags, PG_UPTODATE, __ATOMIC_RELEASE);
	page_unlock(p);
	return err;
}

int mapping_get_page(struct mapping *m, u64 index, struct page **out)
{
	for (;;) {
		struct page *p = mapping_find_page(m, index);
		int err;

		if (!p) {
			err = create(m, index, out);
			if (err == -EEXIST)
				continue;
			return err;
		}
		if (likely(__atomic_load_n(&p->flags, __ATOMIC_ACQUIRE) & PG_UPTODATE)) {
			if (reclaimable(m) && !(p->flags & PG_REFERENCED))
				__atomic_fetch_or(&p->flags, PG_REFERENCED, __ATOMIC_RELAXED);
			*out = p;
			return 0;
		}
		err = wait_uptodate(m, p);
		if (!err) {
			*out = p;
			return 0;
		}
		page_put(p);
		if (err != -EAGAIN)
			return err;
	}
}

void mapping_mark_dirty(struct mapping *m, struct page *p)
{
	if (!m->ops || !m->ops->write_page || READ_ONCE(p->flags) & PG_DIRTY)
		return;
	spin_lock(&m->lock);
	if (p->mapping == m && !(p->flags & PG_DIRTY)) {
		__atomic_fetch_or(&p->flags, PG_DIRTY, __ATOMIC_RELAXED);
		radix_set_tag(&m->pages, p->index, MAPPING_TAG_DIRTY);
	}
	spin_unlock(&m->lock);
}

bool mapping_evict_locked(struct mapping *m, struct page *p)
{
	u32 one = 1;

	if (p->mapping != m || p->flags & (PG_DIRTY | PG_LOCKED | PG_WRITEBACK))
		return false;
	if (!__atomic_compare_exchange_n(&p->refs, &one, 0, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_RELAXED))
		return false;
	radix_delete(&m->pages, p->index);
	m->nr_pages--;
	p->mapping = NULL;
	__atomic_store_n(&p->refs, 1, __ATOMIC_RELEASE);
	atomic64_dec(&mem_cached_pages);
	return true;
}

/* --- mappings --- */

void mapping_init(struct mapping *m, const struct mapping_ops *ops, struct inode *host)
{
	radix_init(&m->pages, &node_ops);
	spin_init(&m->lock, "mapping", RANK_MAPPING);
	list_init(&m->vmas);
	m->nr_pages = 0;
	m->ops = ops;
	m->host = host;
	m->private = NULL;
	m->anon_size = 0;
	refcount_init(&m->refs, 1);
}

void mapping_fini(struct mapping *m)
{
	mapping_truncate(m, 0, ~0ull);
	radix_destroy(&m->pages);
}

bool mapping_has_writable_maps(struct mapping *m)
{
	struct vma *v;
	bool found = false;

	spin_lock(&m->lock);
	list_for_each_entry(v, &m->vmas, mapping_link)
		found |= (v->flags & (VM_SHARED | VM_MAYWRITE)) == (VM_SHARED | VM_MAYWRITE);
	spin_unlock(&m->lock);
	return found;
}

static u64 anon_object_size(struct mapping *m)
{
	return m->anon_size;
}

static const struct mapping_ops anon_object_ops = { .size = anon_object_size };

int mapping_create_anon(struct mapping **out, u64 size)
{
	struct mapping *m = kcache_alloc(object_cache, ALLOC_KERNEL);

	if (!m)
		return -ENOMEM;
	mapping_init(m, &anon_object_ops, NULL);
	m->anon_size = size;
	*out = m;
	return 0;
}

static bool is_anon_object(const struct mapping *m)
{
	return m->ops == &anon_object_ops;
}

void mapping_get(struct mapping *m)
{
	if (is_anon_object(m))
		refcount_inc(&m->refs);
}

void mapping_put(struct mapping *m)
{
	if (!is_anon_object(m) || !refcount_dec_and_test(&m->refs))
		return;
	mapping_fini(m);
	kcache_free(object_cache, m);
}

void mapping_caches_init(void)
{
	for (unsigned i = 0; i < PAGE_QUEUES; i++)
		waitq_init(&page_queues[i]);
	node_cache = kcache_create("radix-node", sizeof(struct radix_node), 0);
	object_cache = kcache_create("shared-memory", sizeof(struct mapping), 0);
}
