/* The emulator's grid: characters, cursor, scrolling, erasing. Manual: console_codes(4), ECMA-48. */
#include <lib/string.h>
#include "vt.h"

static int clamp_to(int v, int low, int high)
{
	return v < low ? low : v > high ? high : v;
}

static void blank(const struct vt *vt, struct vt_cell *c, unsigned n)
{
	struct vt_cell fill = { 0, vt->cursor.pen.fg, vt->cursor.pen.bg, 0 };

	for (unsigned i = 0; i < n; i++)
		c[i] = fill;
}

void vt_dirty_all(struct vt *vt)
{
	memset(vt->dirty, true, vt->rows * sizeof(vt->dirty[0]));
}

/* --- the cursor --- */

void vt_move(struct vt *vt, int x, int y)
{
	struct vt_cursor *c = &vt->cursor;

	vt->dirty[c->y] = true;
	c->x = (u16)clamp_to(x, 0, vt->cols - 1);
	c->y = (u16)clamp_to(y, 0, vt->rows - 1);
	c->wrap = false;
	vt->dirty[c->y] = true;
}

void vt_place(struct vt *vt, int x, int y)
{
	if (vt->modes & VT_ORIGIN)
		y = clamp_to(y + vt->top, vt->top, vt->bottom - 1);
	vt_move(vt, x, y);
}

void vt_index(struct vt *vt)
{
	struct vt_cursor *c = &vt->cursor;

	if (c->y + 1 == vt->bottom)
		vt_scroll(vt, vt->top, vt->bottom, 1);
	else if (c->y + 1 < vt->rows)
		vt_move(vt, c->x, c->y + 1);
	c->wrap = false;
}

void vt_reverse_index(struct vt *vt)
{
	struct vt_cursor *c = &vt->cursor;

	if (c->y == vt->top)
		vt_scroll(vt, vt->top, vt->bottom, -1);
	else if (c->y)
		vt_move(vt, c->x, c->y - 1);
	c->wrap = false;
}

static bool is_stop(const struct vt *vt, unsigned x)
{
	return vt->tabs[x / 8] & BIT(x % 8);
}

void vt_tab(struct vt *vt, int n)
{
	int x = vt->cursor.x, step = n < 0 ? -1 : 1, last = vt->cols - 1;

	for (n = clamp_to(n, -last, last); n; n -= step) {
		do
			x += step;
		while (x > 0 && x < last && !is_stop(vt, (unsigned)x));
		x = clamp_to(x, 0, last);
	}
	vt_move(vt, x, vt->cursor.y);
}

/* --- the grid --- */

void vt_scroll(struct vt *vt, unsigned top, unsigned bottom, int n)
{
	unsigned height = bottom - top, count;
	u16 moved[VT_ROWS_MAX];

	if (top >= bottom || bottom > vt->rows || !n)
		return;
	count = (unsigned)clamp_to(n < 0 ? -n : n, 1, (int)height);
	if (n > 0) {
		memcpy(moved, vt->map + top, count * sizeof(u16));
		memmove(vt->map + top, vt->map + top + count, (height - count) * sizeof(u16));
		memcpy(vt->map + bottom - count, moved, count * sizeof(u16));
		vt_erase_rows(vt, bottom - count, bottom);
	} else {
		memcpy(moved, vt->map + bottom - count, count * sizeof(u16));
		memmove(vt->map + top + count, vt->map + top, (height - count) * sizeof(u16));
		memcpy(vt->map + top, moved, count * sizeof(u16));
		vt_erase_rows(vt, top, top + count);
	}
	memset(vt->dirty + top, true, height * sizeof(vt->dirty[0]));
}

void vt_erase(struct vt *vt, unsigned y, unsigned from, unsigned to)
{
	to = min_t(unsigned, to, vt->cols);
	if (y >= vt->rows || from >= to)
		return;
	blank(vt, vt_row(vt, y) + from, to - from);
	vt->dirty[y] = true;
}

void vt_erase_rows(struct vt *vt, unsigned from, unsigned to)
{
	for (; from < to; from++)
		vt_erase(vt, from, 0, vt->cols);
}

void vt_shift(struct vt *vt, int n)
{
	struct vt_cell *at = vt_row(vt, vt->cursor.y) + vt->cursor.x;
	unsigned left = vt->cols - vt->cursor.x, count;

	count = (unsigned)clamp_to(n < 0 ? -n : n, 0, (int)left);
	if (n > 0) {
		memmove(at + count, at, (left - count) * sizeof(*at));
		blank(vt, at, count);
	} else {
		memmove(at, at + count, (left - count) * sizeof(*at));
		blank(vt, at + left - count, count);
	}
	vt->dirty[vt->cursor.y] = true;
	vt->cursor.wrap = false;
}

void vt_fill_e(struct vt *vt)
{
	struct vt_cell e = { 'E', VT_FG_DEFAULT, VT_BG_DEFAULT, 0 };

	for (unsigned i = 0; i < (unsigned)vt->cols * vt->rows; i++)
		vt->cells[i] = e;
	vt->top = 0;
	vt->bottom = vt->rows;
	vt_move(vt, 0, 0);
	vt_dirty_all(vt);
}

