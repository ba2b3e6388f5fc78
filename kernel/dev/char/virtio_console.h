/* The two halves of the virtio console driver: virtio_console.c (device, control), virtio_port.c (files). */
#pragma once
#include <dev/chardev.h>
#include <dev/virtio.h>
#include <sched/mutex.h>
#include <sched/work.h>

#define MAX_PORTS 8

struct buffer {
	struct list link;
	struct page *page;
	char *data;
	u32 len, pos; /* received: bytes in it, bytes read */
};

struct vcon;

struct port {
	struct vcon *con;
	unsigned id;
	bool added, named; /* [x] ctrl_lock */
	bool registered; /* [a] */
	bool host_open; /* [x] lock */
	unsigned opens; /* [x] write_lock */
	struct virtq *rx, *tx;
	struct list ready; /* [x] lock: filled, in order */
	struct list free; /* [x] lock: chunks to write from */
	unsigned in_flight; /* [x] lock: chunks with the host */
	struct mutex read_lock, write_lock;
	struct waitq wait;
	struct chardev chardev;
	char name[32], dev_name[16], link[48];
};

struct vcon {
	struct virtio_device *vdev;
	struct spinlock lock;
	struct mutex ctrl_lock;
	struct virtq *ctrl_rx, *ctrl_tx;
	struct work ctrl_work;
	unsigned index, nr_ports;
	struct port ports[MAX_PORTS];
};

extern const struct chardev_ops port_ops;
void port_reclaim(struct port *p); /* [x] lock. Chunks the host is done with become free. */
void vcon_tell_open(struct port *p, bool open); /* thread context */
