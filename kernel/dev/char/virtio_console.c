/*
 * virtio console, multiport: named byte channels to the host.
 *
 * Each port is a character device, /dev/vportNpM, and by its name /dev/virtio-ports/NAME (operations in
 * virtio_port.c). The control queue is worked on by a thread (work item), since it makes devices; data
 * queues by the interrupt, which moves filled buffers to the port's ready list and wakes.
 *
 * Locks: con->lock (RANK_DRIVER, interrupts off) for queues, lists and port state; ctrl_lock (mutex) for
 * the control queue's handling. Manual: virtio 1.2, 5.3. Leaves out: removal of ports, window size.
 */
#include <arch/time.h>
#include <debug/klog.h>
#include <dev/chardev.h>
#include <dev/driver.h>
#include <dev/virtio.h>
#include <lib/errno.h>
#include <lib/format.h>
#include <lib/string.h>
#include <mm/page.h>
#include <mm/slab.h>
#include <sched/mutex.h>
#include <sched/thread.h>
#include <sched/work.h>
#include <uapi/poll.h>
#include "virtio_console.h"

#define F_MULTIPORT (1ull << 1)
#define CTRL_BUFFERS 16
#define CTRL_SIZE 256
#define QUEUE_SIZE 64
#define VPORT_MAJOR 240
#define PROBE_WAIT_NS (20 * NSEC_PER_MSEC)

enum ctrl_event {
	CTRL_DEVICE_READY,
	CTRL_PORT_ADD,
	CTRL_PORT_REMOVE,
	CTRL_PORT_READY,
	CTRL_CONSOLE_PORT,
	CTRL_RESIZE,
	CTRL_PORT_OPEN,
	CTRL_PORT_NAME,
};
struct ctrl_msg {
	u32 port;
	u16 event, value;
};

static unsigned nr_consoles;

/* [x] lock. Moves what the host is done with; the poll mask that became true. */
static u32 port_collect(struct port *p)
{
	struct buffer *b;
	u32 key = 0, len;

	while ((b = virtq_get(p->rx, &len))) {
		b->len = min_t(u32, len, PAGE_SIZE);
		list_add_tail(&b->link, &p->ready);
		key |= EPOLLIN | EPOLLRDNORM;
	}
	if (virtq_has_used(p->tx)) {
		port_reclaim(p);
		key |= EPOLLOUT | EPOLLWRNORM;
	}
	return key;
}

static void console_interrupt(struct virtio_device *d)
{
	struct vcon *con = d->driver;
	u32 keys[MAX_PORTS];
	irqflags_t flags = spin_lock_irqsave(&con->lock);
	unsigned n = con->nr_ports; /* may grow when the lock is given up */

	for (unsigned i = 0; i < n; i++)
		keys[i] = con->ports[i].rx ? port_collect(&con->ports[i]) : 0;
	spin_unlock_irqrestore(&con->lock, flags);
	for (unsigned i = 0; i < n; i++)
		if (keys[i])
			waitq_wake_all(&con->ports[i].wait, keys[i]);
	if (con->ctrl_rx && virtq_has_used(con->ctrl_rx))
		work_queue(&con->ctrl_work);
}

/* --- control queue; ctrl_lock held --- */

static void ctrl_send(struct vcon *con, u32 port, u16 event, u16 value)
{
	struct ctrl_msg *m = kmalloc(sizeof(*m), 0), *done;
	struct virtq_buf v = { 0, sizeof(*m) };
	irqflags_t flags;

	if (!m)
		return;
	*m = (struct ctrl_msg){ port, event, value };
	v.pa = virt_to_phys(m);
	flags = spin_lock_irqsave(&con->lock);
	while ((done = virtq_get(con->ctrl_tx, NULL)) != NULL) {
		spin_unlock_irqrestore(&con->lock, flags);
		kfree(done);
		flags = spin_lock_irqsave(&con->lock);
	}
	if (virtq_add(con->ctrl_tx, &v, 1, 0, m))
		log_warn_once("virtio-console: control queue is full");
	virtq_kick(con->ctrl_tx);
	spin_unlock_irqrestore(&con->lock, flags);
}

static void handle_ctrl(struct vcon *con, const struct ctrl_msg *m, u32 len)
{
	struct port *p;
	irqflags_t flags;

	if (len < sizeof(*m) || m->port >= con->nr_ports)
		return;
	p = &con->ports[m->port];
	switch (m->event) {
	case CTRL_PORT_ADD:
		p->added = true;
		ctrl_send(con, m->port, CTRL_PORT_READY, 1);
		break;
	case CTRL_PORT_NAME: {
		size_t n = min_t(size_t, len - sizeof(*m), sizeof(p->name) - 1);

		memcpy(p->name, m + 1, n);
		p->name[n] = 0;
		p->named = true;
		break;
	}
	case CTRL_PORT_OPEN:
		flags = spin_lock_irqsave(&con->lock);
		p->host_open = m->value;
		spin_unlock_irqrestore(&con->lock, flags);
		waitq_wake_all(&p->wait, 0);
		break;
	default: break;
	}
}

static void ctrl_offer(struct vcon *con, void *buf)
{
	struct virtq_buf v = { virt_to_phys(buf), CTRL_SIZE };

	if (virtq_add(con->ctrl_rx, &v, 0, 1, buf))
		log_warn_once("virtio-console: control buffers lost");
}

void vcon_tell_open(struct port *p, bool open)
{
	mutex_lock(&p->con->ctrl_lock);
	ctrl_send(p->con, p->id, CTRL_PORT_OPEN, open);
	mutex_unlock(&p->con->ctrl_lock);
}

