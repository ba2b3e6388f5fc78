/*
 * What serial ports share, whatever the UART: see dev/uart.h.
 *
 * uart->locked keeps the bytes of two writers apart, with interrupts off. A UART is also the kernel log's console,
 * so it must never hang a panic: the lock is given up after a while.
 */
#include <arch/cpu.h>
#include <arch/irq.h>
#include <dev/uart.h>
#include <lib/string.h>

#define LOCK_TRIES 10000000u

static irqflags_t uart_lock(struct uart *u)
{
	irqflags_t flags = arch_irq_save();

	for (unsigned i = 0; i < LOCK_TRIES && __atomic_exchange_n(&u->locked, 1, __ATOMIC_ACQUIRE);
	     i++)
		cpu_relax();
	return flags;
}

static void uart_unlock(struct uart *u, irqflags_t flags)
{
	__atomic_store_n(&u->locked, 0, __ATOMIC_RELEASE);
	arch_irq_restore(flags);
}

static void port_write(struct serial_port *p, const char *s, size_t n)
{
	struct uart *u = container_of(p, struct uart, port);
	irqflags_t flags = uart_lock(u);

	u->put(s, n);
	uart_unlock(u, flags);
}

/* Log lines, with the carriage returns a terminal wants. */
static void console_write(struct console *c, const char *s, size_t n)
{
	struct uart *u = container_of(c, struct uart, console);
	irqflags_t flags = uart_lock(u);

	for (size_t i = 0; i < n;) {
		const char *nl = memchr(s + i, '\n', n - i);
		size_t end = nl ? (size_t)(nl - s) : n;

		u->put(s + i, end - i);
		i = end;
		if (nl) {
			u->put("\r\n", 2);
			i++;
		}
	}
	uart_unlock(u, flags);
}

void uart_receive(struct uart *u)
{
	u8 buf[64];
	size_t n = 0;

	for (int c = u->get(); c >= 0; c = u->get()) {
		buf[n++] = (u8)c;
		if (n == sizeof(buf)) {
			u->port.receive(&u->port, buf, n);
			n = 0;
		}
	}
	if (n)
		u->port.receive(&u->port, buf, n);
}

static int port_start(struct serial_port *p)
{
	struct uart *u = container_of(p, struct uart, port);

	return u->start(u);
}

void uart_register(struct uart *u)
{
	u->port.name = u->console.name = u->name;
	u->port.devno = u->devno;
	u->port.write = port_write;
	u->port.start = port_start;
	u->console.write = console_write;
	serial_register(&u->port);
	console_register(&u->console);
}
