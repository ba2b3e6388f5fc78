/*
 * The serial port COM1: a 16550, received by interrupt, sent polled a FIFO at a time.
 *
 * The polled one of the first instructions is debugport.c. Manual: 16550D data sheet, 8.
 */
#include <arch/irq.h>
#include <asm/cpu.h>
#include <core/irq.h>
#include <dev/driver.h>
#include <dev/uart.h>

#define COM1 0x3f8
#define COM1_IRQ 4
#define FIFO_SIZE 16
#define SPIN_LIMIT 100000
enum { UART_DATA = 0, UART_IER = 1, UART_IIR = 2, UART_LSR = 5, UART_SCRATCH = 7 };
#define LSR_DATA 0x01
#define LSR_THR_EMPTY 0x20
#define IER_RECEIVE 0x01

static void put_fifo(const char *s, size_t n)
{
	for (unsigned i = 0; i < SPIN_LIMIT && !(inb(COM1 + UART_LSR) & LSR_THR_EMPTY); i++)
		cpu_relax();
	for (size_t i = 0; i < n; i++)
		outb(COM1 + UART_DATA, (u8)s[i]);
}

static void com1_put(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i += FIFO_SIZE)
		put_fifo(s + i, min(n - i, (size_t)FIFO_SIZE));
}

static int com1_get(void)
{
	return inb(COM1 + UART_LSR) & LSR_DATA ? inb(COM1 + UART_DATA) : -1;
}

static bool com1_interrupt(unsigned irq, void *arg)
{
	(void)inb(COM1 + UART_IIR);
	uart_receive(arg);
	return true;
}

static int com1_start(struct uart *u)
{
	int error = arch_irq_setup(COM1_IRQ, false, false);

	if (!error)
		error = irq_request(COM1_IRQ, com1_interrupt, u, "serial");
	if (!error)
		outb(COM1 + UART_IER, IER_RECEIVE);
	return error;
}

static struct uart com1 = {
	.name = "ttyS0",
	.devno = 4 << 8 | 64,
	.put = com1_put,
	.get = com1_get,
	.start = com1_start,
};

static bool present(void)
{
	outb(COM1 + UART_SCRATCH, 0x5a);
	return inb(COM1 + UART_SCRATCH) == 0x5a;
}

DRIVER(serial, DRIVER_BASIC)
{
	if (!present())
		return 0;
	uart_register(&com1);
	return 0;
}
