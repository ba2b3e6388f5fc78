/*
 * The emulator's parser: UTF-8, control characters, escape sequences. Whatever comes, it ends in the ground
 * state sooner or later, and every number is brought into range before it is used.
 * Manual: console_codes(4), ECMA-48; the states are those of Williams' diagram, without device strings'
 * contents. An unknown sequence is read to its end and does nothing.
 */
#include <lib/format.h>
#include <lib/string.h>
#include "vt.h"

#define PARAM_MAX 9999
#define REPLACEMENT 0xfffd

enum state { GROUND, ESCAPE, ESCAPE_MORE, CSI, CSI_IGNORE, STRING, STRING_ESCAPE };

/* --- colours and attributes --- */

/* Parameter i, or what stands for an absent (or zero) one. */
static int param(const struct vt *vt, unsigned i, int absent)
{
	return i < vt->nr_params && vt->params[i] ? vt->params[i] : absent;
}

static unsigned cube_step(unsigned v)
{
	v = min(v, 255u);
	return v < 48 ? 0 : v < 115 ? 1 : (v - 35) / 40;
}

/* 38;5;N or 38;2;R;G;B from parameter *i on, which is moved to the last one used; false: neither. */
static bool extended_colour(const struct vt *vt, unsigned *i, u8 *out)
{
	unsigned kind = *i + 1 < vt->nr_params ? vt->params[*i + 1] : 0;
	const u16 *p = vt->params + *i + 2;

	if (kind == 5 && *i + 2 < vt->nr_params) {
		*out = (u8)min_t(unsigned, p[0], 255);
		*i += 2;
		return true;
	}
	if (kind == 2 && *i + 4 < vt->nr_params) {
		*out = (u8)(16 + 36 * cube_step(p[0]) + 6 * cube_step(p[1]) + cube_step(p[2]));
		*i += 4;
		return true;
	}
	*i = vt->nr_params; /* what follows cannot be told apart */
	return false;
}

static void set_colour(struct vt_cell *pen, unsigned p)
{
	if (p >= 30 && p <= 37)
		pen->fg = (u8)(p - 30);
	else if (p == 39)
		pen->fg = VT_FG_DEFAULT;
	else if (p >= 40 && p <= 47)
		pen->bg = (u8)(p - 40);
	else if (p == 49)
		pen->bg = VT_BG_DEFAULT;
	else if (p >= 90 && p <= 97)
		pen->fg = (u8)(p - 90 + 8);
	else if (p >= 100 && p <= 107)
		pen->bg = (u8)(p - 100 + 8);
}

static void set_rendition(struct vt *vt)
{
	static const u16 on[] = { [1] = VT_BOLD,    [2] = VT_DIM,     [4] = VT_UNDERLINE,
				  [7] = VT_REVERSE, [8] = VT_CONCEAL, [9] = VT_STRIKE };
	static const u16 off[] = { [1] = VT_UNDERLINE, [2] = VT_BOLD | VT_DIM, [4] = VT_UNDERLINE,
				   [7] = VT_REVERSE,   [8] = VT_CONCEAL,       [9] = VT_STRIKE };
	struct vt_cell *pen = &vt->cursor.pen;

	for (unsigned i = 0; i < max_t(unsigned, vt->nr_params, 1); i++) {
		unsigned p = (unsigned)param(vt, i, 0);

		if (!p)
			*pen = (struct vt_cell){ 0, VT_FG_DEFAULT, VT_BG_DEFAULT, 0 };
		else if (p < ARRAY_SIZE(on))
			pen->attr |= on[p];
		else if (p >= 20 && p - 20 < ARRAY_SIZE(off))
			pen->attr &= (u16)~off[p - 20];
		else if (p == 38)
			extended_colour(vt, &i, &pen->fg);
		else if (p == 48)
			extended_colour(vt, &i, &pen->bg);
		else
			set_colour(pen, p);
	}
}

/* --- modes, saved state, answers --- */

