/*
 * N_TTY: input editing, echo, reading; output processing is in ldisc_out.c.
 *
 * The buffer is a ring with freely running positions: [tail, line) can be read, [line, head) is being
 * edited (in raw mode line == head always). A bitmap marks bytes that end a line; the end-of-file character
 * is stored as such an end but not read. Leaves out: EXTPROC, case folding on input.
 * Manual: termios(3).
 */
#include <lib/string.h>
#include "ldisc.h"
#include "ldisc_out.h"

#define DISABLED 0 /* a special character of 0 is off; also what is stored for end of file */

static const u8 default_cc[TERMIOS_NCCS] = {
	[K_VINTR] = 3,     [K_VQUIT] = 28,   [K_VERASE] = 127, [K_VKILL] = 21, [K_VEOF] = 4,
	[K_VMIN] = 1,      [K_VSTART] = 17,  [K_VSTOP] = 19,   [K_VSUSP] = 26, [K_VREPRINT] = 18,
	[K_VDISCARD] = 15, [K_VWERASE] = 23, [K_VLNEXT] = 22,
};

enum { SIG_INT = 2, SIG_QUIT = 3, SIG_TSTP = 20 };

void ldisc_init(struct ldisc *l, const struct ldisc_hooks *hooks)
{
	memset(l, 0, sizeof(*l));
	l->hooks = hooks;
	l->t.c_iflag = K_ICRNL | K_IXON;
	l->t.c_oflag = K_OPOST | K_ONLCR;
	l->t.c_cflag = K_B38400 | K_CS8 | K_CREAD;
	l->t.c_lflag =
		K_ISIG | K_ICANON | K_ECHO | K_ECHOE | K_ECHOK | K_ECHOCTL | K_ECHOKE | K_IEXTEN;
	l->t.c_ispeed = l->t.c_ospeed = 38400;
	memcpy(l->t.c_cc, default_cc, sizeof(default_cc));
}

static bool iflag(const struct ldisc *l, u32 f)
{
	return l->t.c_iflag & f;
}
static bool lflag(const struct ldisc *l, u32 f)
{
	return l->t.c_lflag & f;
}
static bool is_cc(const struct ldisc *l, unsigned i, u8 c)
{
	return l->t.c_cc[i] != DISABLED && l->t.c_cc[i] == c;
}
static u8 at(const struct ldisc *l, u32 pos)
{
	return l->buf[pos % LDISC_BUF];
}
static u32 used(const struct ldisc *l)
{
	return l->head - l->tail;
}

void ldisc_set_termios(struct ldisc *l, const struct ktermios *t)
{
	bool was_canon = lflag(l, K_ICANON);

	l->t = *t;
	if (l->stopped && !iflag(l, K_IXON)) {
		l->stopped = false;
		l->hooks->flow(l, false);
	}
	if (was_canon == lflag(l, K_ICANON))
		return;
	memset(l->ends, 0, sizeof(l->ends));
	l->line = l->head;
	l->pushed = false;
	if (!was_canon && used(l)) { /* what came raw counts as a line */
		bitmap_set(l->ends, (l->head - 1) % LDISC_BUF);
		l->pushed = true;
	}
	l->erasing = l->literal = false;
}

size_t ldisc_room(const struct ldisc *l)
{
	u32 room = LDISC_BUF - used(l) - 1;

	/* A line that is too long: its further bytes are taken, and dropped. */
	if (!room && lflag(l, K_ICANON) && l->line == l->tail)
		return 1;
	return iflag(l, K_PARMRK) && room > 3 ? room / 3 : room;
}

static void put(struct ldisc *l, u8 c)
{
	bitmap_clear(l->ends, l->head % LDISC_BUF);
	l->buf[l->head++ % LDISC_BUF] = c;
	if (!lflag(l, K_ICANON))
		l->line = l->head;
}

/* One byte kept back in canonical mode for the end of the line. */
static bool full(struct ldisc *l)
{
	if (used(l) < LDISC_BUF - 1u)
		return false;
	if (iflag(l, K_IMAXBEL)) {
		ldisc_out_raw(l, '\a');
		ldisc_out_flush(l);
	}
	return true;
}

static void end_line(struct ldisc *l, u8 c)
{
	if (used(l) >= LDISC_BUF)
		return;
	put(l, c);
	bitmap_set(l->ends, (l->head - 1) % LDISC_BUF);
	l->line = l->head;
}

static void finish_erasing(struct ldisc *l)
{
	if (l->erasing) {
		ldisc_out_raw(l, '/');
		l->erasing = false;
	}
}

static bool is_control(u8 c)
{
	return c < 0x20 || c == 0x7f;
}
static bool is_continuation(const struct ldisc *l, u8 c)
{
	return iflag(l, K_IUTF8) && (c & 0xc0) == 0x80;
}
static bool is_word(u8 c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       c == '_' || c >= 0xc0;
}

