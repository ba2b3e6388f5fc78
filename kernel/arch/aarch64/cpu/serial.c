/*
 * The serial port of the console: a PL011, received by interrupt, sent polled.
 *
 * Also the kernel log's console, so its lock must never hang a panic: it is given up after a while. The
 * polled one of the first instructions is debugport.c, which has found and started it.
 */
#include <arch/irq.h>
#include <arch/mmu.h>
#include <asm/boot.h>
#include <asm/cpu.h>
#include <core/irq.h>
#include <debug/klog.h>
#include <dev/driver.h>
#include <dev/serial.h>
#include <lib/errno.h>
#include <lib/string.h>
#include "debugport.h"
#include "dt.h"
#include "pl011.h"

#define LOCK_TRIES 10000000u
#define SPIN_LIMIT 1000000

static u8 locked; /* [a] */
static volatile char *regs; /* [I] */

static irqflags_t port_lock(void)
{
	irqflags_t flags = arch_irq_save();

	for (unsigned i = 0; i < LOCK_TRIES && __atomic_exchange_n(&locked, 1, __ATOMIC_ACQUIRE);
	     i++)
		cpu_relax();
	return flags;
}

static void port_unlock(irqflags_t flags)
{
	__atomic_store_n(&locked, 0, __ATOMIC_RELEASE);
	arch_irq_restore(flags);
}

static void put(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (unsigned j = 0;
		     j < SPIN_LIMIT && mmio_read32(regs + PL011_FR) & PL011_FR_TX_FULL; j++)
			cpu_relax();
		mmio_write32(regs + PL011_DR, (u8)s[i]);
	}
}

static void port_write(struct serial_port *p, const char *s, size_t n)
{
	irqflags_t flags = port_lock();

	put(s, n);
	port_unlock(flags);
}

/* Log lines, with the carriage returns a terminal wants. */
static void console_write(const char *s, size_t n)
{
	irqflags_t flags = port_lock();

	for (size_t i = 0; i < n;) {
		const char *nl = memchr(s + i, '\n', n - i);
		size_t end = nl ? (size_t)(nl - s) : n;

		put(s + i, end - i);
		i = end;
		if (nl) {
			put("\r\n", 2);
			i++;
		}
	}
	port_unlock(flags);
}

static bool port_interrupt(unsigned irq, void *arg)
{
	struct serial_port *p = arg;
	u8 buf[64];
	size_t n = 0;

	mmio_write32(regs + PL011_ICR, PL011_INT_RX | PL011_INT_RX_TIMEOUT);
	while (!(mmio_read32(regs + PL011_FR) & PL011_FR_RX_EMPTY)) {
		buf[n++] = (u8)mmio_read32(regs + PL011_DR);
		if (n == sizeof(buf)) {
			p->receive(p, buf, n);
			n = 0;
		}
	}
	if (n)
		p->receive(p, buf, n);
	return true;
}

static int port_start(struct serial_port *p)
{
	struct dt_irq line;
	int error = dt_irq(debugport_node(), 0, &line);

	if (!error)
		error = arch_irq_setup(line.irq, line.level, line.active_low);
	if (!error)
		error = irq_request(line.irq, port_interrupt, p, "serial");
	if (!error) {
		mmio_write32(regs + PL011_IFLS, 0); /* a receive FIFO filled to an eighth */
		mmio_write32(regs + PL011_IMSC, PL011_INT_RX | PL011_INT_RX_TIMEOUT);
	}
	return error;
}

static struct serial_port port = {
	.name = "ttyAMA0",
	.devno = 204 << 8 | 64,
	.write = port_write,
	.start = port_start,
};
static struct console port_console = { .name = "ttyAMA0", .write = console_write };

DRIVER(serial, DRIVER_BASIC)
{
	if (!debugport_base())
		return 0;
	regs = phys_to_virt(debugport_base());
	serial_register(&port);
	console_register(&port_console);
	return 0;
}
