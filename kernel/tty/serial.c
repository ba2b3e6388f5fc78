/*
 * Terminals on serial ports.
 *
 * The driver's interrupt puts bytes into a ring (input.c). Output is sent at once by the driver, and shown on the
 * screen too where that is part of the terminal.
 */
#include <debug/klog.h>
#include <dev/serial.h>
#include <lib/errno.h>
#include <mm/slab.h>
#include "internal.h"

struct serial_tty {
	struct tty tty;
	struct serial_port *port;
	struct tty_input input;
	struct chardev chardev;
};

/* Interrupt context. */
static void rx_bytes(struct serial_port *p, const u8 *data, size_t n)
{
	struct serial_tty *s = p->tty;

	tty_input_put(&s->input, data, n);
}

static size_t serial_write(struct tty *tty, const u8 *data, size_t n)
{
	struct serial_tty *s = tty->private;

	s->port->write(s->port, (const char *)data, n);
	if (tty->mirror)
		tty->mirror(data, n);
	return n;
}

static size_t serial_room(struct tty *tty)
{
	return 4096;
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
	.unthrottle = tty_inputs_resume,
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
	tty_input_init(&s->input, &s->tty);
	p->tty = s;
	p->receive = rx_bytes;
	s->chardev = (struct chardev){ .name = p->name,
				       .devno = p->devno,
				       .mode = 0660,
				       .gid = 20,
				       .ops = &tty_file_ops,
				       .private = &s->tty };
	chardev_register(&s->chardev);
	tty_console_offer(&s->tty, p->name);
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
