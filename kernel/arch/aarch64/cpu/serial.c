/*
 * The serial port of the console: a PL011, received by interrupt, sent polled.
 *
 * The polled one of the first instructions is debugport.c, which has found and started it. Manual: PL011 (DDI
 * 0183), 3.3.
 */
#include <arch/irq.h>
#include <arch/mmu.h>
#include <asm/boot.h>
#include <asm/cpu.h>
#include <core/irq.h>
#include <dev/driver.h>
#include <dev/uart.h>
#include <lib/errno.h>
#include "debugport.h"
#include "dt.h"
#include "pl011.h"

#define SPIN_LIMIT 1000000

static volatile char *regs; /* [I] */

static void put(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (unsigned j = 0;
		     j < SPIN_LIMIT && mmio_read32(regs + PL011_FR) & PL011_FR_TX_FULL; j++)
			cpu_relax();
		mmio_write32(regs + PL011_DR, (u8)s[i]);
	}
}

static int get(void)
{
	return mmio_read32(regs + PL011_FR) & PL011_FR_RX_EMPTY ? -1
								: (u8)mmio_read32(regs + PL011_DR);
}

static bool port_interrupt(unsigned irq, void *arg)
{
	mmio_write32(regs + PL011_ICR, PL011_INT_RX | PL011_INT_RX_TIMEOUT);
	uart_receive(arg);
	return true;
}

static int port_start(struct uart *u)
{
	struct dt_irq line;
	int error = dt_irq(debugport_node(), 0, &line);

	if (!error)
		error = arch_irq_setup(line.irq, line.level, line.active_low);
	if (!error)
		error = irq_request(line.irq, port_interrupt, u, "serial");
	if (!error) {
		mmio_write32(regs + PL011_IFLS, 0); /* a receive FIFO filled to an eighth */
		mmio_write32(regs + PL011_IMSC, PL011_INT_RX | PL011_INT_RX_TIMEOUT);
	}
	return error;
}

static struct uart port = {
	.name = "ttyAMA0",
	.devno = 204 << 8 | 64,
	.put = put,
	.get = get,
	.start = port_start,
};

DRIVER(serial, DRIVER_BASIC)
{
	if (!debugport_base())
		return 0;
	regs = phys_to_virt(debugport_base());
	uart_register(&port);
	return 0;
}
