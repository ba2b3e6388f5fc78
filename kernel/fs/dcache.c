/*
 * The dentry cache.
 *
 * A dentry is a name in a directory: positive (with an inode), or negative (known not to be there). Hashed
 * by parent and name; chains are read without locks under rcu, and a dentry that changes its name, parent
 * or inode has an odd sequence number meanwhile, so a reader knows what it saw was not of one piece. All
 * changes are made under dcache_lock, one for all: they are short, and lookups never take it.
 *
 * References: users and children count in refs. At 0 a hashed dentry stays, on the LRU list; an unhashed
 * one is freed. DENTRY_DEAD in refs marks the way out: nobody can raise it any more. File systems that
 * live in the dcache (tmpfs, devfs) hold one reference for each name, which keeps it in. The list is
 * pruned lazily: a used dentry stays on it until the shrinker meets it.
 *
 * Left out: aliases of an inode are not linked to each other; names compare as bytes.
 */
#include <debug/panic.h>
#include <lib/hash.h>
#include "internal.h"

#define DCACHE_LRU_MAX 20000
#define DCACHE_SHRINK_BATCH 512

struct spinlock dcache_lock = SPINLOCK_INIT("dcache", RANK_DENTRY);
struct hlist_head dcache_buckets[1 << DCACHE_BITS];
static struct kcache *dentry_cache;
static DEFINE_LIST(lru); /* [x] dcache_lock; oldest first */
static unsigned lru_count; /* [x] dcache_lock */
static u64 next_cookie = 2; /* [x] dcache_lock; 0 and 1 are . and .. */

struct long_name {
	struct rcu_head rcu;
	char text[];
};

void dcache_init(void)
{
	dentry_cache = kcache_create("dentry", sizeof(struct dentry), 64);
}

u32 dentry_hash_name(const struct dentry *parent, const char *name, size_t len)
{
	u64 h = dentry_hash_init(parent);

	while (len--)
		h = hash_step(h, (u8)*name++);
	return hash_end(h);
}

