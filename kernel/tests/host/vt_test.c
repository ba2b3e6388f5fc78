/*
 * The terminal emulator, the keyboard and the drawing of cells: known sequences against the screen they make,
 * and hostile ones, under the sanitizers, against what must hold whatever comes.
 */
#include "harness.h"
#include <string.h>

#include "../../tty/draw.c"
#include "../../tty/font.c"
#include "../../tty/keymap.c"
#define control vt_control
#include "../../tty/vt.c"
#include "../../tty/vt_parse.c"
#undef control

int scnprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return n < (int)size ? n : (int)size - 1;
}

static struct vt vt;
static struct vt_cell *cells;
static char replies[4096];

static void keep_reply(struct vt *v, const char *s, size_t n)
{
	size_t at = strlen(replies);

	CHECK(v == &vt);
	if (at + n < sizeof(replies)) {
		memcpy(replies + at, s, n);
		replies[at + n] = 0;
	}
}

/* The grid is allocated to the byte, so that the sanitizer sees what goes past it. */
static void open_screen(unsigned cols, unsigned rows)
{
	free(cells);
	cells = malloc(vt_cells_size(cols, rows));
	CHECK(cells);
	vt_init(&vt, cols, rows, cells);
	vt.reply = keep_reply;
	replies[0] = 0;
}

static void feed(const char *s)
{
	vt_write(&vt, (const u8 *)s, strlen(s));
}

/* The rows as text, blanks at their ends left out, each closed by '|'. */
static const char *shown(void)
{
	static char text[16384];
	size_t n = 0;

	for (unsigned y = 0; y < vt.rows; y++) {
		size_t end = n;

		for (unsigned x = 0; x < vt.cols; x++) {
			u32 ch = vt_row(&vt, y)[x].ch;

			text[n++] = !ch ? ' ' : ch < 0x80 ? (char)ch : '#';
			if (ch && ch != ' ')
				end = n;
		}
		n = end;
		text[n++] = '|';
	}
	text[n] = 0;
	return text;
}

