/* Keys as the bytes they stand for: an American keyboard, the sequences of the Linux console. Pure. */
#pragma once
#include <lib/types.h>

#define KEY_BYTES_MAX 8

/* Which keys are held and locked. All zero: none; the keypad types digits. */
struct keymap {
	u8 held; /* enum held of keymap.c */
	bool caps, keypad_moves;
};

/* What the key's going down (or up) types: how many bytes, 0 for most. app_cursor: arrows as ESC O. */
size_t keymap_key(struct keymap *k, u16 code, bool down, bool app_cursor, char out[KEY_BYTES_MAX]);
