/*
 * virtio graphics: one screen, 2D.
 *
 * The pixels are ordinary memory, given to the device as the backing of resource 1, which is scanout 0. What
 * was drawn is shown by two commands, one that copies a rectangle to the device's own memory and one that
 * shows it; both go in one notification, and the interrupt of their end wakes who asked. The size is the one
 * the display has at the start: later changes are not followed.
 *
 * Locks: busy (a mutex) for the commands, from filling them to their end; lock (RANK_DRIVER, interrupts off)
 * for the queue. A panic takes none: it has commands of its own, and room for them is never used otherwise.
 * Manual: virtio 1.2, 5.7.
 */
#include <arch/mmu.h>
#include <arch/time.h>
#include <core/spinlock.h>
#include <core/time.h>
#include <debug/klog.h>
#include <dev/driver.h>
#include <dev/video.h>
#include <dev/virtio.h>
#include <lib/errno.h>
#include <mm/pgtable.h>
#include <mm/slab.h>
#include <mm/vmalloc.h>
#include <sched/mutex.h>
#include <sched/waitq.h>

#define QUEUE_SIZE 16
#define SCANOUTS 16
#define RESOURCE 1
#define FORMAT_B8G8R8X8 2
#define SIDE_MIN 64
#define SIDE_MAX 4096
#define PATIENCE_NS NSEC_PER_SEC

enum request_type {
	GET_DISPLAY_INFO = 0x100,
	RESOURCE_CREATE_2D,
	RESOURCE_UNREF,
	SET_SCANOUT,
	RESOURCE_FLUSH,
	TRANSFER_TO_HOST_2D,
	RESOURCE_ATTACH_BACKING,
};
enum { OK_NODATA = 0x1100, OK_DISPLAY_INFO };

struct header {
	u32 type, flags;
	u64 fence;
	u32 context, ring;
};

struct request {
	struct header header;
	union {
		struct {
			u32 resource, format, width, height;
		} create;
		struct {
			u32 resource, nr_entries;
		} attach;
		struct {
			struct video_rect rect;
			u32 scanout, resource;
		} scanout;
		struct {
			struct video_rect rect;
			u64 offset;
			u32 resource, padding;
		} transfer;
		struct {
			struct video_rect rect;
			u32 resource, padding;
		} flush;
	};
};

struct backing {
	u64 address;
	u32 len, padding;
};

struct reply {
	struct header header;
	struct {
		struct video_rect rect;
		u32 enabled, flags;
	} displays[SCANOUTS];
};

struct command {
	struct request request;
	struct reply reply;
	bool done; /* [a] */
};

struct gpu {
	struct video video;
	struct virtio_device *vdev;
	struct virtq *queue; /* [x] lock */
	struct spinlock lock;
	struct waitq wait;
	bool dead; /* [x] busy: a command never ended: the device may still write to it */
	struct mutex busy;
	struct command commands[2]; /* [x] busy */
	struct command panic_commands[2];
};

static void gpu_interrupt(struct virtio_device *d)
{
	struct gpu *g = d->driver;
	irqflags_t flags = spin_lock_irqsave(&g->lock);
	struct command *c;

	do {
		while ((c = virtq_get(g->queue, NULL)))
			smp_store_release(&c->done, true);
	} while (virtq_enable_interrupts(g->queue));
	spin_unlock_irqrestore(&g->lock, flags);
	waitq_wake_all(&g->wait, 0);
}

/* Puts c in the queue, with n bytes at `more` behind its request. */
static int submit(struct gpu *g, struct command *c, const void *more, size_t n)
{
	struct virtq_buf bufs[3] = { { virt_to_phys(&c->request), sizeof(c->request) } };
	unsigned out = 1;

	if (more) {
		/* The request proper ends before its union's largest member. */
		bufs[0].len = sizeof(c->request.header) + sizeof(c->request.attach);
		bufs[out++] = (struct virtq_buf){ virt_to_phys(more), (u32)n };
	}
	bufs[out] = (struct virtq_buf){ virt_to_phys(&c->reply), sizeof(c->reply) };
	c->reply.header.type = 0;
	c->done = false;
	return virtq_add(g->queue, bufs, out, 1, c);
}

static bool ended(struct gpu *g, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (!smp_load_acquire(&g->commands[i].done))
			return false;
	return true;
}

/* Runs the first n commands; `more` belongs to the first. 0, or -EIO. Thread context. */
static int run_commands(struct gpu *g, unsigned n, const void *more, size_t size)
{
	irqflags_t flags;
	int error = 0;

	if (g->dead)
		return -EIO;
	flags = spin_lock_irqsave(&g->lock);
	for (unsigned i = 0; i < n && !error; i++)
		error = submit(g, &g->commands[i], i ? NULL : more, size);
	virtq_kick(g->queue);
	spin_unlock_irqrestore(&g->lock, flags);
	if (!error)
		error = waitq_wait(&g->wait, ended(g, n), SLEEP_UNINTERRUPTIBLE,
				   arch_clock_ns() + PATIENCE_NS);
	if (error) {
		g->dead = true;
		log_err("virtio-gpu: a command did not end: the screen stays as it is");
		return -EIO;
	}
	for (unsigned i = 0; i < n; i++)
		if (g->commands[i].reply.header.type < OK_NODATA ||
		    g->commands[i].reply.header.type > OK_DISPLAY_INFO)
			return -EIO;
	return 0;
}

static struct request *begin(struct command *c, enum request_type type)
{
	c->request = (struct request){ .header.type = type };
	return &c->request;
}