static const struct {
	const char *name, *in, *out;
	unsigned x, y;
} screens[] = {
	/* of 8 by 4 */
	{ "text", "ab\r\ncd", "ab|cd|||", 2, 1 },
	{ "line feed keeps the column", "ab\ncd", "ab|  cd|||", 4, 1 },
	{ "newline mode", "\033[20hab\ncd", "ab|cd|||", 2, 1 },
	{ "wrap", "abcdefghi", "abcdefgh|i|||", 1, 1 },
	{ "wrap waits at the edge", "abcdefgh", "abcdefgh||||", 7, 0 },
	{ "return after the edge", "abcdefgh\rX", "Xbcdefgh||||", 1, 0 },
	{ "no wrap", "\033[?7labcdefghi", "abcdefgi||||", 7, 0 },
	{ "scrolls", "a\r\nb\r\nc\r\nd\r\ne", "b|c|d|e|", 1, 3 },
	{ "backspace stops", "\b\babc\bX", "abX||||", 3, 0 },
	{ "tabs", "a\tb", "a      b||||", 7, 0 },
	{ "own tab stop", "ab\033H\r\tX", "abX||||", 3, 0 },
	{ "tabs cleared", "\033[3g\tX", "       X||||", 7, 0 },
	{ "back tab", "abc\033[ZX", "Xbc||||", 1, 0 },
	{ "position", "\033[2;3HX\033[HY", "Y|  X|||", 1, 0 },
	{ "position out of range", "\033[99;99HX", "|||       X|", 7, 3 },
	{ "zero is one", "\033[0;0HX", "X||||", 1, 0 },
	{ "relative", "\033[2B\033[3CX\033[A\033[2DY", "|  Y|   X||", 3, 1 },
	{ "next and previous line", "abc\033[2EX\033[FY", "abc|Y|X||", 1, 1 },
	{ "column and row", "\033[4GX\033[3dY", "   X||    Y||", 5, 2 },
	{ "erase to end", "abc\r\ndef\033[1;2H\033[J", "a||||", 1, 0 },
	{ "erase from start", "abc\r\ndef\033[2;2H\033[1J", "|  f|||", 1, 1 },
	{ "erase all keeps the place", "abc\033[2JX", "   X||||", 4, 0 },
	{ "erase in line", "abcdef\033[4G\033[K", "abc||||", 3, 0 },
	{ "erase line's start", "abcdef\033[4G\033[1K", "    ef||||", 3, 0 },
	{ "erase characters", "abcdef\033[2G\033[3X", "a   ef||||", 1, 0 },
	{ "insert characters", "abcdef\033[2G\033[2@", "a  bcdef||||", 1, 0 },
	{ "insert falls off", "abcdefgh\033[2G\033[3@", "a   bcde||||", 1, 0 },
	{ "delete characters", "abcdef\033[2G\033[2P", "adef||||", 1, 0 },
	{ "insert mode", "abc\r\033[4hXY\033[4lZ", "XYZbc||||", 3, 0 },
	{ "insert lines", "a\r\nb\r\nc\r\nd\033[2H\033[L", "a||b|c|", 0, 1 },
	{ "delete lines", "a\r\nb\r\nc\r\nd\033[2H\033[2M", "a|d|||", 0, 1 },
	{ "region scrolls", "a\r\nb\r\nc\r\nd\033[2;3r\033[3H\n", "a|c||d|", 0, 2 },
	{ "region not at its end", "\033[1;2r\033[4Hx\n\ny", "|||xy|", 2, 3 },
	{ "reverse index", "a\r\nb\033[H\033M", "|a|b||", 0, 0 },
	{ "scroll up and down", "a\r\nb\r\nc\033[2S\033[T", "|c|||", 1, 2 },
	{ "bad region", "\033[3;2rx\033[9;1ry", "xy||||", 2, 0 },
	{ "origin", "\033[2;3r\033[?6hX\033[9;1HY", "|X|Y||", 1, 2 },
	{ "save and restore", "ab\0337\033[3;3HX\0338c", "abc||  X||", 3, 0 },
	{ "repeat", "a\033[3b", "aaaa||||", 4, 0 },
	{ "alternate screen", "ab\033[?1049hX\033[?1049lc", "abc||||", 3, 0 },
	{ "unknown sequences", "\033[?99h\033[5;6x\033[>4;1m\033[1 qa\033%Gb", "ab||||", 2, 0 },
	{ "colons", "\033[4:3ma\033[38:2::1:2:3mb", "ab||||", 2, 0 },
	{ "strings", "a\033]0;title\007b\033P1$r\033\\c\033_x\033\\d", "abcd||||", 4, 0 },
	{ "string cut off by a sequence", "\033]0;ti\033[2Cx", "  x||||", 3, 0 },
	{ "cancelled", "\033[3\030Cx", "Cx||||", 2, 0 },
	{ "control in a sequence", "a\033[2\bCx", "a x||||", 3, 0 },
	{ "utf-8", "\303\251\342\224\200x", "##x||||", 3, 0 },
	{ "utf-8 cut short", "\342\224x\303\r\ny", "#x#|y|||", 1, 1 },
	{ "utf-8 overlong, surrogate, lone", "\300\257\355\240\200\200x", "####x||||", 5, 0 },
	{ "wide characters", "\344\270\255x", "# x||||", 3, 0 },
	{ "wide at the edge", "abcdefg\344\270\255", "abcdefg|#|||", 2, 1 },
	{ "wide at the edge, no wrap", "\033[?7labcdefgh\344\270\255", "abcdef#||||", 7, 0 },
	{ "marks", "e\314\201x", "ex||||", 2, 0 },
	{ "line drawing", "\033(0qx\033(B\016q\017", "##q||||", 3, 0 },
	{ "reset", "abc\033[2;3r\033[7m\033cX", "X||||", 1, 0 },
	{ "alignment", "\033[2;3r\033#8", "EEEEEEEE|EEEEEEEE|EEEEEEEE|EEEEEEEE|", 0, 0 },
};

HTEST(vt_screens)
{
	for (size_t i = 0; i < sizeof(screens) / sizeof(screens[0]); i++) {
		open_screen(8, 4);
		feed(screens[i].in);
		if (strcmp(shown(), screens[i].out) || vt.cursor.x != screens[i].x ||
		    vt.cursor.y != screens[i].y)
			h_fail(__FILE__, __LINE__, "%s: %s at %u,%u; expected %s at %u,%u",
			       screens[i].name, shown(), vt.cursor.x, vt.cursor.y, screens[i].out,
			       screens[i].x, screens[i].y);
	}
}

