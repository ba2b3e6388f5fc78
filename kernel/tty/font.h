/* The screen's font; the glyphs are made from font.tbl. */
#pragma once
#include <font_gen.h>
#include <lib/types.h>

/* FONT_HEIGHT rows, the leftmost pixel in the highest bit. A box for what there is no glyph of; 0 is blank. */
const u8 *font_glyph(u32 ch);
