/*
 * The line discipline (N_TTY): turns received bytes into lines, echo and signals, and written bytes into
 * what goes to the device. Pure state; the caller's lock covers everything, its hooks do the effects.
 */
#pragma once
#include <lib/bitmap.h>
#include <lib/types.h>
#include <uapi/termios.h>

#define LDISC_BUF 4096 /* as in Linux: a line is at most 4095 bytes */

struct ldisc;
struct ldisc_hooks {
	/* Bytes for the device, processed. All are taken (echo may be dropped by the device). */
	void (*output)(struct ldisc *l, const u8 *s, size_t n);
	/* SIGINT, SIGQUIT, SIGTSTP to the foreground; flush: NOFLSH is off, discard output as well. */
	void (*signal)(struct ldisc *l, int sig, bool flush);
	/* Output was started or stopped by the user's characters. */
	void (*flow)(struct ldisc *l, bool stopped);
};

struct ldisc {
	struct ktermios t;
	const struct ldisc_hooks *hooks;
	u8 buf[LDISC_BUF];
	DECLARE_BITMAP(ends, LDISC_BUF); /* a line ends behind this byte */
	u32 head, tail; /* run freely */
	u32 line; /* start of the line being edited: all before it can be read */
	u32 column, canon_column; /* of the cursor; where the line being edited began */
	u32 shown_column; /* without what is in out */
	bool literal, erasing, stopped, pushed;
	u8 out[256];
	unsigned nr_out;
};

void ldisc_init(struct ldisc *l, const struct ldisc_hooks *hooks);
/* New settings take effect; bytes waiting are kept as the modes demand. */
void ldisc_set_termios(struct ldisc *l, const struct ktermios *t);
/* How many bytes may be received now; 0: the sender waits. */
size_t ldisc_room(const struct ldisc *l);
void ldisc_receive(struct ldisc *l, const u8 *s, size_t n);
/* Takes up to n bytes: a line at most in canonical mode. */
size_t ldisc_read(struct ldisc *l, u8 *out, size_t n);
/* Something to read: in canonical mode a line (also an empty one: end of file); else at least `min`. */
bool ldisc_readable(const struct ldisc *l, unsigned min);
/* FIONREAD. */
size_t ldisc_pending(const struct ldisc *l);
void ldisc_flush_input(struct ldisc *l);
/* Processes written bytes into out (of size max); returns how many of n were consumed, *produced. */
size_t ldisc_process_output(struct ldisc *l, const u8 *s, size_t n, u8 *out, size_t max,
			    size_t *produced);