void vt_look(const struct vt *vt, unsigned y, struct vt_cell *out)
{
	const struct vt_cursor *c = &vt->cursor;

	memcpy(out, vt_row(vt, y), vt->cols * sizeof(*out));
	if (vt->modes & VT_INVERSE)
		for (unsigned x = 0; x < vt->cols; x++)
			out[x].attr ^= VT_REVERSE;
	if (vt->modes & VT_CURSOR && y == c->y)
		out[c->x].attr ^= VT_REVERSE;
}

/* --- characters --- */

/* Marks that go on the character before: not shown. */
static bool is_mark(u32 ch)
{
	return (ch >= 0x300 && ch <= 0x36f) || (ch >= 0x200b && ch <= 0x200f) ||
	       (ch >= 0x20d0 && ch <= 0x20ff) || (ch >= 0xfe00 && ch <= 0xfe0f) || ch == 0xfeff;
}

/* Those that take two columns, so that what programs count is what is shown. */
static bool is_wide(u32 ch)
{
	return (ch >= 0x1100 && ch <= 0x115f) || (ch >= 0x2e80 && ch <= 0xa4cf && ch != 0x303f) ||
	       (ch >= 0xac00 && ch <= 0xd7a3) || (ch >= 0xf900 && ch <= 0xfaff) ||
	       (ch >= 0xfe30 && ch <= 0xfe6f) || (ch >= 0xff00 && ch <= 0xff60) ||
	       (ch >= 0xffe0 && ch <= 0xffe6) || (ch >= 0x1f300 && ch <= 0x1f9ff) ||
	       (ch >= 0x20000 && ch <= 0x3fffd);
}

/* The DEC special graphics in place of ` to ~. */
static u32 line_drawing(u32 ch)
{
	static const u16 table[] = {
		0x25c6, 0x2592, 0x2409, 0x240c, 0x240d, 0x240a, 0x00b0, 0x00b1,
		0x2424, 0x240b, 0x2518, 0x2510, 0x250c, 0x2514, 0x253c, 0x23ba,
		0x23bb, 0x2500, 0x23bc, 0x23bd, 0x251c, 0x2524, 0x2534, 0x252c,
		0x2502, 0x2264, 0x2265, 0x03c0, 0x2260, 0x00a3, 0x00b7,
	};

	return ch >= '`' && ch - '`' < ARRAY_SIZE(table) ? table[ch - '`'] : ch;
}

void vt_put(struct vt *vt, u32 ch)
{
	struct vt_cursor *c = &vt->cursor;
	struct vt_cell *at;
	unsigned width;

	if (c->graphics[c->charset])
		ch = line_drawing(ch);
	if (ch >= 0x300 && is_mark(ch))
		return;
	width = ch >= 0x1100 && is_wide(ch) ? 2 : 1;
	if (vt->modes & VT_AUTOWRAP && (c->wrap || c->x + width > vt->cols)) {
		vt_move(vt, 0, c->y);
		vt_index(vt);
	}
	if (c->x + width > vt->cols)
		c->x = (u16)(vt->cols - width);
	if (vt->modes & VT_INSERT)
		vt_shift(vt, (int)width);
	at = vt_row(vt, c->y) + c->x;
	for (unsigned i = 0; i < width; i++) {
		at[i] = c->pen;
		at[i].ch = i ? 0 : ch;
	}
	vt->dirty[c->y] = true;
	vt->last = ch;
	c->wrap = c->x + width >= vt->cols;
	c->x = c->wrap ? (u16)(vt->cols - 1) : (u16)(c->x + width);
}

/* --- the whole --- */

void vt_alternate(struct vt *vt, bool on)
{
	struct vt_cell *cells = vt->cells;

	if (on == !!(vt->modes & VT_ALTERNATE))
		return;
	vt->modes ^= VT_ALTERNATE;
	vt->cells = vt->other;
	vt->other = cells;
	for (unsigned y = 0; y < vt->rows; y++) {
		u16 row = vt->map[y];

		vt->map[y] = vt->other_map[y];
		vt->other_map[y] = row;
	}
	vt_dirty_all(vt);
}

void vt_reset(struct vt *vt)
{
	vt_alternate(vt, false);
	vt->top = 0;
	vt->bottom = vt->rows;
	vt->modes = VT_AUTOWRAP | VT_CURSOR;
	memset(&vt->cursor, 0, sizeof(vt->cursor));
	vt->cursor.pen = (struct vt_cell){ 0, VT_FG_DEFAULT, VT_BG_DEFAULT, 0 };
	vt->saved = vt->alternate_saved = vt->cursor;
	vt->last = 0;
	memset(vt->tabs, 1, sizeof(vt->tabs)); /* every eighth column */
	vt_erase_rows(vt, 0, vt->rows);
	vt_dirty_all(vt);
}

void vt_init(struct vt *vt, unsigned cols, unsigned rows, struct vt_cell *cells)
{
	memset(vt, 0, sizeof(*vt));
	vt->cols = (u16)clamp_to((int)cols, 2, VT_COLS_MAX);
	vt->rows = (u16)clamp_to((int)rows, 2, VT_ROWS_MAX);
	vt->cells = cells;
	vt->other = cells + (size_t)vt->cols * vt->rows;
	for (u16 y = 0; y < vt->rows; y++)
		vt->map[y] = vt->other_map[y] = y;
	vt_reset(vt);
	blank(vt, vt->other, (unsigned)vt->cols * vt->rows);
}