static void save_cursor(struct vt *vt)
{
	vt->cursor.origin = vt->modes & VT_ORIGIN;
	vt->saved = vt->cursor;
}

static void restore_cursor(struct vt *vt)
{
	bool wrap = vt->saved.wrap;

	vt_move(vt, 0, vt->cursor.y); /* the row it leaves is drawn anew */
	vt->cursor = vt->saved;
	vt->modes = (vt->modes & ~VT_ORIGIN) | (vt->saved.origin ? VT_ORIGIN : 0);
	vt_move(vt, vt->cursor.x, vt->cursor.y);
	vt->cursor.wrap = wrap;
}

static void switch_screen(struct vt *vt, unsigned how, bool on)
{
	if (on == !!(vt->modes & VT_ALTERNATE))
		return;
	if (how == 1049 && on) {
		save_cursor(vt);
		vt->alternate_saved = vt->saved;
	}
	vt_alternate(vt, on);
	if (how != 47 && on)
		vt_erase_rows(vt, 0, vt->rows);
	if (how == 1049 && !on) {
		vt->saved = vt->alternate_saved;
		restore_cursor(vt);
	}
}

static void set_flag(struct vt *vt, u32 mode, bool on)
{
	vt->modes = on ? vt->modes | mode : vt->modes & ~mode;
}

static void set_private_mode(struct vt *vt, unsigned p, bool on)
{
	switch (p) {
	case 1: set_flag(vt, VT_APP_CURSOR, on); break;
	case 5:
		set_flag(vt, VT_INVERSE, on);
		vt_dirty_all(vt);
		break;
	case 6:
		set_flag(vt, VT_ORIGIN, on);
		vt_place(vt, 0, 0);
		break;
	case 7: set_flag(vt, VT_AUTOWRAP, on); break;
	case 25:
		set_flag(vt, VT_CURSOR, on);
		vt->dirty[vt->cursor.y] = true;
		break;
	case 47:
	case 1047:
	case 1049: switch_screen(vt, p, on); break;
	default: break;
	}
}

static void set_modes(struct vt *vt, bool on)
{
	for (unsigned i = 0; i < vt->nr_params; i++) {
		if (vt->private == '?')
			set_private_mode(vt, vt->params[i], on);
		else if (vt->private)
			return;
		else if (vt->params[i] == 4)
			set_flag(vt, VT_INSERT, on);
		else if (vt->params[i] == 20)
			set_flag(vt, VT_NEWLINE, on);
	}
}

static void answer(struct vt *vt, const char *s)
{
	if (vt->reply)
		vt->reply(vt, s, strlen(s));
}

static void report(struct vt *vt)
{
	const struct vt_cursor *c = &vt->cursor;
	char text[32];

	if (param(vt, 0, 0) == 5)
		answer(vt, "\033[0n");
	if (param(vt, 0, 0) != 6)
		return;
	scnprintf(text, sizeof(text), "\033[%u;%uR",
		  c->y + 1u - (vt->modes & VT_ORIGIN ? min(vt->top, c->y) : 0), c->x + 1u);
	answer(vt, text);
}

static void soft_reset(struct vt *vt)
{
	vt->modes = (vt->modes & VT_ALTERNATE) | VT_AUTOWRAP | VT_CURSOR;
	vt->top = 0;
	vt->bottom = vt->rows;
	vt->cursor.pen = (struct vt_cell){ 0, VT_FG_DEFAULT, VT_BG_DEFAULT, 0 };
	vt->cursor.charset = 0;
	vt->cursor.graphics[0] = vt->cursor.graphics[1] = false;
	save_cursor(vt);
	vt->saved.x = vt->saved.y = 0;
	vt_dirty_all(vt);
}

/* --- CSI --- */

