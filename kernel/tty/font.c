/* Glyphs by character. */
#include "font.h"

#define ASCII_FIRST 0x20
#define ASCII_LAST 0x7e
#define REPLACEMENT 0xfffd

static const u16 chars[FONT_GLYPHS] = { FONT_CHARS };
static const u8 glyphs[FONT_GLYPHS][FONT_HEIGHT] = { FONT_ROWS };

/* The first place whose character is not below ch. */
static unsigned lower_bound(u32 ch)
{
	unsigned low = 0, high = FONT_GLYPHS;

	while (low < high) {
		unsigned mid = (low + high) / 2;

		if (chars[mid] < ch)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

const u8 *font_glyph(u32 ch)
{
	unsigned at;

	if (ch <= ASCII_LAST)
		return glyphs[ch >= ASCII_FIRST ? ch - ASCII_FIRST : 0];
	at = lower_bound(ch);
	if (at == FONT_GLYPHS || chars[at] != ch)
		at = lower_bound(REPLACEMENT);
	return glyphs[at];
}