/* Sequences come in pieces of any size. */
HTEST(vt_pieces)
{
	for (size_t i = 0; i < sizeof(screens) / sizeof(screens[0]); i++) {
		open_screen(8, 4);
		for (const char *s = screens[i].in; *s; s++)
			vt_write(&vt, (const u8 *)s, 1);
		CHECK_STR(shown(), screens[i].out);
	}
}

static struct vt_cell pen_after(const char *s)
{
	open_screen(8, 4);
	feed(s);
	feed("X");
	return *vt_row(&vt, 0);
}

#define CHECK_PEN(s, want_fg, want_bg, want_attr)                                                  \
	do {                                                                                       \
		struct vt_cell c_ = pen_after(s);                                                  \
		CHECK_EQ(c_.fg, want_fg);                                                          \
		CHECK_EQ(c_.bg, want_bg);                                                          \
		CHECK_EQ(c_.attr, want_attr);                                                      \
	} while (0)

HTEST(vt_renditions)
{
	CHECK_PEN("", 7, 0, 0);
	CHECK_PEN("\033[31;44;1m", 1, 4, VT_BOLD);
	CHECK_PEN("\033[91;102m", 9, 10, 0);
	CHECK_PEN("\033[4;7;9m\033[24m", 7, 0, VT_REVERSE | VT_STRIKE);
	CHECK_PEN("\033[1;2m\033[22m", 7, 0, 0);
	CHECK_PEN("\033[31;42m\033[39;49m", 7, 0, 0);
	CHECK_PEN("\033[31;1m\033[m", 7, 0, 0);
	CHECK_PEN("\033[38;5;208;48;5;17m", 208, 17, 0);
	CHECK_PEN("\033[38;2;255;0;0;4m", 196, 0, VT_UNDERLINE);
	CHECK_PEN("\033[38;5m\033[48;2;1m", 7, 0, 0);
	CHECK_PEN("\033[38;9;31m", 7, 0, 0);
	CHECK_PEN("\033[38;5;999m", 255, 0, 0);
	CHECK_PEN("\033[1;;3m", 7, 0, 0);
}

/* Erasing leaves the background's colour; what the cursor and an inverse screen make of a row. */
HTEST(vt_look_of_rows)
{
	struct vt_cell row[8];

	open_screen(8, 4);
	feed("\033[44mab\033[K");
	CHECK_EQ(vt_row(&vt, 0)[7].bg, 4);
	CHECK_EQ(vt_row(&vt, 1)[0].bg, 0);
	vt_look(&vt, 0, row);
	CHECK_EQ(row[2].attr, VT_REVERSE);
	CHECK_EQ(row[1].attr, 0);
	feed("\033[?25l");
	vt_look(&vt, 0, row);
	CHECK_EQ(row[2].attr, 0);
	feed("\033[?5h");
	vt_look(&vt, 0, row);
	CHECK_EQ(row[1].attr, VT_REVERSE);
}

HTEST(vt_answers)
{
	open_screen(8, 4);
	feed("\033[3;4H\033[6n\033[5n\033[c\033[?6n\033[7n");
	CHECK_STR(replies, "\033[3;4R\033[0n\033[?6c");
}

/* A log line comes out whole, in plain colours, and the program's sequence goes on behind it. */
HTEST(vt_log_between)
{
	open_screen(8, 4);
	feed("\033[31mab\033[4");
	vt_write_log(&vt, (const u8 *)"l\033[2J\n", 6);
	CHECK_STR(shown(), "abl?[2J||||");
	CHECK_EQ(vt_row(&vt, 0)[2].fg, 7);
	feed("4mX");
	CHECK_STR(shown(), "abl?[2J|X|||");
	CHECK_EQ(vt_row(&vt, 1)[0].fg, 1);
	CHECK_EQ(vt_row(&vt, 1)[0].bg, 4);
}

static void check_state(void)
{
	bool seen[VT_ROWS_MAX] = { false }, other[VT_ROWS_MAX] = { false };

	CHECK(vt.cursor.x < vt.cols && vt.cursor.y < vt.rows);
	CHECK(vt.saved.x < vt.cols && vt.saved.y < vt.rows);
	CHECK(vt.top < vt.bottom && vt.bottom <= vt.rows);
	CHECK(vt.nr_params <= VT_PARAMS && vt.cursor.charset < 2);
	for (unsigned y = 0; y < vt.rows; y++) {
		CHECK(vt.map[y] < vt.rows && !seen[vt.map[y]]);
		CHECK(vt.other_map[y] < vt.rows && !other[vt.other_map[y]]);
		seen[vt.map[y]] = other[vt.other_map[y]] = true;
	}
}