/* Columns of the characters before pos in this line, back to a tab; *tab: there was one. */
static unsigned columns_before(const struct ldisc *l, u32 pos, bool *tab)
{
	unsigned n = 0;

	*tab = false;
	while (pos != l->line) {
		u8 c = at(l, --pos);

		if (c == '\t') {
			*tab = true;
			break;
		}
		if (is_control(c))
			n += lflag(l, K_ECHOCTL) ? 2 : 0;
		else if (!is_continuation(l, c))
			n++;
	}
	return n;
}

/* Takes one erased character (first byte c, now at head) off the screen. */
static void echo_erase(struct ldisc *l, u8 c)
{
	bool tab;
	unsigned n;

	if (c == '\t') {
		n = columns_before(l, l->head, &tab);
		if (!tab)
			n += l->canon_column;
		for (n = 8 - (n & 7); n; n--)
			ldisc_out_back(l);
		return;
	}
	if (is_control(c) && !lflag(l, K_ECHOCTL))
		return;
	for (n = is_control(c) ? 2 : 1; n; n--) {
		ldisc_out_raw(l, '\b');
		ldisc_out_raw(l, ' ');
		ldisc_out_raw(l, '\b');
	}
}

/* Hard-copy terminals: what is erased is printed between \ and /. */
static void echo_printed_erase(struct ldisc *l, u32 from, u32 to)
{
	if (!l->erasing) {
		ldisc_out_raw(l, '\\');
		l->erasing = true;
	}
	ldisc_echo(l, at(l, from));
	while (++from != to)
		ldisc_out_raw(l, at(l, from));
}

/* Removes the last character of the line; false when it would be cut in the middle. */
static bool erase_one(struct ldisc *l, bool single)
{
	u32 end = l->head, pos = end;
	u8 c;

	do
		c = at(l, --pos);
	while (is_continuation(l, c) && pos != l->line);
	if (is_continuation(l, c))
		return false;
	l->head = pos;
	if (!lflag(l, K_ECHO))
		return true;
	if (lflag(l, K_ECHOPRT))
		echo_printed_erase(l, pos, end);
	else if (single && !lflag(l, K_ECHOE))
		ldisc_echo(l, l->t.c_cc[K_VERASE]);
	else
		echo_erase(l, c);
	return true;
}

static u8 last_char(const struct ldisc *l)
{
	u32 pos = l->head - 1;

	while (pos != l->line && is_continuation(l, at(l, pos)))
		pos--;
	return at(l, pos);
}

static void erase_word(struct ldisc *l)
{
	bool seen = false;

	while (l->head != l->line) {
		if (is_word(last_char(l)))
			seen = true;
		else if (seen)
			break;
		if (!erase_one(l, false))
			break;
	}
}

static void erase_line(struct ldisc *l)
{
	u32 how = K_ECHOK | K_ECHOKE | K_ECHOE;

	if (!lflag(l, K_ECHO)) {
		l->head = l->line;
		return;
	}
	if ((l->t.c_lflag & how) != how) {
		l->head = l->line;
		finish_erasing(l);
		ldisc_echo(l, l->t.c_cc[K_VKILL]);
		if (lflag(l, K_ECHOK))
			ldisc_echo_newline(l);
		return;
	}
	while (l->head != l->line && erase_one(l, false))
		;
}

/* Erasing characters; false when c is none. */
static bool edit(struct ldisc *l, u8 c)
{
	bool erase = is_cc(l, K_VERASE, c), kill = is_cc(l, K_VKILL, c);

	if (!erase && !kill && !(is_cc(l, K_VWERASE, c) && lflag(l, K_IEXTEN)))
		return false;
	if (l->head == l->line)
		return true;
	if (erase)
		erase_one(l, true);
	else if (kill)
		erase_line(l);
	else
		erase_word(l);
	if (l->head == l->line && lflag(l, K_ECHO))
		finish_erasing(l);
	return true;
}

static void reprint(struct ldisc *l, u8 c)
{
	finish_erasing(l);
	ldisc_echo(l, c);
	ldisc_echo_newline(l);
	for (u32 pos = l->line; pos != l->head; pos++)
		ldisc_echo(l, at(l, pos));
}

/* was_cr: a newline made from a carriage return; only that one is echoed as it is, others as ^J. */
static void store_echoed(struct ldisc *l, u8 c, bool was_cr)
{
	if (full(l))
		return;
	if (lflag(l, K_ECHO)) {
		finish_erasing(l);
		if (l->head == l->line)
			l->canon_column = l->column;
		if (was_cr)
			ldisc_echo_newline(l);
		else
			ldisc_echo(l, c);
	}
	if (c == 0xff && iflag(l, K_PARMRK))
		put(l, c);
	put(l, c);
}