/* Without ctrl_lock: making a node takes the file system's locks. */
static void port_register(struct port *p)
{
	if (__atomic_exchange_n(&p->registered, true, __ATOMIC_ACQ_REL))
		return;
	scnprintf(p->dev_name, sizeof(p->dev_name), "vport%up%u", p->con->index, p->id);
	scnprintf(p->link, sizeof(p->link), "virtio-ports/%s", p->name);
	p->chardev = (struct chardev){
		.name = p->dev_name,
		.link = p->name[0] && !strchr(p->name, '/') ? p->link : NULL,
		.devno = DEV_NUMBER(VPORT_MAJOR, p->con->index * MAX_PORTS + p->id),
		.mode = 0600,
		.ops = &port_ops,
		.private = p,
	};
	chardev_register(&p->chardev);
}

/* Handles what has come; true if there was anything. */
static bool ctrl_drain(struct vcon *con)
{
	bool any = false;
	irqflags_t flags;
	void *buf;
	u32 len;

	mutex_lock(&con->ctrl_lock);
	flags = spin_lock_irqsave(&con->lock);
	while ((buf = virtq_get(con->ctrl_rx, &len))) {
		spin_unlock_irqrestore(&con->lock, flags);
		handle_ctrl(con, buf, min_t(u32, len, CTRL_SIZE));
		any = true;
		flags = spin_lock_irqsave(&con->lock);
		ctrl_offer(con, buf);
	}
	virtq_kick(con->ctrl_rx);
	spin_unlock_irqrestore(&con->lock, flags);
	mutex_unlock(&con->ctrl_lock);
	for (unsigned i = 0; i < con->nr_ports; i++)
		if (con->ports[i].named)
			port_register(&con->ports[i]);
	return any;
}

static void ctrl_work(struct work *w)
{
	ctrl_drain(container_of(w, struct vcon, ctrl_work));
}

/* --- start --- */

static int port_init(struct vcon *con, unsigned id)
{
	struct port *p = &con->ports[id];
	u16 rx = (u16)(id ? 2 * id + 2 : 0);
	int error;

	p->con = con;
	p->id = id;
	list_init(&p->ready);
	list_init(&p->free);
	mutex_init(&p->read_lock, "vport read", RANK_TTY);
	mutex_init(&p->write_lock, "vport write", RANK_TTY);
	waitq_init(&p->wait);
	error = virtio_queue_create(con->vdev, (u16)(rx + 1), QUEUE_SIZE, &p->tx);
	if (!error)
		error = virtio_queue_create(con->vdev, rx, QUEUE_SIZE, &p->rx);
	if (!error)
		virtq_disable_interrupts(p->tx);
	return error;
}

static int queues_init(struct vcon *con)
{
	int error = 0;

	for (unsigned i = 0; i < con->nr_ports && !error; i++)
		error = port_init(con, i);
	if (!error)
		error = virtio_queue_create(con->vdev, 2, CTRL_BUFFERS, &con->ctrl_rx);
	if (!error)
		error = virtio_queue_create(con->vdev, 3, CTRL_BUFFERS * 2, &con->ctrl_tx);
	for (unsigned i = 0; !error && i < CTRL_BUFFERS; i++) {
		void *buf = kzalloc(CTRL_SIZE);

		if (!buf)
			return -ENOMEM;
		ctrl_offer(con, buf);
	}
	return error;
}

/* All that was added has a name or is open: nothing more is to be expected. */
static bool ports_settled(struct vcon *con)
{
	bool any = false;

	for (unsigned i = 0; i < con->nr_ports; i++) {
		any |= con->ports[i].added;
		if (con->ports[i].added && !con->ports[i].registered)
			return false;
	}
	return any;
}

/* Waits for the host to present its ports, so that they are there when /dev is mounted. */
static void ports_discover(struct vcon *con)
{
	u64 end = arch_clock_ns() + PROBE_WAIT_NS;

	ctrl_send(con, 0, CTRL_DEVICE_READY, 1);
	do {
		while (ctrl_drain(con))
			;
		if (ports_settled(con))
			return;
		sched_sleep_until(arch_clock_ns() + NSEC_PER_MSEC / 4, false);
	} while (arch_clock_ns() < end);
	for (unsigned i = 0; i < con->nr_ports; i++)
		if (con->ports[i].added)
			port_register(&con->ports[i]);
}

static int console_start(struct virtio_device *d)
{
	struct vcon *con = kzalloc(sizeof(*con));
	int error;

	if (!con)
		return -ENOMEM;
	con->vdev = d;
	con->index = nr_consoles++;
	spin_init(&con->lock, "virtio-console", RANK_DRIVER);
	mutex_init(&con->ctrl_lock, "vport control", RANK_DEVICE);
	work_init(&con->ctrl_work, ctrl_work);
	d->driver = con;
	error = virtio_begin(d, F_MULTIPORT, console_interrupt);
	if (error)
		return error;
	if (!(d->features & F_MULTIPORT)) {
		log_info("virtio-console: single port, not used");
		return 0;
	}
	con->nr_ports = min_t(u32, virtio_config_u32(d, 4), MAX_PORTS);
	error = queues_init(con);
	if (error) {
		virtio_fail(d);
		return error;
	}
	virtio_ready(d);
	virtq_kick(con->ctrl_rx);
	ports_discover(con);
	return 0;
}

DRIVER(virtio_console, DRIVER_CLASS)
{
	struct virtio_device *d = NULL;
	int error = 0;

	while (!error && (d = virtio_next(d, VIRTIO_CONSOLE)))
		error = console_start(d);
	return error;
}
