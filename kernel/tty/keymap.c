/*
 * Keys as bytes. Codes are those of Linux's input events. Alt puts ESC before a character; a control character
 * comes from the place of the key's character in the columns of ASCII. Leaves out: compose, other layouts.
 * Manual: console_codes(4), terminfo's entry linux.
 */
#include <lib/string.h>
#include "keymap.h"

enum held { SHIFT_L = 1, SHIFT_R = 2, CTRL_L = 4, CTRL_R = 8, ALT_L = 16, ALT_R = 32 };
#define SHIFT (SHIFT_L | SHIFT_R)
#define CTRL (CTRL_L | CTRL_R)
#define ALT (ALT_L | ALT_R)

enum key {
	KEY_BACKSPACE = 14,
	KEY_TAB = 15,
	KEY_ENTER = 28,
	KEY_CTRL_L = 29,
	KEY_SHIFT_L = 42,
	KEY_SHIFT_R = 54,
	KEY_KPASTERISK = 55,
	KEY_ALT_L = 56,
	KEY_CAPS = 58,
	KEY_F1 = 59,
	KEY_F10 = 68,
	KEY_NUM = 69,
	KEY_KP7 = 71,
	KEY_KPDOT = 83,
	KEY_F11 = 87,
	KEY_F12 = 88,
	KEY_KPENTER = 96,
	KEY_CTRL_R = 97,
	KEY_KPSLASH = 98,
	KEY_ALT_R = 100,
	KEY_HOME = 102,
	KEY_DELETE = 111,
};

/* By code, from 1 to 57. 0: types nothing by itself. */
static const char plain[] =
	"\0\0331234567890-=\177\tqwertyuiop[]\r\0asdfghjkl;'`\0\\zxcvbnm,./\0*\0 ";
static const char shifted[] =
	"\0\033!@#$%^&*()_+\177\tQWERTYUIOP{}\r\0ASDFGHJKL:\"~\0|ZXCVBNM<>?\0*\0 ";
/* The keypad from KEY_KP7 on, and what its keys do when it moves. */
static const char keypad[] = "789-456+1230.";
static const u8 keypad_keys[] = { 102, 103, 104, 0, 105, 0, 106, 0, 107, 108, 109, 110, 111 };

/* KEY_HOME to KEY_DELETE: the letter of ESC [, or the number of ESC [ ~. */
static const char *const moves[] = { "1~", "A", "5~", "D", "C", "4~", "B", "6~", "2~", "3~" };
static const char *const functions[] = { "[A",  "[B",  "[C",  "[D",  "[E",  "17~",
					 "18~", "19~", "20~", "21~", "23~", "24~" };

static u8 modifier(u16 code)
{
	switch (code) {
	case KEY_SHIFT_L: return SHIFT_L;
	case KEY_SHIFT_R: return SHIFT_R;
	case KEY_CTRL_L: return CTRL_L;
	case KEY_CTRL_R: return CTRL_R;
	case KEY_ALT_L: return ALT_L;
	case KEY_ALT_R: return ALT_R;
	default: return 0;
	}
}

static size_t sequence(char *out, const char *start, const char *rest)
{
	size_t n = strlen(start), m = strlen(rest);

	memcpy(out, start, n);
	memcpy(out + n, rest, m);
	return n + m;
}

static char control(char c)
{
	static const char digits[] = { 0, 27, 28, 29, 30, 31, 127 }; /* of 2 to 8 */

	if (c >= '2' && c <= '8')
		return digits[c - '2'];
	if (c == '/' || c == '-')
		return 31;
	if (c == 127)
		return 8;
	if (c == '?')
		return 127;
	return c == ' ' || (c >= '@' && c < 127) ? c & 31 : c;
}

static size_t character(const struct keymap *k, char c, char *out)
{
	size_t n = 0;

	if (k->held & CTRL)
		c = control(c);
	if (k->held & ALT)
		out[n++] = 27;
	out[n++] = c;
	return n;
}

/* Home, arrows and their neighbours. */
static size_t move_key(u16 code, bool app_cursor, char *out)
{
	const char *rest = moves[code - KEY_HOME];

	return sequence(out, app_cursor && !rest[1] ? "\033O" : "\033[", rest);
}

static size_t keypad_key(const struct keymap *k, u16 code, bool app_cursor, char *out)
{
	u16 move = keypad_keys[code - KEY_KP7];

	if (k->keypad_moves && move)
		return move_key(move, app_cursor, out);
	return character(k, keypad[code - KEY_KP7], out);
}

static size_t main_key(const struct keymap *k, u16 code, char *out)
{
	char c = plain[code];
	bool shift = k->held & SHIFT;

	if (code == KEY_TAB && shift)
		return sequence(out, "\033[", "Z");
	if (!c)
		return 0;
	if (k->caps && c >= 'a' && c <= 'z')
		shift = !shift;
	return character(k, shift ? shifted[code] : c, out);
}

static size_t pressed(struct keymap *k, u16 code, bool app_cursor, char *out)
{
	if (code == KEY_CAPS)
		k->caps = !k->caps;
	else if (code == KEY_NUM)
		k->keypad_moves = !k->keypad_moves;
	else if (code < KEY_CAPS)
		return main_key(k, code, out);
	else if (code >= KEY_F1 && code <= KEY_F10)
		return sequence(out, "\033[", functions[code - KEY_F1]);
	else if (code == KEY_F11 || code == KEY_F12)
		return sequence(out, "\033[", functions[code - KEY_F11 + 10]);
	else if (code >= KEY_KP7 && code <= KEY_KPDOT)
		return keypad_key(k, code, app_cursor, out);
	else if (code >= KEY_HOME && code <= KEY_DELETE)
		return move_key(code, app_cursor, out);
	else if (code == KEY_KPENTER)
		return character(k, '\r', out);
	else if (code == KEY_KPSLASH)
		return character(k, '/', out);
	return 0;
}

size_t keymap_key(struct keymap *k, u16 code, bool down, bool app_cursor, char out[KEY_BYTES_MAX])
{
	u8 bit = modifier(code);

	if (!bit)
		return down ? pressed(k, code, app_cursor, out) : 0;
	k->held = (u8)(down ? k->held | bit : k->held & ~bit);
	return 0;
}