static void erase_display(struct vt *vt)
{
	const struct vt_cursor *c = &vt->cursor;

	switch (param(vt, 0, 0)) {
	case 0:
		vt_erase(vt, c->y, c->x, vt->cols);
		vt_erase_rows(vt, c->y + 1u, vt->rows);
		break;
	case 1:
		vt_erase_rows(vt, 0, c->y);
		vt_erase(vt, c->y, 0, c->x + 1u);
		break;
	case 2:
	case 3: vt_erase_rows(vt, 0, vt->rows); break;
	default: return;
	}
	vt->cursor.wrap = false;
}

static void erase_line(struct vt *vt)
{
	const struct vt_cursor *c = &vt->cursor;

	switch (param(vt, 0, 0)) {
	case 0: vt_erase(vt, c->y, c->x, vt->cols); break;
	case 1: vt_erase(vt, c->y, 0, c->x + 1u); break;
	case 2: vt_erase(vt, c->y, 0, vt->cols); break;
	default: return;
	}
	vt->cursor.wrap = false;
}

static void set_region(struct vt *vt)
{
	int top = param(vt, 0, 1) - 1, bottom = min_t(int, param(vt, 1, vt->rows), vt->rows);

	if (top + 1 >= bottom)
		return;
	vt->top = (u16)top;
	vt->bottom = (u16)bottom;
	vt_place(vt, 0, 0);
}

/* Up and down stop at the region's edge if they begin inside. */
static void move_rows(struct vt *vt, int n, bool to_start)
{
	int y = vt->cursor.y, low = y >= vt->top ? vt->top : 0,
	    high = (y < vt->bottom ? vt->bottom : vt->rows) - 1;

	y = max(low, min(high, y + n));
	vt_move(vt, to_start ? 0 : vt->cursor.x, y);
}

static void insert_lines(struct vt *vt, int n)
{
	const struct vt_cursor *c = &vt->cursor;

	if (c->y < vt->top || c->y >= vt->bottom)
		return;
	vt_scroll(vt, c->y, vt->bottom, -n);
	vt_move(vt, 0, c->y);
}

static void clear_tabs(struct vt *vt)
{
	unsigned x = vt->cursor.x;

	if (param(vt, 0, 0) == 0)
		vt->tabs[x / 8] &= (u8)~BIT(x % 8);
	else if (param(vt, 0, 0) == 3)
		memset(vt->tabs, 0, sizeof(vt->tabs));
}

static void repeat(struct vt *vt, int n)
{
	n = min(n, vt->cols * vt->rows);
	for (u32 ch = vt->last; ch && n > 0; n--)
		vt_put(vt, ch);
}

/* Sequences that move the cursor; false: this is none. */
static bool move_sequence(struct vt *vt, u8 final, int n)
{
	int x = vt->cursor.x, y = vt->cursor.y;

	switch (final) {
	case 'A': move_rows(vt, -n, false); break;
	case 'B':
	case 'e': move_rows(vt, n, false); break;
	case 'C':
	case 'a': vt_move(vt, x + n, y); break;
	case 'D': vt_move(vt, x - n, y); break;
	case 'E': move_rows(vt, n, true); break;
	case 'F': move_rows(vt, -n, true); break;
	case 'G':
	case '`': vt_move(vt, n - 1, y); break;
	case 'd': vt_place(vt, x, n - 1); break;
	case 'H':
	case 'f': vt_place(vt, param(vt, 1, 1) - 1, n - 1); break;
	case 'I': vt_tab(vt, n); break;
	case 'Z': vt_tab(vt, -n); break;
	case 's': save_cursor(vt); break;
	case 'u': restore_cursor(vt); break;
	default: return false;
	}
	return true;
}

static void edit_sequence(struct vt *vt, u8 final, int n)
{
	switch (final) {
	case '@': vt_shift(vt, n); break;
	case 'J': erase_display(vt); break;
	case 'K': erase_line(vt); break;
	case 'L': insert_lines(vt, n); break;
	case 'M': insert_lines(vt, -n); break;
	case 'P': vt_shift(vt, -n); break;
	case 'S': vt_scroll(vt, vt->top, vt->bottom, n); break;
	case 'T': vt_scroll(vt, vt->top, vt->bottom, -n); break;
	case 'X': vt_erase(vt, vt->cursor.y, vt->cursor.x, vt->cursor.x + (unsigned)n); break;
	case 'b': repeat(vt, n); break;
	case 'c': answer(vt, "\033[?6c"); break;
	case 'g': clear_tabs(vt); break;
	case 'm': set_rendition(vt); break;
	case 'n': report(vt); break;
	case 'r': set_region(vt); break;
	default: break;
	}
}

