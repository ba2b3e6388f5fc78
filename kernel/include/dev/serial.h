/*
 * Serial ports: drivers register them, tty/ makes terminals of them.
 */
#pragma once
#include <lib/list.h>
#include <lib/types.h>

struct serial_port {
	const char *name; /* "ttyS0" */
	dev_t devno;
	/* Sends all, waiting for the line where it must. Any context. */
	void (*write)(struct serial_port *p, const char *s, size_t n);
	/* Starts interrupts for received bytes. 0 or -EXXX. Thread context. */
	int (*start)(struct serial_port *p);
	/* Set by tty/ before start(): received bytes, in interrupt context. */
	void (*receive)(struct serial_port *p, const u8 *s, size_t n);
	void *tty;
	struct list link;
};

void serial_register(struct serial_port *p);
struct serial_port *serial_next(struct serial_port *prev); /* NULL: the first; NULL at the end */
