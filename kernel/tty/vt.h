/*
 * A terminal emulator, after the Linux console and the VT100: bytes in, a grid of cells out. Pure state; the
 * caller's lock covers everything, and nothing here sleeps, allocates or touches a device.
 *
 * vt.c has the grid and what changes it, vt_parse.c the sequences that say so. Rows are reached through a map,
 * so that scrolling moves numbers and not cells. Which rows changed is noted in dirty[]; who draws clears it.
 * Leaves out: scrollback, blinking, proportional and right-to-left text, 132 columns, mouse reports.
 */
#pragma once
#include <lib/types.h>

#define VT_COLS_MAX 512
#define VT_ROWS_MAX 256
#define VT_PARAMS 16

enum vt_attr {
	VT_BOLD = BIT(0),
	VT_DIM = BIT(1),
	VT_UNDERLINE = BIT(2),
	VT_REVERSE = BIT(3),
	VT_CONCEAL = BIT(4),
	VT_STRIKE = BIT(5),
};

/* Colours are places in the palette of 256: 16 of the terminal's, a cube of 6x6x6, 24 greys. */
enum { VT_FG_DEFAULT = 7, VT_BG_DEFAULT = 0 };

struct vt_cell {
	u32 ch; /* Unicode; 0: blank, or the right half of a wide character */
	u8 fg, bg;
	u16 attr;
};

enum vt_mode {
	VT_AUTOWRAP = BIT(0),
	VT_ORIGIN = BIT(1),
	VT_INSERT = BIT(2),
	VT_NEWLINE = BIT(3), /* a line feed returns the carriage too */
	VT_CURSOR = BIT(4), /* shown */
	VT_APP_CURSOR = BIT(5), /* arrow keys send ESC O */
	VT_INVERSE = BIT(6), /* the whole screen */
	VT_ALTERNATE = BIT(7), /* the second grid is shown */
};

/* What DECSC saves. */
struct vt_cursor {
	u16 x, y;
	bool wrap; /* the last column is filled: the next character begins a line */
	u8 charset; /* G0 or G1 */
	bool graphics[2]; /* line drawing is in G0, G1 */
	bool origin;
	struct vt_cell pen; /* a blank with the colours to draw in */
};

struct vt {
	u16 cols, rows;
	u16 top, bottom; /* the scrolling region: [top, bottom) */
	u32 modes; /* enum vt_mode */
	struct vt_cursor cursor, saved, alternate_saved;
	struct vt_cell *cells, *other; /* the grid, and the alternate one */
	u16 map[VT_ROWS_MAX]; /* row → row of cells */
	u16 other_map[VT_ROWS_MAX];
	bool dirty[VT_ROWS_MAX];
	u8 tabs[VT_COLS_MAX / 8];
	u32 last; /* for REP; 0: none */

	u8 state; /* vt_parse.c's */
	u8 private, intermediate;
	u8 nr_params;
	u16 params[VT_PARAMS];
	u32 rune; /* of UTF-8, so far */
	u8 rune_left;
	u32 rune_min;

	/* Answers to what the program asks; NULL: none are given. */
	void (*reply)(struct vt *vt, const char *s, size_t n);
};

/* Bytes of memory for a grid's two halves. */
static inline size_t vt_cells_size(unsigned cols, unsigned rows)
{
	return sizeof(struct vt_cell) * cols * rows * 2;
}
/* cells: vt_cells_size() bytes. Sizes are 2 to the maxima. */
void vt_init(struct vt *vt, unsigned cols, unsigned rows, struct vt_cell *cells);
void vt_write(struct vt *vt, const u8 *s, size_t n);
/* Lines of the kernel's log: plain text, wherever the program's own output has got to. */
void vt_write_log(struct vt *vt, const u8 *s, size_t n);
/* Row y as it is to be drawn, cursor and inverse screen with it. */
void vt_look(const struct vt *vt, unsigned y, struct vt_cell *out);
static inline struct vt_cell *vt_row(const struct vt *vt, unsigned y)
{
	return vt->cells + (size_t)vt->map[y] * vt->cols;
}

/* Between vt.c and vt_parse.c. Numbers may be anything: they are brought into range here. */
void vt_reset(struct vt *vt);
void vt_put(struct vt *vt, u32 ch);
void vt_move(struct vt *vt, int x, int y); /* within the screen */
void vt_place(struct vt *vt, int x, int y); /* from the region's top with VT_ORIGIN */
void vt_index(struct vt *vt); /* down a line, scrolling at the region's end */
void vt_reverse_index(struct vt *vt);
void vt_scroll(struct vt *vt, unsigned top, unsigned bottom, int n); /* n > 0: text moves up */
void vt_erase(struct vt *vt, unsigned y, unsigned from, unsigned to); /* columns [from, to) */
void vt_erase_rows(struct vt *vt, unsigned from, unsigned to);
void vt_shift(struct vt *vt, int n); /* from the cursor on: n > 0 opens blanks, n < 0 deletes */
void vt_tab(struct vt *vt, int n); /* n < 0: back */
void vt_alternate(struct vt *vt, bool on);
void vt_fill_e(struct vt *vt); /* DECALN */
void vt_dirty_all(struct vt *vt);
