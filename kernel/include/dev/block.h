/*
 * Block devices: a registry, and requests of contiguous sectors with a list of memory segments.
 *
 * A request is submitted and completes later, by its callback in interrupt context, or is waited for.
 * Ordering between requests is the submitter's: wait for one before submitting what must follow.
 */
#pragma once
#include <lib/list.h>
#include <lib/types.h>

#define SECTOR_SHIFT 9
#define SECTOR_SIZE (1u << SECTOR_SHIFT)

struct page;
struct blockdev;

enum block_op { BLOCK_READ, BLOCK_WRITE, BLOCK_FLUSH };

/* A piece of physically contiguous memory; length a multiple of SECTOR_SIZE. */
struct block_segment {
	paddr_t pa;
	u32 len;
};

#define BLOCK_MAX_SEGMENTS 32

struct block_request {
	enum block_op op;
	u64 sector;
	unsigned nr_segments;
	struct block_segment segments[BLOCK_MAX_SEGMENTS];
	/* Called once with status set (0, -EIO, -ENOSPC); interrupt context. */
	void (*done)(struct block_request *r);
	int status;
	void *private; /* the submitter's */
	struct list link; /* the device's */
};

struct blockdev_ops {
	/* Takes the request; completes it by block_complete(). Any context. */
	void (*submit)(struct blockdev *b, struct block_request *r);
};

struct blockdev {
	const char *name; /* node below /dev: "vda" */
	dev_t devno;
	u64 nr_sectors; /* of 512 bytes */
	u32 block_size; /* logical, bytes */
	bool read_only;
	const struct blockdev_ops *ops;
	void *private;
	struct list all_link;
};

void blockdev_register(struct blockdev *b);
struct blockdev *blockdev_find(dev_t devno);
struct blockdev *blockdev_find_name(const char *name);
struct blockdev *blockdev_next(struct blockdev *prev); /* NULL: the first; NULL at the end */
extern void (*blockdev_added)(struct blockdev *b); /* set by devfs */

/* Checks bounds and rights, then hands to the driver; a bad one is completed with an error at once. */
void block_submit(struct blockdev *b, struct block_request *r);
/* By drivers: the request is over. */
void block_complete(struct block_request *r, int status);
/* Submits and waits. 0 or -EIO... Thread context. */
int block_submit_wait(struct blockdev *b, struct block_request *r);
/* Reads or writes whole sectors from or to direct-map memory. 0, -EIO, -EINVAL. Thread context. */
int block_rw(struct blockdev *b, enum block_op op, u64 sector, void *buf, size_t n);
int block_flush(struct blockdev *b);
