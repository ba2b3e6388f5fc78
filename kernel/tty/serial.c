/*
 * Terminals on serial ports, and which of them is the console.
 *
 * The driver's interrupt puts bytes into a ring; a work item gives them to the line discipline under the
 * terminal's lock, as far as there is room, and goes on when somebody has read. Output is sent at once by the
 * driver. The first port is /dev/console.
 */
#include <debug/klog.h>
#include <dev/serial.h>
#include <lib/errno.h>
#include <lib/ring.h>
#include <mm/slab.h>
#include <sched/work.h>
#include "internal.h"

#define RX_RING 4096

struct serial_tty {
	struct tty tty;
	struct serial_port *port;
	struct ring rx; /* interrupt → work */
	struct work work;
	struct chardev chardev;
	u8 rx_buf[RX_RING];
};

static struct tty *console_tty; /* [I] after tty_serial_init() */

struct tty *tty_console(void)
{
	return console_tty;
}

static void rx_work(struct work *w)
{
	struct serial_tty *s = container_of(w, struct serial_tty, work);
	u8 *data;
	u32 n;

	mutex_lock(s->tty.lock);
	while ((n = ring_span(&s->rx, &data)) != 0) {
		size_t taken = tty_receive(&s->tty, data, n);

		if (!taken)
			break;
		ring_skip(&s->rx, (u32)taken);
	}
	mutex_unlock(s->tty.lock);
}

/* Interrupt context. What does not fit is lost, as on a line without flow control. */
static void rx_bytes(struct serial_port *p, const u8 *data, size_t n)
{
	struct serial_tty *s = p->tty;

	ring_put(&s->rx, data, (u32)n);
	work_queue(&s->work);
}

static size_t serial_write(struct tty *tty, const u8 *data, size_t n)
{
	struct serial_tty *s = tty->private;

	s->port->write(s->port, (const char *)data, n);
	return n;
}

static size_t serial_room(struct tty *tty)
{
	return 4096;
}

static void serial_unthrottle(struct tty *tty)
{
	struct serial_tty *s = tty->private;

	if (!ring_empty(&s->rx))
		work_queue(&s->work);
}

static void serial_flush(struct tty *tty)
{
}

static int serial_opened(struct tty *tty)
{
	return 0;
}

static long serial_ioctl(struct tty *tty, unsigned cmd, uptr_t arg)
{
	return -ENOTTY;
}

static const struct tty_device serial_device = {
	.write = serial_write,
	.room = serial_room,
	.unthrottle = serial_unthrottle,
	.flush_output = serial_flush,
	.opened = serial_opened,
	.closed = serial_flush,
	.ioctl = serial_ioctl,
};

static int add_port(struct serial_port *p)
{
	struct serial_tty *s = kzalloc(sizeof(*s));

	if (!s)
		return -ENOMEM;
	tty_setup(&s->tty, &serial_device, s, NULL);
	s->tty.devno = p->devno;
	s->tty.ldisc.t.c_cflag = K_B115200 | K_CS8 | K_CREAD | K_HUPCL;
	s->tty.ldisc.t.c_iflag |= K_IUTF8;
	s->tty.ldisc.t.c_ispeed = s->tty.ldisc.t.c_ospeed = 115200;
	s->port = p;
	ring_init(&s->rx, s->rx_buf, RX_RING);
	work_init(&s->work, rx_work);
	p->tty = s;
	p->receive = rx_bytes;
	s->chardev = (struct chardev){ .name = p->name,
				       .devno = p->devno,
				       .mode = 0660,
				       .gid = 20,
				       .ops = &tty_file_ops,
				       .private = &s->tty };
	chardev_register(&s->chardev);
	if (!console_tty)
		console_tty = &s->tty;
	return p->start(p);
}

void tty_serial_init(void)
{
	for (struct serial_port *p = serial_next(NULL); p; p = serial_next(p)) {
		int error = add_port(p);

		if (error)
			log_err("tty: %s did not start (%d)", p->name, error);
	}
}
