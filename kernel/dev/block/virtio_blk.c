/*
 * virtio block devices: /dev/vda and on.
 *
 * One queue. A request becomes a chain: header, segments, status byte; header and status are in a slot of
 * the driver's, and requests that find no slot or descriptors wait in a list until others complete.
 * disk->lock (RANK_DRIVER, interrupts off) guards queue, slots and list; completions run after it is
 * dropped. Manual: virtio 1.2, 5.2.
 */
#include <arch/mmu.h>
#include <core/spinlock.h>
#include <debug/klog.h>
#include <dev/block.h>
#include <dev/driver.h>
#include <dev/virtio.h>
#include <lib/errno.h>
#include <mm/slab.h>

#define F_READ_ONLY (1ull << 5)
#define F_BLOCK_SIZE (1ull << 6)
#define F_FLUSH (1ull << 9)
#define QUEUE_SIZE 256
#define NR_SLOTS 32
#define VIRTBLK_MAJOR 254
#define MAX_DISKS 8
enum { TYPE_IN = 0, TYPE_OUT = 1, TYPE_FLUSH = 4 };

struct slot {
	struct {
		u32 type, reserved;
		u64 sector;
	} header;
	u8 status;
	struct block_request *request; /* NULL: free */
};

struct disk {
	struct blockdev bdev;
	struct virtio_device *vdev;
	struct virtq *queue;
	struct spinlock lock;
	struct slot *slots; /* [x] lock */
	struct list waiting; /* [x] lock: requests */
	char name[8];
};

static unsigned nr_disks;

static struct slot *free_slot(struct disk *d)
{
	for (unsigned i = 0; i < NR_SLOTS; i++)
		if (!d->slots[i].request)
			return &d->slots[i];
	return NULL;
}

/* Lock held; false: no room now. */
static bool start_request(struct disk *d, struct block_request *r)
{
	struct virtq_buf bufs[BLOCK_MAX_SEGMENTS + 2];
	struct slot *s = free_slot(d);
	bool write = r->op == BLOCK_WRITE;
	unsigned n = r->nr_segments;

	if (!s || d->queue->nr_free < n + 2)
		return false;
	s->header.type = r->op == BLOCK_FLUSH ? TYPE_FLUSH : write ? TYPE_OUT : TYPE_IN;
	s->header.reserved = 0;
	s->header.sector = r->op == BLOCK_FLUSH ? 0 : r->sector;
	s->status = 0xff;
	bufs[0] = (struct virtq_buf){ virt_to_phys(&s->header), sizeof(s->header) };
	for (unsigned i = 0; i < n; i++)
		bufs[1 + i] = (struct virtq_buf){ r->segments[i].pa, r->segments[i].len };
	bufs[1 + n] = (struct virtq_buf){ virt_to_phys(&s->status), 1 };
	if (virtq_add(d->queue, bufs, write ? 1 + n : 1, write ? 1 : n + 1, s))
		return false;
	s->request = r;
	return true;
}

static void submit(struct blockdev *b, struct block_request *r)
{
	struct disk *d = b->private;
	irqflags_t flags;

	if (r->op == BLOCK_FLUSH && !(d->vdev->features & F_FLUSH)) {
		block_complete(r, 0); /* writes through */
		return;
	}
	flags = spin_lock_irqsave(&d->lock);
	if (!list_empty(&d->waiting) || !start_request(d, r))
		list_add_tail(&r->link, &d->waiting);
	else
		virtq_kick(d->queue);
	spin_unlock_irqrestore(&d->lock, flags);
}

static void start_waiting(struct disk *d)
{
	while (!list_empty(&d->waiting)) {
		struct block_request *r = list_first_entry(&d->waiting, struct block_request, link);

		if (!start_request(d, r))
			break;
		list_del(&r->link);
	}
	virtq_kick(d->queue);
}

static void disk_interrupt(struct virtio_device *v)
{
	struct disk *d = v->driver;
	struct list done = LIST_INIT(done);
	struct block_request *r, *n;
	irqflags_t flags = spin_lock_irqsave(&d->lock);
	struct slot *s;

	do {
		while ((s = virtq_get(d->queue, NULL))) {
			s->request->status = s->status ? -EIO : 0;
			list_add_tail(&s->request->link, &done);
			s->request = NULL;
		}
	} while (virtq_enable_interrupts(d->queue));
	if (!list_empty(&d->waiting))
		start_waiting(d);
	spin_unlock_irqrestore(&d->lock, flags);
	list_for_each_entry_safe(r, n, &done, link)
		block_complete(r, r->status);
}

static const struct blockdev_ops disk_ops = { .submit = submit };

static int disk_init(struct disk *d)
{
	struct virtio_device *v = d->vdev;
	int error = virtio_begin(v, F_READ_ONLY | F_BLOCK_SIZE | F_FLUSH | VIRTIO_F_EVENT_IDX,
				 disk_interrupt);

	if (!error)
		error = virtio_queue_create(v, 0, QUEUE_SIZE, &d->queue);
	if (error)
		return error;
	d->slots = kzalloc(sizeof(*d->slots) * NR_SLOTS);
	if (!d->slots)
		return -ENOMEM;
	virtq_enable_interrupts(d->queue);
	virtio_ready(v);
	return 0;
}

static void disk_describe(struct disk *d)
{
	struct virtio_device *v = d->vdev;

	d->name[0] = 'v';
	d->name[1] = 'd';
	d->name[2] = (char)('a' + nr_disks);
	d->bdev = (struct blockdev){
		.name = d->name,
		.devno = (u64)VIRTBLK_MAJOR << 8 | nr_disks * 16,
		.nr_sectors = virtio_config_u64(v, 0),
		.block_size = v->features & F_BLOCK_SIZE ? virtio_config_u32(v, 20) : SECTOR_SIZE,
		.read_only = v->features & F_READ_ONLY,
		.ops = &disk_ops,
		.private = d,
	};
}

static int disk_start(struct virtio_device *v)
{
	struct disk *d = kzalloc(sizeof(*d));
	int error;

	if (!d)
		return -ENOMEM;
	d->vdev = v;
	v->driver = d;
	spin_init(&d->lock, "virtio-blk", RANK_DRIVER);
	list_init(&d->waiting);
	error = disk_init(d);
	if (error) {
		virtio_fail(v);
		return error;
	}
	disk_describe(d);
	nr_disks++;
	blockdev_register(&d->bdev);
	log_info("virtio-blk: %s: %llu MiB%s", d->name, d->bdev.nr_sectors >> 11,
		 d->bdev.read_only ? ", read-only" : "");
	return 0;
}

DRIVER(virtio_blk, DRIVER_CLASS)
{
	struct virtio_device *v = NULL;
	int error = 0;

	while (!error && nr_disks < MAX_DISKS && (v = virtio_next(v, VIRTIO_BLOCK)))
		error = disk_start(v);
	return error;
}
