/*
 * Getting memory back: clean pages of files that can be read again, then empty slabs and cached kernel
 * stacks. Pages of memory-only mappings (tmpfs, shared anonymous memory) are never on the list.
 *
 * The list is a clock: a page used since the last look gets a second round. A page can only leave its
 * mapping through reclaim_remove(), under lru_lock; so while that is held the mapping of a page on the
 * list exists, and its lock may be tried (the order is the other way round elsewhere).
 *
 * Locks: lru_lock (RANK_RECLAIM), inside a mapping's lock, outside of what freeing takes.
 */
#include "internal.h"
#include <mm/mapping.h>
#include "mapping_internal.h"

static struct spinlock lru_lock = SPINLOCK_INIT("lru", RANK_RECLAIM);
static DEFINE_LIST(lru); /* [x] lru_lock: oldest first */
static u64 lru_count; /* [x] lru_lock */

void reclaim_add(struct page *p)
{
	spin_lock(&lru_lock);
	list_add_tail(&p->link, &lru);
	__atomic_fetch_or(&p->flags, PG_LRU, __ATOMIC_RELAXED);
	lru_count++;
	spin_unlock(&lru_lock);
}

void reclaim_remove(struct page *p)
{
	if (!(READ_ONCE(p->flags) & PG_LRU))
		return;
	spin_lock(&lru_lock);
	if (p->flags & PG_LRU) {
		list_del(&p->link);
		__atomic_fetch_and(&p->flags, ~(u32)PG_LRU, __ATOMIC_RELAXED);
		lru_count--;
	}
	spin_unlock(&lru_lock);
}

/* Takes the page out of its mapping if nobody uses it; lru_lock held. True: it is the caller's to free. */
static bool evict(struct page *p)
{
	struct mapping *m = p->mapping;
	bool taken;

	if (!spin_trylock(&m->lock))
		return false;
	taken = mapping_evict_locked(m, p);
	spin_unlock(&m->lock);
	return taken;
}

static unsigned reclaim_cache(unsigned want)
{
	unsigned freed = 0;
	u64 looks;

	spin_lock(&lru_lock);
	looks = 2 * lru_count;
	while (looks-- && freed < want && !list_empty(&lru)) {
		struct page *p = list_first_entry(&lru, struct page, link);

		list_move_tail(&p->link, &lru);
		if (p->flags & PG_REFERENCED) {
			__atomic_fetch_and(&p->flags, ~(u32)PG_REFERENCED, __ATOMIC_RELAXED);
			continue;
		}
		if (INJECT("reclaim_never"))
			continue;
		if (p->refs != 1 || p->flags & (PG_DIRTY | PG_LOCKED | PG_WRITEBACK) || !evict(p))
			continue;
		list_del(&p->link);
		lru_count--;
		p->flags = 0;
		page_free(p, 0);
		freed++;
	}
	spin_unlock(&lru_lock);
	return freed;
}

unsigned page_reclaim(unsigned want)
{
	unsigned freed = reclaim_cache(want);

	if (freed < want)
		freed += slab_shrink();
	if (freed < want)
		freed += kstack_shrink();
	return freed;
}