static void csi_final(struct vt *vt, u8 final)
{
	vt->state = GROUND;
	if (vt->intermediate) {
		if (vt->intermediate == '!' && final == 'p')
			soft_reset(vt);
	} else if (final == 'h' || final == 'l') {
		set_modes(vt, final == 'h');
	} else if (!vt->private && !move_sequence(vt, final, param(vt, 0, 1))) {
		edit_sequence(vt, final, param(vt, 0, 1));
	}
}

static void csi_byte(struct vt *vt, u8 c)
{
	if (c >= 0x40) {
		csi_final(vt, c);
	} else if (c >= 0x3c && !vt->nr_params && !vt->intermediate && !vt->private) {
		vt->private = c;
	} else if (c >= 0x20 && c < 0x30) {
		vt->intermediate = c;
	} else if (c > 0x3b || c == ':' || vt->intermediate) {
		vt->state = CSI_IGNORE;
	} else {
		if (!vt->nr_params)
			vt->params[vt->nr_params++] = 0;
		if (c == ';') {
			if (vt->nr_params == VT_PARAMS)
				vt->state = CSI_IGNORE;
			else
				vt->params[vt->nr_params++] = 0;
			return;
		}
		u16 *p = &vt->params[vt->nr_params - 1];

		*p = (u16)min(*p * 10 + (c - '0'), PARAM_MAX);
	}
}

/* --- escapes and controls --- */

static void next_line(struct vt *vt)
{
	vt_move(vt, 0, vt->cursor.y);
	vt_index(vt);
}

static void full_reset(struct vt *vt)
{
	vt_reset(vt);
	vt->state = GROUND;
}

static void escape_byte(struct vt *vt, u8 c)
{
	vt->state = GROUND;
	switch (c) {
	case '[':
		vt->state = CSI;
		vt->private = vt->intermediate = vt->nr_params = 0;
		break;
	case ']':
	case 'P':
	case 'X':
	case '^':
	case '_': vt->state = STRING; break;
	case '7': save_cursor(vt); break;
	case '8': restore_cursor(vt); break;
	case 'D': vt_index(vt); break;
	case 'E': next_line(vt); break;
	case 'H': vt->tabs[vt->cursor.x / 8] |= (u8)BIT(vt->cursor.x % 8); break;
	case 'M': vt_reverse_index(vt); break;
	case 'Z': answer(vt, "\033[?6c"); break;
	case 'c': full_reset(vt); break;
	default:
		if (c >= 0x20 && c < 0x30) {
			vt->intermediate = c;
			vt->state = ESCAPE_MORE;
		}
	}
}

static void escape_more(struct vt *vt, u8 c)
{
	if (c < 0x30)
		return;
	vt->state = GROUND;
	if (vt->intermediate == '#' && c == '8')
		vt_fill_e(vt);
	else if (vt->intermediate == '(' || vt->intermediate == ')')
		vt->cursor.graphics[vt->intermediate == ')'] = c == '0';
}

static void control(struct vt *vt, u8 c)
{
	struct vt_cursor *cur = &vt->cursor;

	switch (c) {
	case '\b': vt_move(vt, cur->x - 1, cur->y); break;
	case '\t': vt_tab(vt, 1); break;
	case '\n':
	case '\v':
	case '\f':
		if (vt->modes & VT_NEWLINE)
			vt_move(vt, 0, cur->y);
		vt_index(vt);
		break;
	case '\r': vt_move(vt, 0, cur->y); break;
	case 0x0e:
	case 0x0f: cur->charset = c == 0x0e; break;
	case 0x18:
	case 0x1a: vt->state = GROUND; break;
	case 0x1b: vt->state = vt->state == STRING ? STRING_ESCAPE : ESCAPE; break;
	default: break;
	}
}

