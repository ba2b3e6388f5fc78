/* N_TTY: output processing (OPOST) and echo. Manual: termios(3), c_oflag. */
#include "ldisc_out.h"

#define EXPANSION_MAX 8 /* bytes one character may become */

static bool is_control(u8 c)
{
	return c < 0x20 || c == 0x7f;
}

static void count_column(struct ldisc *l, u8 c)
{
	if (c == '\b')
		l->column -= l->column > 0;
	else if (!is_control(c) && !(l->t.c_iflag & K_IUTF8 && (c & 0xc0) == 0x80))
		l->column++;
}

static unsigned expand_tab(struct ldisc *l, u8 *out)
{
	unsigned spaces = 8 - (l->column & 7);

	l->column += spaces;
	if ((l->t.c_oflag & K_TABDLY) != K_XTABS) {
		out[0] = '\t';
		return 1;
	}
	for (unsigned i = 0; i < spaces; i++)
		out[i] = ' ';
	return spaces;
}

/* One character with OPOST on; returns how many bytes it became. */
static unsigned process(struct ldisc *l, u8 c, u8 out[EXPANSION_MAX])
{
	u32 o = l->t.c_oflag;

	switch (c) {
	case '\n':
		if (o & K_ONLRET)
			l->column = 0;
		if (o & K_ONLCR) {
			l->column = l->canon_column = 0;
			out[0] = '\r';
			out[1] = '\n';
			return 2;
		}
		l->canon_column = l->column;
		break;
	case '\r':
		if (o & K_ONOCR && l->column == 0)
			return 0;
		if (o & K_OCRNL) {
			c = '\n';
			if (o & K_ONLRET)
				l->column = l->canon_column = 0;
			break;
		}
		l->column = l->canon_column = 0;
		break;
	case '\t': return expand_tab(l, out);
	default:
		if (o & K_OLCUC && c >= 'a' && c <= 'z')
			c = (u8)(c - 'a' + 'A');
		count_column(l, c);
		break;
	}
	out[0] = c;
	return 1;
}

size_t ldisc_process_output(struct ldisc *l, const u8 *s, size_t n, u8 *out, size_t max,
			    size_t *produced)
{
	size_t i, o = 0;

	for (i = 0; i < n; i++) {
		if (!(l->t.c_oflag & K_OPOST)) {
			if (o == max)
				break;
			out[o++] = s[i];
			continue;
		}
		if (max - o < EXPANSION_MAX)
			break;
		o += process(l, s[i], out + o);
	}
	*produced = o;
	l->shown_column = l->column;
	return i;
}

void ldisc_out_flush(struct ldisc *l)
{
	if (l->nr_out)
		l->hooks->output(l, l->out, l->nr_out);
	l->nr_out = 0;
	l->shown_column = l->column;
}

static void gather(struct ldisc *l, u8 c)
{
	if (l->nr_out == sizeof(l->out))
		ldisc_out_flush(l);
	l->out[l->nr_out++] = c;
}

void ldisc_out_raw(struct ldisc *l, u8 c)
{
	u8 out[EXPANSION_MAX];
	unsigned n = 1;

	out[0] = c;
	if (l->t.c_oflag & K_OPOST)
		n = process(l, c, out);
	else if (c == 0xff) /* as Linux has it, whose echo queue escapes this byte */
		l->column++;
	for (unsigned i = 0; i < n; i++)
		gather(l, out[i]);
}

void ldisc_out_back(struct ldisc *l)
{
	gather(l, '\b');
	l->column -= l->column > 0;
}

void ldisc_echo(struct ldisc *l, u8 c)
{
	if (l->t.c_lflag & K_ECHOCTL && is_control(c) && c != '\t') {
		gather(l, '^');
		gather(l, c ^ 0x40);
		l->column += 2;
		return;
	}
	ldisc_out_raw(l, c);
}

void ldisc_echo_newline(struct ldisc *l)
{
	ldisc_out_raw(l, '\n');
}
