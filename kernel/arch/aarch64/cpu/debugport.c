/*
 * Output that needs nothing but a mapping: the console's PL011, polled, and the event channel.
 *
 * Events go out by semihosting, a debugger's console that QEMU offers. A machine without one would die of the
 * first such call, so the command line must ask for it: events=semihosting. No locks: klog and events
 * serialise their own; arch_debug_putc() may be called in a panic. The interrupt-driven serial driver is
 * serial.c. Manual: PL011 (DDI 0183), 3.3; Semihosting for AArch32 and AArch64, 2.0.
 */
#include <arch/debug.h>
#include <arch/mmu.h>
#include <asm/boot.h>
#include <asm/cpu.h>
#include <core/param.h>
#include <lib/errno.h>
#include <lib/string.h>
#include "debugport.h"
#include "pl011.h"

#define SPIN_LIMIT 1000000 /* a line that stands still must not hang the kernel */
#define SYS_WRITE0 4 /* a string up to its NUL, to the console */
#define CHUNK 1024

static paddr_t port; /* [I] 0: none yet */
static int port_node = FDT_NONE;
static bool semihosting; /* [I] */

bool debugport_find(paddr_t *base)
{
	const struct fdt *f = &device_tree;
	const char *path = fdt_string(f, fdt_path(f, "/chosen"), "stdout-path");
	u64 size, address;
	int node = path ? fdt_path(f, path) : FDT_NONE;

	if (node < 0 || !fdt_is_compatible(f, node, "arm,pl011"))
		node = fdt_compatible(f, FDT_NONE, "arm,pl011");
	if (node < 0 || !fdt_reg(f, node, 0, &address, &size))
		return false;
	port_node = node;
	*base = address;
	return true;
}

void debugport_start(paddr_t base)
{
	volatile char *regs = phys_to_virt(base);

	mmio_write32(regs + PL011_CR, 0);
	mmio_write32(regs + PL011_IMSC, 0);
	mmio_write32(regs + PL011_LCRH, PL011_LCRH_8BIT | PL011_LCRH_FIFO);
	mmio_write32(regs + PL011_CR, PL011_CR_ENABLE);
	port = base;
}

paddr_t debugport_base(void)
{
	return port;
}

int debugport_node(void)
{
	return port_node;
}

void arch_debug_putc(char c)
{
	volatile char *regs = phys_to_virt(port);

	if (!port)
		return;
	for (unsigned i = 0; i < SPIN_LIMIT && mmio_read32(regs + PL011_FR) & PL011_FR_TX_FULL; i++)
		cpu_relax();
	mmio_write32(regs + PL011_DR, (u8)c);
}

static void semihost_write(const char *string)
{
	register u64 x0 asm("x0") = SYS_WRITE0;
	register const char *x1 asm("x1") = string;

	asm volatile("hlt #0xf000" : "+r"(x0) : "r"(x1) : "memory");
}

void debugport_options(const char *cmdline)
{
	static const char word[] = "events=semihosting";
	size_t n = sizeof(word) - 1;

	for (const char *s = cmdline; (s = strstr(s, word)); s += n)
		if ((s == cmdline || s[-1] == ' ') && (!s[n] || s[n] == ' ')) {
			semihosting = true;
			return;
		}
}

/* Here only so that the word is known, and a wrong value is told. */
static int set_events(const char *value)
{
	return strcmp(value, "semihosting") ? -EINVAL : 0;
}
KPARAM(events, set_events);

void arch_event_write(const char *buf, size_t n)
{
	char string[CHUNK + 1];

	while (semihosting && n) {
		size_t part = min(n, (size_t)CHUNK);

		memcpy(string, buf, part);
		string[part] = 0;
		semihost_write(string);
		buf += part;
		n -= part;
	}
}
