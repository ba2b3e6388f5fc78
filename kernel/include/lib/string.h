/*
 * Memory and strings. The C versions are weak: a port overrides what it does better. In the kernel the
 * names go through the compiler's builtins, so that small constant sizes become plain moves.
 */
#pragma once
#include <lib/types.h>

#if __STDC_HOSTED__ && !defined(LIB_STRING_OWN)
#include <string.h>
#else
void *memcpy(void *restrict dst, const void *restrict src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *s, int c, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);
char *strstr(const char *s, const char *what);

#ifndef LIB_STRING_OWN
#define memcpy(d, s, n) __builtin_memcpy((d), (s), (n))
#define memmove(d, s, n) __builtin_memmove((d), (s), (n))
#define memset(d, c, n) __builtin_memset((d), (c), (n))
#define memcmp(a, b, n) __builtin_memcmp((a), (b), (n))
#define strlen(s) __builtin_strlen(s)
#define strcmp(a, b) __builtin_strcmp((a), (b))
#endif
#endif

/* Copies as much as fits, always with a NUL. The length copied, or -E2BIG if src was longer. size: > 0. */
ssize_t strscpy(char *dst, const char *src, size_t size);
/* True when s begins with prefix. */
bool str_has_prefix(const char *s, const char *prefix);