/* Everything that changed a row said so. */
static void check_dirty(struct vt_cell *before, struct vt_cell *now)
{
	for (unsigned y = 0; y < vt.rows; y++) {
		struct vt_cell *old = before + (size_t)y * vt.cols;

		vt_look(&vt, y, now);
		if (!vt.dirty[y])
			CHECK(!memcmp(old, now, vt.cols * sizeof(*now)));
		memcpy(old, now, vt.cols * sizeof(*now));
		vt.dirty[y] = false;
	}
}

static size_t random_sequence(u8 *s)
{
	static const char finals[] = "@ABCDEFGHIJKLMPSTXZ`abcdefghlmnpqrsux";
	static const char singles[] = "78DEHMZc=>()#%PX^_]\\";
	size_t n = 0;

	switch (h_below(6)) {
	case 0:
		for (n = 0; n < 1 + h_below(12); n++)
			s[n] = (u8)h_rand();
		return n;
	case 1:
		s[n++] = 27;
		s[n++] = (u8)singles[h_below(sizeof(singles) - 1)];
		return n;
	case 2:
		for (n = 0; n < 1 + h_below(20); n++)
			s[n] = (u8)(h_below(95) + 32);
		return n;
	case 3: s[n++] = (u8)h_below(32); return n;
	default: break;
	}
	s[n++] = 27;
	s[n++] = '[';
	if (!h_below(3))
		s[n++] = (u8) "?>!<="[h_below(5)];
	for (u64 i = h_below(h_below(8) ? 4 : 24); i; i--)
		n += (size_t)sprintf((char *)s + n, "%llu;",
				     h_rand() >> (h_below(8) ? 60 : h_below(64)));
	s[n++] = (u8)finals[h_below(sizeof(finals) - 1)];
	return n;
}

static void hostile_session(unsigned cols, unsigned rows, unsigned rounds)
{
	struct vt_cell *before = malloc(vt_cells_size(cols, rows)),
		       *now = malloc(sizeof(*now) * cols);
	u8 s[1024];

	open_screen(cols, rows);
	memset(before, 0xff, vt_cells_size(cols, rows));
	for (unsigned i = 0; i < rounds; i++) {
		size_t n = random_sequence(s);

		if (h_below(16))
			vt_write(&vt, s, n);
		else
			vt_write_log(&vt, s, n);
		check_state();
		check_dirty(before, now);
	}
	free(before);
	free(now);
	/* However it was left: it comes back. */
	feed("\030\033c\033[2;1Hok");
	CHECK(!strncmp(shown(), "|ok|", 4));
}

HTEST(vt_hostile)
{
	for (unsigned i = 0; i < 60; i++)
		hostile_session(2 + (unsigned)h_below(40), 2 + (unsigned)h_below(20), 300);
	hostile_session(2, 2, 2000);
	hostile_session(VT_COLS_MAX, VT_ROWS_MAX, 20);
}

/* --- keys --- */

static struct keymap keys;

static const char *typed(u16 code, bool app)
{
	static char out[64];
	char bytes[KEY_BYTES_MAX];
	size_t n = keymap_key(&keys, code, true, app, bytes), o = 0;

	for (size_t i = 0; i < n; i++)
		o += (size_t)(bytes[i] < 32 ? sprintf(out + o, "^%c", bytes[i] + 64)
					    : sprintf(out + o, "%c", bytes[i]));
	out[o] = 0;
	CHECK_EQ(keymap_key(&keys, code, false, app, bytes), 0);
	return out;
}

static void hold(u16 code, bool down)
{
	char bytes[KEY_BYTES_MAX];

	CHECK_EQ(keymap_key(&keys, code, down, false, bytes), 0);
}

