/*
 * Block devices: the registry, and the generic part of requests.
 *
 * A request is checked here and given to the driver, which completes it in its interrupt; there is no queue
 * in between, since the device has one. Devices are never removed. Locks: registry_lock for the list.
 */
#include <arch/mmu.h>
#include <core/spinlock.h>
#include <dev/block.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <sched/sync.h>

static DEFINE_LIST(devices); /* [x] registry_lock */
static struct spinlock registry_lock = SPINLOCK_INIT("blockdevs", RANK_DRIVER);
void (*blockdev_added)(struct blockdev *b);

void blockdev_register(struct blockdev *b)
{
	void (*added)(struct blockdev *);

	spin_lock(&registry_lock);
	list_add_tail(&b->all_link, &devices);
	added = READ_ONCE(blockdev_added);
	spin_unlock(&registry_lock);
	if (added)
		added(b);
}

struct blockdev *blockdev_next(struct blockdev *prev)
{
	struct list *next;

	spin_lock(&registry_lock);
	next = prev ? prev->all_link.next : devices.next;
	spin_unlock(&registry_lock);
	return next == &devices ? NULL : list_entry(next, struct blockdev, all_link);
}

struct blockdev *blockdev_find(dev_t devno)
{
	struct blockdev *b = NULL;

	while ((b = blockdev_next(b)) && b->devno != devno)
		;
	return b;
}

struct blockdev *blockdev_find_name(const char *name)
{
	struct blockdev *b = NULL;

	while ((b = blockdev_next(b)) && strcmp(b->name, name) != 0)
		;
	return b;
}

static int check_request(const struct blockdev *b, const struct block_request *r)
{
	u64 bytes = 0;

	if (r->op == BLOCK_FLUSH)
		return r->nr_segments ? -EINVAL : 0;
	if (!r->nr_segments || r->nr_segments > BLOCK_MAX_SEGMENTS)
		return -EINVAL;
	for (unsigned i = 0; i < r->nr_segments; i++) {
		if (!r->segments[i].len || r->segments[i].len % SECTOR_SIZE)
			return -EINVAL;
		bytes += r->segments[i].len;
	}
	if (r->sector > b->nr_sectors || bytes >> SECTOR_SHIFT > b->nr_sectors - r->sector)
		return r->op == BLOCK_WRITE ? -ENOSPC : -EIO;
	return r->op == BLOCK_WRITE && b->read_only ? -EROFS : 0;
}

void block_submit(struct blockdev *b, struct block_request *r)
{
	int error = check_request(b, r);

	if (error)
		block_complete(r, error);
	else
		b->ops->submit(b, r);
}

void block_complete(struct block_request *r, int status)
{
	r->status = status;
	r->done(r);
}

static void wake_waiter(struct block_request *r)
{
	completion_done(r->private);
}

int block_submit_wait(struct blockdev *b, struct block_request *r)
{
	struct completion done;

	completion_init(&done);
	r->done = wake_waiter;
	r->private = &done;
	block_submit(b, r);
	completion_wait(&done);
	r->private = NULL;
	return r->status;
}

#define RW_MAX (256 * 1024u) /* bytes a request */

int block_rw(struct blockdev *b, enum block_op op, u64 sector, void *buf, size_t n)
{
	struct block_request r;

	if (n % SECTOR_SIZE)
		return -EINVAL;
	for (size_t done = 0; done < n;) {
		u32 part = (u32)min(n - done, (size_t)RW_MAX);
		int error;

		r.op = op;
		r.sector = sector + (done >> SECTOR_SHIFT);
		r.nr_segments = 1;
		r.segments[0] = (struct block_segment){ virt_to_phys((char *)buf + done), part };
		error = block_submit_wait(b, &r);
		if (error)
			return error;
		done += part;
	}
	return 0;
}

int block_flush(struct blockdev *b)
{
	struct block_request r;

	r.op = BLOCK_FLUSH;
	r.nr_segments = 0;
	return block_submit_wait(b, &r);
}
