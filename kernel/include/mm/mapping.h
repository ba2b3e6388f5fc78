/*
 * Page cache: the pages of one file (or of a shared anonymous object), by index.
 *
 * Lookups are lock-free (rcu + reference taken if non-zero + re-check). A mapping belongs to an inode; the
 * file system's operations fill and write pages. tmpfs keeps its data here and nowhere else.
 */
#pragma once
#include <lib/radix.h>
#include <mm/page.h>

struct inode;
struct mapping;

struct mapping_ops {
	/* Fills a new page (locked). NULL: zero it. 0 or -EIO. May sleep. */
	int (*read_page)(struct mapping *m, struct page *p);
	/* Writes a dirty page back. NULL: memory only, never reclaimed. */
	int (*write_page)(struct mapping *m, struct page *p);
	/* Size of the object in bytes, for SIGBUS past the end. */
	u64 (*size)(struct mapping *m);
};

struct mapping {
	struct radix_root pages; /* [x] lock for changes; rcu for lookups */
	struct spinlock lock;
	struct list vmas; /* [x] lock */
	u64 nr_pages; /* [x] lock */
	const struct mapping_ops *ops;
	struct inode *host; /* NULL for shared anonymous memory */
	void *private;
	u64 anon_size; /* [I] bytes, of a shared anonymous object */
	struct refcount refs; /* of a shared anonymous object */
};
#define MAPPING_TAG_DIRTY 0

void mapping_init(struct mapping *m, const struct mapping_ops *ops, struct inode *host);
void mapping_fini(struct mapping *m); /* drops all pages */

/* The page at index, refs taken, up to date; created (zeroed or read) if missing. 0, -ENOMEM, -EIO. */
int mapping_get_page(struct mapping *m, u64 index, struct page **out);
/* Only if present: refs taken, or NULL. */
struct page *mapping_find_page(struct mapping *m, u64 index);
void mapping_mark_dirty(struct mapping *m, struct page *p);
/* Inserts a caller's page, up to date (initramfs adoption: frames of the initrd will do). The cache takes
 * a reference of its own. 0, -EEXIST, -ENOMEM. */
int mapping_add_page(struct mapping *m, u64 index, struct page *p);
/* Drops pages from `first` on (to `last` inclusive, ~0 for all), unmapping them everywhere. The byte
 * tail of a partial page is the caller's to clear. */
void mapping_truncate(struct mapping *m, u64 first, u64 last);
/* Writes dirty pages first..last back and waits. 0, or the first error of write_page. */
int mapping_sync(struct mapping *m, u64 first, u64 last);
/* How many of the pages first.. are there, up to n; pages[i] gets a reference, or is NULL. */
unsigned mapping_find_pages(struct mapping *m, u64 first, unsigned n, struct page **pages);

/* Is it mapped shared by anybody who may (come to) write through it? For seals. */
bool mapping_has_writable_maps(struct mapping *m);

/* The lock of one page (contents being read or written back). Thread context, may sleep. */
void page_lock(struct page *p);
bool page_trylock(struct page *p);
void page_unlock(struct page *p);

/* A new shared anonymous object: refs by vmas; freed with the last. */
int mapping_create_anon(struct mapping **out, u64 size);
void mapping_get(struct mapping *m);
void mapping_put(struct mapping *m);
