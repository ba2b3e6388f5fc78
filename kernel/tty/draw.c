/*
 * Cells as pixels: glyphs, colours, attributes.
 *
 * Colours 0 to 15 are the terminal's, dark then bright; 16 to 231 a cube of six steps of red, green and blue;
 * the rest greys. Bold text in a dark colour is drawn in its bright one, as consoles do. Underlines and
 * strikes are rows of the cell.
 */
#include "draw.h"
#include "font.h"

#define UNDERLINE_ROW 14
#define STRIKE_ROW 8

static const u32 basic[16] = {
	0x000000, 0xaa0000, 0x00aa00, 0xaa5500, 0x0000aa, 0xaa00aa, 0x00aaaa, 0xaaaaaa,
	0x555555, 0xff5555, 0x55ff55, 0xffff55, 0x5555ff, 0xff55ff, 0x55ffff, 0xffffff,
};

static u32 cube_level(unsigned step)
{
	return step ? 55 + 40 * step : 0;
}

static u32 palette_colour(unsigned i)
{
	if (i < 16)
		return basic[i];
	if (i >= 232)
		return (8 + 10 * (i - 232)) * 0x010101;
	i -= 16;
	return cube_level(i / 36) << 16 | cube_level(i / 6 % 6) << 8 | cube_level(i % 6);
}

void draw_init(struct canvas *c, u32 *pixels, unsigned stride)
{
	c->pixels = pixels;
	c->stride = stride;
	for (unsigned i = 0; i < PALETTE_SIZE; i++)
		c->palette[i] = palette_colour(i);
}

static u32 half(u32 colour)
{
	return colour >> 1 & 0x7f7f7f;
}

void draw_cell(const struct canvas *c, unsigned x, unsigned y, const struct vt_cell *cell)
{
	bool bright = cell->attr & VT_BOLD && cell->fg < 8;
	u32 fg = c->palette[bright ? cell->fg + 8 : cell->fg], bg = c->palette[cell->bg];
	const u8 *glyph = font_glyph(cell->attr & VT_CONCEAL ? 0 : cell->ch);
	u32 *out = c->pixels + (size_t)y * FONT_HEIGHT * c->stride + (size_t)x * FONT_WIDTH;

	if (cell->attr & VT_DIM)
		fg = half(fg);
	if (cell->attr & VT_REVERSE) {
		u32 t = fg;

		fg = bg;
		bg = t;
	}
	for (unsigned row = 0; row < FONT_HEIGHT; row++, out += c->stride) {
		unsigned bits = glyph[row];

		if ((row == UNDERLINE_ROW && cell->attr & VT_UNDERLINE) ||
		    (row == STRIKE_ROW && cell->attr & VT_STRIKE))
			bits = 0xff;
		for (unsigned i = 0; i < FONT_WIDTH; i++)
			out[i] = bits & (0x80u >> i) ? fg : bg;
	}
}