/* Characters with a meaning in canonical mode; false for an ordinary one. */
static bool receive_canon(struct ldisc *l, u8 c)
{
	if (edit(l, c))
		return true;
	if (is_cc(l, K_VLNEXT, c) && lflag(l, K_IEXTEN)) {
		l->literal = true;
		if (lflag(l, K_ECHO)) {
			finish_erasing(l);
			if (lflag(l, K_ECHOCTL)) {
				ldisc_out_raw(l, '^');
				ldisc_out_raw(l, '\b');
			}
		}
		return true;
	}
	if (is_cc(l, K_VREPRINT, c) && lflag(l, K_ECHO) && lflag(l, K_IEXTEN)) {
		reprint(l, c);
		return true;
	}
	if (c == '\n') {
		if (lflag(l, K_ECHO | K_ECHONL))
			ldisc_echo_newline(l);
		end_line(l, c);
		return true;
	}
	if (is_cc(l, K_VEOF, c)) {
		end_line(l, DISABLED);
		return true;
	}
	if (is_cc(l, K_VEOL, c) || (is_cc(l, K_VEOL2, c) && lflag(l, K_IEXTEN))) {
		if (lflag(l, K_ECHO))
			ldisc_echo(l, c);
		end_line(l, c);
		return true;
	}
	return false;
}

static void set_stopped(struct ldisc *l, bool stopped)
{
	if (l->stopped != stopped) {
		l->stopped = stopped;
		l->hooks->flow(l, stopped);
	}
}

static bool receive_signal(struct ldisc *l, u8 c)
{
	int sig = is_cc(l, K_VINTR, c) ? SIG_INT : is_cc(l, K_VQUIT, c) ? SIG_QUIT : 0;

	if (is_cc(l, K_VSUSP, c))
		sig = SIG_TSTP;
	if (!sig)
		return false;
	if (!lflag(l, K_NOFLSH)) {
		ldisc_flush_input(l);
		l->nr_out = 0; /* echo on its way goes too */
		l->column = l->shown_column;
	}
	l->hooks->signal(l, sig, !lflag(l, K_NOFLSH));
	if (iflag(l, K_IXON))
		set_stopped(l, false);
	if (lflag(l, K_ECHO))
		ldisc_echo(l, c);
	return true;
}

/* True when c was used up by flow control. */
static bool receive_flow(struct ldisc *l, u8 c)
{
	if (!iflag(l, K_IXON))
		return false;
	if (is_cc(l, K_VSTART, c)) {
		set_stopped(l, false);
		return true;
	}
	if (is_cc(l, K_VSTOP, c)) {
		set_stopped(l, true);
		return true;
	}
	return false;
}

static void receive_one(struct ldisc *l, u8 c)
{
	bool was_cr = false;

	if (iflag(l, K_ISTRIP))
		c &= 0x7f;
	if (l->literal) {
		l->literal = false;
		store_echoed(l, c, false);
		return;
	}
	if (receive_flow(l, c))
		return;
	if (lflag(l, K_ISIG) && receive_signal(l, c))
		return;
	if (iflag(l, K_IXON) && iflag(l, K_IXANY))
		set_stopped(l, false);
	if (c == '\r') {
		if (iflag(l, K_IGNCR))
			return;
		was_cr = iflag(l, K_ICRNL);
		if (was_cr)
			c = '\n';
	} else if (c == '\n' && iflag(l, K_INLCR)) {
		c = '\r';
	}
	if (lflag(l, K_ICANON) && receive_canon(l, c))
		return;
	store_echoed(l, c, was_cr);
}

void ldisc_receive(struct ldisc *l, const u8 *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		receive_one(l, s[i]);
	ldisc_out_flush(l);
}

void ldisc_flush_input(struct ldisc *l)
{
	l->tail = l->line = l->head;
	l->erasing = l->literal = l->pushed = false;
	memset(l->ends, 0, sizeof(l->ends));
}

bool ldisc_readable(const struct ldisc *l, unsigned min)
{
	if (lflag(l, K_ICANON))
		return l->line != l->tail;
	return used(l) >= max(min, 1u);
}

size_t ldisc_pending(const struct ldisc *l)
{
	size_t n = 0;

	if (!lflag(l, K_ICANON))
		return used(l);
	for (u32 pos = l->tail; pos != l->line; pos++)
		n += !(bitmap_test(l->ends, pos % LDISC_BUF) && at(l, pos) == DISABLED);
	return n;
}

static size_t read_line(struct ldisc *l, u8 *out, size_t n)
{
	size_t done = 0;

	while (l->tail != l->line && done < n) {
		u32 pos = l->tail % LDISC_BUF;
		bool end = bitmap_test(l->ends, pos);

		l->tail++;
		if (!end || l->buf[pos] != DISABLED || l->pushed)
			out[done++] = l->buf[pos];
		if (end) {
			bitmap_clear(l->ends, pos);
			l->pushed = false;
			return done;
		}
	}
	/* An end-of-file mark right behind a full buffer belongs to what was read. */
	if (done && l->tail != l->line && bitmap_test(l->ends, l->tail % LDISC_BUF) &&
	    at(l, l->tail) == DISABLED && !l->pushed) {
		bitmap_clear(l->ends, l->tail % LDISC_BUF);
		l->tail++;
	}
	return done;
}

size_t ldisc_read(struct ldisc *l, u8 *out, size_t n)
{
	size_t done = 0;

	if (lflag(l, K_ICANON))
		return read_line(l, out, n);
	for (; done < n && l->tail != l->head; done++)
		out[done] = l->buf[l->tail++ % LDISC_BUF];
	l->line = l->head;
	return done;
}