HTEST(keys_plain)
{
	memset(&keys, 0, sizeof(keys));
	CHECK_STR(typed(30, false), "a");
	CHECK_STR(typed(2, false), "1");
	CHECK_STR(typed(57, false), " ");
	CHECK_STR(typed(28, false), "^M");
	CHECK_STR(typed(14, false), "\177");
	CHECK_STR(typed(1, false), "^[");
	CHECK_STR(typed(43, false), "\\");
	CHECK_STR(typed(53, false), "/");
	CHECK_STR(typed(103, false), "^[[A");
	CHECK_STR(typed(103, true), "^[OA");
	CHECK_STR(typed(111, true), "^[[3~");
	CHECK_STR(typed(59, false), "^[[[A");
	CHECK_STR(typed(88, false), "^[[24~");
	CHECK_STR(typed(79, false), "1");
	CHECK_STR(typed(69, false), "");
	CHECK_STR(typed(79, false), "^[[4~");
	CHECK_STR(typed(0x110, false), "");
	CHECK_STR(typed(0xffff, false), "");
}

HTEST(keys_modified)
{
	memset(&keys, 0, sizeof(keys));
	hold(42, true);
	CHECK_STR(typed(30, false), "A");
	CHECK_STR(typed(3, false), "@");
	CHECK_STR(typed(15, false), "^[[Z");
	hold(54, true);
	hold(42, false);
	CHECK_STR(typed(41, false), "~"); /* the other one is still held */
	hold(54, false);
	CHECK_STR(typed(58, false), "");
	CHECK_STR(typed(30, false), "A");
	CHECK_STR(typed(2, false), "1");
	CHECK_STR(typed(58, false), "");
	hold(29, true);
	CHECK_STR(typed(46, false), "^C");
	CHECK_STR(typed(57, false), "^@");
	CHECK_STR(typed(26, false), "^[");
	CHECK_STR(typed(14, false), "^H");
	hold(56, true);
	CHECK_STR(typed(32, false), "^[^D");
	hold(29, false);
	CHECK_STR(typed(33, false), "^[f");
	hold(56, false);
	CHECK_STR(typed(33, false), "f");
}

/* Any key with any state fits the buffer. */
HTEST(keys_all)
{
	for (unsigned i = 0; i < 20000; i++) {
		char *bytes = malloc(KEY_BYTES_MAX);

		CHECK(keymap_key(&keys, (u16)h_below(130), h_below(4), h_below(2), bytes) <=
		      KEY_BYTES_MAX);
		free(bytes);
	}
}

/* --- drawing --- */

#define STRIDE (2 * FONT_WIDTH)
static u32 pixels[2 * FONT_HEIGHT * STRIDE];

static u32 pixel(unsigned x, unsigned y)
{
	return pixels[y * STRIDE + x];
}

HTEST(draw_cells)
{
	struct canvas c;
	struct vt_cell cell = { 0x2588, 1, 4, 0 }; /* a full block */

	draw_init(&c, pixels, STRIDE);
	CHECK_EQ(c.palette[1], 0xaa0000);
	CHECK_EQ(c.palette[196], 0xff0000);
	CHECK_EQ(c.palette[255], 0xeeeeee);
	draw_cell(&c, 1, 1, &cell);
	CHECK_EQ(pixel(8, 16), 0xaa0000);
	CHECK_EQ(pixel(15, 31), 0xaa0000);
	CHECK_EQ(pixel(7, 16), 0);
	CHECK_EQ(pixel(8, 15), 0);
	cell.attr = VT_BOLD | VT_REVERSE;
	draw_cell(&c, 1, 1, &cell);
	CHECK_EQ(pixel(8, 16), 0x0000aa);
	cell = (struct vt_cell){ 0, 1, 4, VT_UNDERLINE };
	draw_cell(&c, 0, 0, &cell);
	CHECK_EQ(pixel(0, 13), 0x0000aa);
	CHECK_EQ(pixel(0, 14), 0xaa0000);
	cell = (struct vt_cell){ 'X', 1, 4, VT_CONCEAL };
	draw_cell(&c, 0, 0, &cell);
	for (unsigned i = 0; i < FONT_WIDTH; i++)
		CHECK_EQ(pixel(i, 4), 0x0000aa);
}

HTEST(font_has)
{
	CHECK(font_glyph('A') != font_glyph('B'));
	CHECK(font_glyph(0xe9) != font_glyph(0xfffd));
	CHECK(font_glyph(0x4e2d) == font_glyph(0xfffd));
	CHECK(font_glyph(0x10ffff) == font_glyph(0xfffd));
	CHECK(font_glyph(0) == font_glyph(' ') && font_glyph(7) == font_glyph(' '));
}
