/*
 * virtio: devices, their transports, and split virtqueues.
 *
 * A transport (PCI or memory-mapped registers) finds devices and adds them to a list; a driver goes through
 * the list for its device type. Queues are not locked here: the driver's lock covers add, kick and get.
 * Manual: virtio 1.2.
 */
#pragma once
#include <lib/list.h>
#include <lib/types.h>

enum virtio_id {
	VIRTIO_NET = 1,
	VIRTIO_BLOCK = 2,
	VIRTIO_CONSOLE = 3,
	VIRTIO_RNG = 4,
	VIRTIO_GPU = 16,
	VIRTIO_INPUT = 18,
};

#define VIRTIO_F_INDIRECT (1ull << 28)
#define VIRTIO_F_EVENT_IDX (1ull << 29)
#define VIRTIO_F_VERSION_1 (1ull << 32)

struct virtq_desc {
	u64 addr;
	u32 len;
	u16 flags, next;
};
struct virtq_avail {
	u16 flags, idx, ring[];
};
struct virtq_used_elem {
	u32 id, len;
};
struct virtq_used {
	u16 flags, idx;
	struct virtq_used_elem ring[];
};

struct virtio_device;

struct virtq {
	struct virtio_device *dev;
	u16 index, size;
	u16 free_head, nr_free;
	u16 last_used; /* next used entry to look at */
	u16 avail_idx; /* next available entry to fill */
	u16 kicked_idx; /* avail_idx at the last kick */
	bool event_idx;
	struct virtq_desc *desc;
	struct virtq_avail *avail;
	struct virtq_used *used;
	void **tokens; /* by head descriptor */
	void *notify; /* the transport's */
};

struct virtq_buf {
	paddr_t pa;
	u32 len;
};

struct virtio_transport {
	u8 (*get_status)(struct virtio_device *d);
	void (*set_status)(struct virtio_device *d, u8 status); /* 0: reset, and waits for it */
	u64 (*get_features)(struct virtio_device *d);
	void (*set_features)(struct virtio_device *d, u64 features);
	void (*config_read)(struct virtio_device *d, unsigned offset, void *buf, unsigned n);
	u16 (*queue_max)(struct virtio_device *d, u16 index); /* 0: no such queue */
	int (*queue_start)(struct virtio_device *d, struct virtq *q);
	void (*queue_notify)(struct virtq *q);
	/* Routes queue and configuration interrupts to fn(d); before queues are started. */
	int (*interrupts)(struct virtio_device *d);
};

struct virtio_device {
	u32 id; /* enum virtio_id */
	const struct virtio_transport *transport;
	u64 features; /* agreed upon */
	bool legacy; /* before 1.0 */
	/* The driver's: called in interrupt context. */
	void (*interrupt)(struct virtio_device *d);
	void *driver;
	struct list link;
};

void virtio_add_device(struct virtio_device *d); /* by transports */
struct virtio_device *virtio_next(struct virtio_device *prev,
				  u32 id); /* NULL: the first; NULL: none */

/* Resets, agrees on the features of `wanted` the device has. 0, -ENODEV, or the transport's error. */
int virtio_begin(struct virtio_device *d, u64 wanted, void (*interrupt)(struct virtio_device *));
int virtio_queue_create(struct virtio_device *d, u16 index, u16 max_size, struct virtq **out);
void virtio_ready(struct virtio_device *d); /* DRIVER_OK: queues run from here on */
void virtio_fail(struct virtio_device *d);
u32 virtio_config_u32(struct virtio_device *d, unsigned offset);
u64 virtio_config_u64(struct virtio_device *d, unsigned offset);
u16 virtio_config_u16(struct virtio_device *d, unsigned offset);

/* Offers a chain: the first `out` buffers are read by the device, the next `in` are written. -ENOSPC when
 * there are too few descriptors. */
int virtq_add(struct virtq *q, const struct virtq_buf *bufs, unsigned out, unsigned in,
	      void *token);
void virtq_kick(struct virtq *q); /* tells the device of what was added, if it wants to know */
/* The token of a chain that the device is done with, or NULL; *len the bytes it wrote. */
void *virtq_get(struct virtq *q, u32 *len);
static inline bool virtq_has_used(const struct virtq *q)
{
	return __atomic_load_n(&q->used->idx, __ATOMIC_ACQUIRE) != q->last_used;
}
/* Interrupts for used buffers; a hint. After enabling, look at the queue once more: true if there is
 * something already. */
bool virtq_enable_interrupts(struct virtq *q);
void virtq_disable_interrupts(struct virtq *q);

/* For transports: memory of the three parts. */
paddr_t virtq_desc_pa(const struct virtq *q);
paddr_t virtq_avail_pa(const struct virtq *q);
paddr_t virtq_used_pa(const struct virtq *q);
