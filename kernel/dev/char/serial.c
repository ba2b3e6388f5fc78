/* The list of serial ports; filled by drivers of DRIVER_BASIC, read by tty/ after them. No locks. */
#include <dev/serial.h>

static DEFINE_LIST(ports);

void serial_register(struct serial_port *p)
{
	list_add_tail(&p->link, &ports);
}

struct serial_port *serial_next(struct serial_port *prev)
{
	struct list *next = prev ? prev->link.next : ports.next;

	return next == &ports ? NULL : list_entry(next, struct serial_port, link);
}