static void seq_begin(struct dentry *d)
{
	__atomic_store_n(&d->seq, d->seq + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

static void seq_end(struct dentry *d)
{
	__atomic_store_n(&d->seq, d->seq + 1, __ATOMIC_RELEASE);
}

/* --- making and freeing --- */

static void free_long_name(struct rcu_head *head)
{
	kfree(container_of(head, struct long_name, rcu));
}

static void dentry_free_rcu(struct rcu_head *head)
{
	struct dentry *d = container_of(head, struct dentry, rcu);

	if (d->name != d->short_name)
		kfree(container_of((char(*)[])(uintptr_t)d->name, struct long_name, text));
	kcache_free(dentry_cache, d);
}

struct dentry *dentry_create(struct dentry *parent, const char *name, size_t len)
{
	struct dentry *d = kcache_alloc(dentry_cache, ALLOC_ZERO);
	char *text;

	if (!d)
		return NULL;
	text = d->short_name;
	if (len >= DENTRY_SHORT) {
		struct long_name *l = kmalloc(sizeof(*l) + len + 1, 0);

		if (!l) {
			kcache_free(dentry_cache, d);
			return NULL;
		}
		text = l->text;
	}
	memcpy(text, name, len);
	text[len] = '\0';
	d->name = text;
	d->len = (u32)len;
	d->refs = 1;
	list_init(&d->child_link);
	list_init(&d->children);
	if (parent) {
		d->parent = parent;
		d->super = parent->super;
		d->hash = dentry_hash_name(parent, name, len);
		dentry_get(parent);
	} else {
		d->parent = d;
	}
	return d;
}

struct dentry *dentry_create_root(struct super *s, struct inode *inode)
{
	struct dentry *d = dentry_create(NULL, "/", 1);

	if (!d) {
		inode_put(inode);
		return NULL;
	}
	d->super = s;
	d->inode = inode;
	return d;
}

static void unhash_locked(struct dentry *d)
{
	if (d->flags & DENTRY_HASHED) {
		hlist_del(&d->hash_link);
		__atomic_fetch_and(&d->flags, ~(u32)DENTRY_HASHED, __ATOMIC_RELAXED);
	}
}

/* Takes a dead dentry out of all lists; dcache_lock held. */
static void detach_locked(struct dentry *d)
{
	unhash_locked(d);
	if (!list_empty(&d->child_link))
		list_del_init(&d->child_link);
	if (d->flags & DENTRY_LRU) {
		list_del(&d->lru_link);
		lru_count--;
		__atomic_fetch_and(&d->flags, ~(u32)DENTRY_LRU, __ATOMIC_RELAXED);
	}
}

/* The rest of a dead, detached dentry; returns its parent, whose reference is now the caller's. */
static struct dentry *dentry_finish(struct dentry *d)
{
	struct dentry *parent = d->parent;

	if (d->inode)
		inode_put(d->inode);
	call_rcu(&d->rcu, dentry_free_rcu);
	return parent == d ? NULL : parent;
}

bool dentry_get_live(struct dentry *d)
{
	u32 old = __atomic_load_n(&d->refs, __ATOMIC_RELAXED);

	do {
		if (unlikely(old & DENTRY_DEAD))
			return false;
	} while (!__atomic_compare_exchange_n(&d->refs, &old, old + 1, true, __ATOMIC_ACQUIRE,
					      __ATOMIC_RELAXED));
	return true;
}

/* The last reference to a dentry that is not at rest on the LRU list: puts it there, or frees it. True:
 * freed (or revived), nothing left to do for this reference. */
static bool put_slow(struct dentry *d, struct dentry **next)
{
	u32 one = 1;
	bool crowded;

	spin_lock(&dcache_lock);
	if (d->flags & DENTRY_HASHED) {
		if (!(d->flags & DENTRY_LRU)) {
			list_add_tail(&d->lru_link, &lru);
			__atomic_fetch_or(&d->flags, DENTRY_LRU, __ATOMIC_RELAXED);
			lru_count++;
		}
		crowded = lru_count > DCACHE_LRU_MAX;
		spin_unlock(&dcache_lock);
		if (unlikely(crowded))
			dcache_shrink(DCACHE_SHRINK_BATCH);
		return false;
	}
	if (!__atomic_compare_exchange_n(&d->refs, &one, DENTRY_DEAD, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_RELAXED)) {
		spin_unlock(&dcache_lock);
		return false;
	}
	detach_locked(d);
	spin_unlock(&dcache_lock);
	*next = dentry_finish(d);
	return true;
}

/* Thread context, no spinlocks: the last reference may free an inode. */
void dentry_put(struct dentry *d)
{
	const u32 resting = DENTRY_HASHED | DENTRY_LRU;

	while (d) {
		u32 old = __atomic_load_n(&d->refs, __ATOMIC_RELAXED);
		struct dentry *next = NULL;

		for (;;) {
			/* Read before the count drops: afterwards it may be freed by others. Who unhashes
			 * holds a reference, so the last one to drop sees it. */
			if (unlikely(old == 1 && (READ_ONCE(d->flags) & resting) != resting)) {
				if (put_slow(d, &next))
					break;
				old = __atomic_load_n(&d->refs, __ATOMIC_RELAXED);
				continue;
			}
			if (__atomic_compare_exchange_n(&d->refs, &old, old - 1, true,
							__ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
				break;
		}
		d = next;
	}
}

/* --- lookup --- */

static struct dentry *find_locked(struct dentry *parent, const char *name, size_t len)
{
	u32 hash = dentry_hash_name(parent, name, len);
	struct dentry *d;

	hlist_for_each_entry(d, dcache_bucket(hash), hash_link)
	{
		if (d->hash == hash && d->parent == parent && d->len == len &&
		    memcmp(d->name, name, len) == 0)
			return d;
	}
	return NULL;
}

struct dentry *dcache_find(struct dentry *parent, const char *name, size_t len)
{
	struct dentry *d;

	spin_lock(&dcache_lock);
	d = find_locked(parent, name, len);
	if (d && !dentry_get_live(d))
		d = NULL;
	spin_unlock(&dcache_lock);
	return d;
}

/* --- changes --- */

static void hash_locked(struct dentry *d)
{
	hlist_add_head(&d->hash_link, dcache_bucket(d->hash));
	__atomic_fetch_or(&d->flags, DENTRY_HASHED, __ATOMIC_RELAXED);
}

/* To the end of its parent's list, with a new cookie: lists stay in the order of cookies. */
static void append_child_locked(struct dentry *d)
{
	if (!list_empty(&d->child_link))
		list_del(&d->child_link);
	d->cookie = next_cookie++;
	list_add_tail(&d->child_link, &d->parent->children);
}

void dcache_instantiate(struct dentry *d, struct inode *inode)
{
	spin_lock(&dcache_lock);
	seq_begin(d);
	rcu_assign(d->inode, inode);
	append_child_locked(d);
	if (!(d->flags & DENTRY_HASHED))
		hash_locked(d);
	seq_end(d);
	spin_unlock(&dcache_lock);
}

void dcache_add(struct dentry *d, struct inode *inode)
{
	dcache_instantiate(d, inode);
}

void dcache_drop(struct dentry *d)
{
	spin_lock(&dcache_lock);
	seq_begin(d);
	unhash_locked(d);
	seq_end(d);
	spin_unlock(&dcache_lock);
}

void dcache_drop_unlinked(struct dentry *d)
{
	spin_lock(&dcache_lock);
	seq_begin(d);
	unhash_locked(d);
	if (!list_empty(&d->child_link))
		list_del_init(&d->child_link);
	__atomic_fetch_or(&d->flags, DENTRY_UNLINKED, __ATOMIC_RELAXED);
	seq_end(d);
	spin_unlock(&dcache_lock);
}

/* Exchanges names; texts that lie in the dentries are exchanged too. */
static void swap_names(struct dentry *a, struct dentry *b)
{
	char text[DENTRY_SHORT];
	const char *a_name = a->name, *b_name = b->name;
	u32 len = a->len;

	memcpy(text, a->short_name, DENTRY_SHORT);
	memcpy(a->short_name, b->short_name, DENTRY_SHORT);
	memcpy(b->short_name, text, DENTRY_SHORT);
	a->name = b_name == b->short_name ? a->short_name : b_name;
	b->name = a_name == a->short_name ? b->short_name : a_name;
	a->len = b->len;
	b->len = len;
}

/* d takes target's name and keeps no copy of its own; target keeps its name if that is short. */
static struct long_name *take_name(struct dentry *d, struct dentry *target)
{
	struct long_name *old = NULL;

	if (target->name != target->short_name) {
		swap_names(d, target);
		return NULL;
	}
	if (d->name != d->short_name)
		old = container_of((char(*)[])(uintptr_t)d->name, struct long_name, text);
	memcpy(d->short_name, target->short_name, DENTRY_SHORT);
	d->name = d->short_name;
	d->len = target->len;
	return old;
}

void dcache_move(struct dentry *d, struct dentry *target)
{
	struct dentry *old_parent = d->parent, *new_parent = target->parent;
	struct long_name *old_name;

	dentry_get(new_parent);
	spin_lock(&dcache_lock);
	seq_begin(d);
	seq_begin(target);
	unhash_locked(target);
	if (target->inode)
		__atomic_fetch_or(&target->flags, DENTRY_UNLINKED, __ATOMIC_RELAXED);
	if (!list_empty(&target->child_link))
		list_del_init(&target->child_link);
	unhash_locked(d);
	old_name = take_name(d, target);
	d->parent = new_parent;
	d->hash = dentry_hash_name(new_parent, d->name, d->len);
	append_child_locked(d);
	hash_locked(d);
	seq_end(target);
	seq_end(d);
	spin_unlock(&dcache_lock);
	if (old_name)
		call_rcu(&old_name->rcu, free_long_name);
	dentry_put(old_parent);
}

void dcache_exchange(struct dentry *a, struct dentry *b)
{
	struct dentry *parent = a->parent;

	spin_lock(&dcache_lock);
	seq_begin(a);
	seq_begin(b);
	unhash_locked(a);
	unhash_locked(b);
	swap_names(a, b);
	a->parent = b->parent;
	b->parent = parent;
	a->hash = dentry_hash_name(a->parent, a->name, a->len);
	b->hash = dentry_hash_name(b->parent, b->name, b->len);
	append_child_locked(a);
	append_child_locked(b);
	hash_locked(a);
	hash_locked(b);
	seq_end(b);
	seq_end(a);
	spin_unlock(&dcache_lock);
}

bool dcache_has_children(struct dentry *dir)
{
	struct dentry *d;
	bool found = false;

	spin_lock(&dcache_lock);
	list_for_each_entry(d, &dir->children, child_link) {
		if (d->inode) {
			found = true;
			break;
		}
	}
	spin_unlock(&dcache_lock);
	return found;
}

/* --- shrinking --- */

/* Marks an unused dentry dead and takes it out of the lists; false: in use. */
static bool kill_unused_locked(struct dentry *d, struct list *dead)
{
	u32 zero = 0;

	if (!__atomic_compare_exchange_n(&d->refs, &zero, DENTRY_DEAD, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_RELAXED))
		return false;
	detach_locked(d);
	list_add_tail(&d->lru_link, dead);
	return true;
}

static unsigned free_dead(struct list *dead)
{
	unsigned n = 0;

	while (!list_empty(dead)) {
		struct dentry *d = list_first_entry(dead, struct dentry, lru_link);

		list_del(&d->lru_link);
		dentry_put(dentry_finish(d));
		n++;
	}
	return n;
}

unsigned dcache_shrink(unsigned want)
{
	DEFINE_LIST(dead);
	unsigned found = 0;

	spin_lock(&dcache_lock);
	for (unsigned seen = 0; found < want && seen < 4 * want && !list_empty(&lru); seen++) {
		struct dentry *d = list_first_entry(&lru, struct dentry, lru_link);

		if (kill_unused_locked(d, &dead)) {
			found++;
			continue;
		}
		list_del(&d->lru_link); /* in use: comes back when it is put */
		lru_count--;
		__atomic_fetch_and(&d->flags, ~(u32)DENTRY_LRU, __ATOMIC_RELAXED);
	}
	spin_unlock(&dcache_lock);
	return free_dead(&dead);
}

void dcache_prune(struct dentry *dir)
{
	struct dentry *d, *n;
	DEFINE_LIST(dead);

	spin_lock(&dcache_lock);
	list_for_each_entry_safe(d, n, &dir->children, child_link) {
		kill_unused_locked(d, &dead);
	}
	spin_unlock(&dcache_lock);
	free_dead(&dead);
}

/* All of a tree nobody uses any more, pinned names too; the root keeps its reference. */
void dcache_free_tree(struct dentry *root)
{
	for (;;) {
		struct dentry *d = root;

		spin_lock(&dcache_lock);
		while (!list_empty(&d->children))
			d = list_first_entry(&d->children, struct dentry, child_link);
		if (d == root) {
			spin_unlock(&dcache_lock);
			return;
		}
		__atomic_store_n(&d->refs, DENTRY_DEAD, __ATOMIC_RELAXED);
		detach_locked(d);
		spin_unlock(&dcache_lock);
		d = dentry_finish(d);
		if (d)
			__atomic_fetch_sub(&d->refs, 1, __ATOMIC_RELAXED);
	}
}

static void dentry_dispose(struct dentry *d)
{
	spin_lock(&dcache_lock);
	detach_locked(d);
	spin_unlock(&dcache_lock);
	dentry_finish(d);
}

/* The root of a super block, after dcache_free_tree(). */
void dcache_free_root(struct dentry *root)
{
	__atomic_store_n(&root->refs, DENTRY_DEAD, __ATOMIC_RELAXED);
	dentry_dispose(root);
}
