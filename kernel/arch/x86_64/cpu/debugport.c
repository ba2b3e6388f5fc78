/*
 * Output that needs nothing: the first serial port, polled, and the event port.
 *
 * Both work from the first instruction in C. The event port is QEMU's isa-debugcon; a machine without it
 * ignores the writes. No locks: klog and events serialise their own; arch_debug_putc() may be called in a
 * panic. The interrupt-driven serial driver is in dev/char/. Hardware: 16550 at 3f8h, 115200 8N1.
 */
#include <arch/debug.h>
#include <asm/cpu.h>

#define COM1 0x3f8
#define EVENT_PORT 0xe9
enum { UART_DATA = 0, UART_IER = 1, UART_FCR = 2, UART_LCR = 3, UART_MCR = 4, UART_LSR = 5 };
#define LSR_THR_EMPTY 0x20
#define SPIN_LIMIT 100000 /* a port that is not there must not hang the kernel */

static void uart_start(void)
{
	outb(COM1 + UART_IER, 0);
	outb(COM1 + UART_LCR, 0x80); /* divisor latch */
	outb(COM1 + UART_DATA, 1);
	outb(COM1 + UART_IER, 0);
	outb(COM1 + UART_LCR, 3); /* 8N1 */
	outb(COM1 + UART_FCR, 7); /* FIFOs on and empty */
	outb(COM1 + UART_MCR, 0xb); /* DTR, RTS, OUT2: interrupt line */
}

void arch_debug_putc(char c)
{
	static bool started;

	if (!started) {
		started = true;
		uart_start();
	}
	for (unsigned i = 0; i < SPIN_LIMIT && !(inb(COM1 + UART_LSR) & LSR_THR_EMPTY); i++)
		asm volatile("pause");
	outb(COM1 + UART_DATA, (u8)c);
}

void arch_event_write(const char *buf, size_t n)
{
	asm volatile("rep outsb" : "+S"(buf), "+c"(n) : "d"((u16)EVENT_PORT) : "memory");
}
