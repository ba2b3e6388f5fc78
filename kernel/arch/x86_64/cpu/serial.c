/*
 * The serial port COM1: a 16550, received by interrupt, sent polled a FIFO at a time.
 *
 * Also the kernel log's console, so its lock must never hang a panic: it is given up after a while.
 * The polled one of the first instructions is debugport.c.
 */
#include <arch/irq.h>
#include <asm/cpu.h>
#include <core/irq.h>
#include <debug/klog.h>
#include <dev/driver.h>
#include <dev/serial.h>
#include <lib/string.h>

#define COM1 0x3f8
#define COM1_IRQ 4
#define FIFO_SIZE 16
#define LOCK_TRIES 10000000u
#define SPIN_LIMIT 100000
enum { UART_DATA = 0, UART_IER = 1, UART_IIR = 2, UART_LSR = 5, UART_SCRATCH = 7 };
#define LSR_DATA 0x01
#define LSR_THR_EMPTY 0x20
#define IER_RECEIVE 0x01

static u8 locked; /* [a] */

static irqflags_t com1_lock(void)
{
	irqflags_t flags = arch_irq_save();

	for (unsigned i = 0; i < LOCK_TRIES && __atomic_exchange_n(&locked, 1, __ATOMIC_ACQUIRE);
	     i++)
		cpu_relax();
	return flags;
}

static void com1_unlock(irqflags_t flags)
{
	__atomic_store_n(&locked, 0, __ATOMIC_RELEASE);
	arch_irq_restore(flags);
}

static void put_fifo(const char *s, size_t n)
{
	for (unsigned i = 0; i < SPIN_LIMIT && !(inb(COM1 + UART_LSR) & LSR_THR_EMPTY); i++)
		cpu_relax();
	for (size_t i = 0; i < n; i++)
		outb(COM1 + UART_DATA, (u8)s[i]);
}

static void com1_write(struct serial_port *p, const char *s, size_t n)
{
	irqflags_t flags = com1_lock();

	for (size_t i = 0; i < n; i += FIFO_SIZE)
		put_fifo(s + i, min(n - i, (size_t)FIFO_SIZE));
	com1_unlock(flags);
}

/* Log lines, with the carriage returns a terminal wants. */
static void console_write(const char *s, size_t n)
{
	irqflags_t flags = com1_lock();

	for (size_t i = 0; i < n;) {
		const char *nl = memchr(s + i, '\n', n - i);
		size_t end = nl ? (size_t)(nl - s) : n;

		for (; i < end; i += FIFO_SIZE)
			put_fifo(s + i, min(end - i, (size_t)FIFO_SIZE));
		i = end;
		if (nl) {
			put_fifo("\r\n", 2);
			i++;
		}
	}
	com1_unlock(flags);
}

static bool com1_interrupt(unsigned irq, void *arg)
{
	struct serial_port *p = arg;
	u8 buf[64];
	size_t n = 0;

	(void)inb(COM1 + UART_IIR);
	while (inb(COM1 + UART_LSR) & LSR_DATA) {
		buf[n++] = inb(COM1 + UART_DATA);
		if (n == sizeof(buf)) {
			p->receive(p, buf, n);
			n = 0;
		}
	}
	if (n)
		p->receive(p, buf, n);
	return true;
}

static int com1_start(struct serial_port *p)
{
	int error = arch_irq_setup(COM1_IRQ, false, false);

	if (!error)
		error = irq_request(COM1_IRQ, com1_interrupt, p, "serial");
	if (!error)
		outb(COM1 + UART_IER, IER_RECEIVE);
	return error;
}

static struct serial_port com1 = {
	.name = "ttyS0",
	.devno = 4 << 8 | 64,
	.write = com1_write,
	.start = com1_start,
};
static struct console com1_console = { .name = "ttyS0", .write = console_write };

static bool present(void)
{
	outb(COM1 + UART_SCRATCH, 0x5a);
	return inb(COM1 + UART_SCRATCH) == 0x5a;
}

DRIVER(serial, DRIVER_BASIC)
{
	if (!present())
		return 0;
	serial_register(&com1);
	console_register(&com1_console);
	return 0;
}