/* --- showing --- */

static void fill_flush(struct gpu *g, struct command c[2], const struct video_rect *r)
{
	struct request *transfer = begin(&c[0], TRANSFER_TO_HOST_2D);
	struct request *flush = begin(&c[1], RESOURCE_FLUSH);

	transfer->transfer.rect = flush->flush.rect = *r;
	transfer->transfer.offset = ((u64)r->y * g->video.width + r->x) * sizeof(u32);
	transfer->transfer.resource = flush->flush.resource = RESOURCE;
}

static int gpu_flush(struct video *v, const struct video_rect *r)
{
	struct gpu *g = container_of(v, struct gpu, video);
	int error;

	mutex_lock(&g->busy);
	fill_flush(g, g->commands, r);
	error = run_commands(g, 2, NULL, 0);
	mutex_unlock(&g->busy);
	return error;
}

static void gpu_flush_panic(struct video *v, const struct video_rect *r)
{
	struct gpu *g = container_of(v, struct gpu, video);

	fill_flush(g, g->panic_commands, r);
	if (!submit(g, &g->panic_commands[0], NULL, 0) &&
	    !submit(g, &g->panic_commands[1], NULL, 0))
		virtq_kick(g->queue);
}

/* --- start --- */

static u32 side_or(u32 n, u32 absent)
{
	return n < SIDE_MIN ? absent : min_t(u32, n, SIDE_MAX);
}

static int read_size(struct gpu *g)
{
	const struct video_rect *r = &g->commands[0].reply.displays[0].rect;
	int error;

	begin(&g->commands[0], GET_DISPLAY_INFO);
	error = run_commands(g, 1, NULL, 0);
	if (error)
		return error;
	g->video.width = side_or(r->width, 1024);
	g->video.height = side_or(r->height, 768);
	return 0;
}

static paddr_t page_at(const void *va)
{
	int level;

	return pte_paddr(pte_read(pgtable_lookup(kernel_root, (vaddr_t)va, &level)));
}

/* The pieces of contiguous memory behind size bytes at va; how many. */
static u32 list_backing(const char *va, size_t size, struct backing *out)
{
	u32 n = 0;

	for (size_t at = 0; at < size; at += PAGE_SIZE) {
		paddr_t pa = page_at(va + at);

		if (n && out[n - 1].address + out[n - 1].len == pa)
			out[n - 1].len += PAGE_SIZE;
		else
			out[n++] = (struct backing){ pa, PAGE_SIZE, 0 };
	}
	return n;
}

static int attach_memory(struct gpu *g, size_t size)
{
	struct backing *list = kzalloc(size / PAGE_SIZE * sizeof(*list));
	struct request *r = begin(&g->commands[0], RESOURCE_ATTACH_BACKING);
	int error;

	if (!list)
		return -ENOMEM;
	r->attach.resource = RESOURCE;
	r->attach.nr_entries = list_backing((const char *)g->video.pixels, size, list);
	error = run_commands(g, 1, list, r->attach.nr_entries * sizeof(*list));
	if (!g->dead)
		kfree(list);
	return error;
}

static int make_screen(struct gpu *g)
{
	struct video *v = &g->video;
	size_t size = ALIGN_UP((size_t)v->width * v->height * sizeof(u32), PAGE_SIZE);
	struct request *r = begin(&g->commands[0], RESOURCE_CREATE_2D);
	int error;

	v->pixels = vmalloc(size);
	if (!v->pixels)
		return -ENOMEM;
	r->create.resource = RESOURCE;
	r->create.format = FORMAT_B8G8R8X8;
	r->create.width = v->width;
	r->create.height = v->height;
	error = run_commands(g, 1, NULL, 0);
	if (!error)
		error = attach_memory(g, size);
	if (error)
		return error;
	r = begin(&g->commands[0], SET_SCANOUT);
	r->scanout.rect = (struct video_rect){ 0, 0, v->width, v->height };
	r->scanout.resource = RESOURCE;
	return run_commands(g, 1, NULL, 0);
}

static int gpu_init(struct gpu *g)
{
	int error = virtio_begin(g->vdev, VIRTIO_F_EVENT_IDX, gpu_interrupt);

	if (!error)
		error = virtio_queue_create(g->vdev, 0, QUEUE_SIZE, &g->queue);
	if (error)
		return error;
	virtq_enable_interrupts(g->queue);
	virtio_ready(g->vdev);
	error = read_size(g);
	return error ? error : make_screen(g);
}

static int gpu_start(struct virtio_device *d)
{
	struct gpu *g = kzalloc(sizeof(*g));
	int error;

	if (!g)
		return -ENOMEM;
	g->vdev = d;
	d->driver = g;
	spin_init(&g->lock, "virtio-gpu", RANK_DRIVER);
	waitq_init(&g->wait);
	mutex_init(&g->busy, "virtio-gpu", RANK_DEVICE);
	g->video.flush = gpu_flush;
	g->video.flush_panic = gpu_flush_panic;
	error = gpu_init(g);
	if (error) { /* what the device may know of stays */
		virtio_fail(d);
		return error;
	}
	video_register(&g->video);
	log_info("virtio-gpu: %ux%u", g->video.width, g->video.height);
	return 0;
}

DRIVER(virtio_gpu, DRIVER_CLASS)
{
	struct virtio_device *d = virtio_next(NULL, VIRTIO_GPU);

	return d ? gpu_start(d) : 0;
}
