/*
 * Serial ports made of a UART: a driver brings the bytes' way to the wire and from it; this makes a serial port
 * (dev/serial.h) and a console of the kernel log of it.
 */
#pragma once
#include <debug/klog.h>
#include <dev/serial.h>
#include <lib/types.h>

struct uart {
	/* The driver's; [I]. */
	const char *name; /* "ttyS0" */
	dev_t devno;
	/* Sends all, polled, giving up on a line that stands still. */
	void (*put)(const char *s, size_t n);
	/* The next received byte; -1: none. */
	int (*get)(void);
	/* Starts interrupts for received bytes. 0 or -EXXX. Thread context. */
	int (*start)(struct uart *u);
	/* Made of it by uart_register(). */
	struct serial_port port;
	struct console console;
	u8 locked; /* [a] */
};

/* Thread context; the UART is there for good. */
void uart_register(struct uart *u);
/* Hands on what has come. By the driver's interrupt handler. */
void uart_receive(struct uart *u);