/* --- text --- */

static void rune_begin(struct vt *vt, u8 c)
{
	if (c >= 0xc2 && c < 0xe0) {
		vt->rune = c & 0x1f;
		vt->rune_left = 1;
		vt->rune_min = 0x80;
	} else if (c >= 0xe0 && c < 0xf0) {
		vt->rune = c & 0x0f;
		vt->rune_left = 2;
		vt->rune_min = 0x800;
	} else if (c >= 0xf0 && c < 0xf5) {
		vt->rune = c & 0x07;
		vt->rune_left = 3;
		vt->rune_min = 0x10000;
	} else {
		vt_put(vt, REPLACEMENT);
	}
}

static void rune_byte(struct vt *vt, u8 c)
{
	u32 r;

	if (vt->rune_left && (c & 0xc0) == 0x80) {
		r = vt->rune = vt->rune << 6 | (c & 0x3f);
		if (--vt->rune_left)
			return;
		if (r < vt->rune_min || r > 0x10ffff || (r >= 0xd800 && r < 0xe000))
			r = REPLACEMENT;
		if (r >= 0xa0) /* C1 controls are not obeyed in UTF-8, and not shown */
			vt_put(vt, r);
		return;
	}
	if (vt->rune_left) { /* cut short: one mark for what there was */
		vt->rune_left = 0;
		vt_put(vt, REPLACEMENT);
	}
	if (c >= 0x80)
		rune_begin(vt, c);
	else if (c != 0x7f)
		vt_put(vt, c);
}

static void sequence_byte(struct vt *vt, u8 c)
{
	switch (vt->state) {
	case ESCAPE: escape_byte(vt, c); break;
	case ESCAPE_MORE: escape_more(vt, c); break;
	case CSI: csi_byte(vt, c); break;
	case CSI_IGNORE:
		if (c >= 0x40)
			vt->state = GROUND;
		break;
	case STRING_ESCAPE:
		if (c == '\\')
			vt->state = GROUND;
		else
			escape_byte(vt, c);
		break;
	default: break; /* inside a string */
	}
}

static void one_byte(struct vt *vt, u8 c)
{
	if (c < 0x20) {
		if (vt->rune_left)
			rune_byte(vt, 0x7f); /* marks what was cut short, shows nothing itself */
		if (vt->state == STRING && c == '\a')
			vt->state = GROUND;
		else if (vt->state != STRING || c == 0x1b || c == 0x18 || c == 0x1a)
			control(vt, c);
	} else if (vt->state == GROUND) {
		rune_byte(vt, c);
	} else if (c != 0x7f && (c < 0x80 || vt->state == STRING)) {
		sequence_byte(vt, c);
	} else if (c >= 0x80) {
		vt->state = GROUND; /* no sequence has such a byte */
	}
}

void vt_write(struct vt *vt, const u8 *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		one_byte(vt, s[i]);
}

void vt_write_log(struct vt *vt, const u8 *s, size_t n)
{
	struct vt_cell pen = vt->cursor.pen;
	u8 state = vt->state, rune_left = vt->rune_left, charset = vt->cursor.charset;
	bool graphics = vt->cursor.graphics[0];

	vt->state = GROUND;
	vt->rune_left = vt->cursor.charset = 0;
	vt->cursor.graphics[0] = false;
	vt->cursor.pen = (struct vt_cell){ 0, VT_FG_DEFAULT, VT_BG_DEFAULT, 0 };
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '\n')
			next_line(vt);
		else
			one_byte(vt, s[i] < 0x20 && s[i] != '\t' ? '?' : s[i]);
	}
	vt->state = state;
	vt->rune_left = rune_left;
	vt->cursor.pen = pen;
	vt->cursor.charset = charset;
	vt->cursor.graphics[0] = graphics;
}
