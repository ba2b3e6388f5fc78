/* Numbers and words from text. */
#pragma once
#include <lib/types.h>

/* Digits at *s (0x: hex, 0b: binary, leading 0: octal when base is 0), *s moved behind them. 0, -EINVAL
 * when there is no digit, -ERANGE on overflow; *s and *out are unchanged then. */
int parse_u64_prefix(const char **s, unsigned base, u64 *out);
/* The whole string is one number; base 0 detects. 0, -EINVAL, -ERANGE. */
int parse_u64(const char *s, unsigned base, u64 *out);
/* As parse_u64, with a sign allowed. */
int parse_s64(const char *s, unsigned base, s64 *out);
/* A number with an optional suffix K, M, G, T (either case; powers of 1024). The whole string. */
int parse_size(const char *s, u64 *out);

/*
 * The next word of a command line, in place: leading blanks skipped, double quotes removed (blanks
 * inside them belong to the word), the word NUL-terminated, *line moved behind it. NULL at the end.
 */
char *parse_next_word(char **line);
