/* Cells as pixels. Pure. */
#pragma once
#include "vt.h"

#define PALETTE_SIZE 256

struct canvas {
	u32 *pixels; /* 0xRRGGBB, top row first */
	unsigned stride; /* pixels from a row to the next */
	u32 palette[PALETTE_SIZE];
};

void draw_init(struct canvas *c, u32 *pixels, unsigned stride);
/* The cell at column x of row y. */
void draw_cell(const struct canvas *c, unsigned x, unsigned y, const struct vt_cell *cell);
