/*
 * Memory and strings (lib/string.h). All weak. Copies go by words where both sides allow it; the compiler
 * is kept from turning the loops back into calls of the functions they are in.
 */
#define LIB_STRING_OWN
#include <lib/errno.h>
#include <lib/string.h>

#if defined(__clang__)
#define NO_IDIOM __attribute__((no_builtin))
#else
#define NO_IDIOM __attribute__((optimize("no-tree-loop-distribute-patterns")))
#endif

/* A word in memory whatever its alignment and type. */
typedef unsigned long __attribute__((may_alias, aligned(1))) word_t;
#define WORD sizeof(word_t)

NO_IDIOM static __always_inline void copy_up(u8 *d, const u8 *s, size_t n)
{
	for (; n >= WORD; n -= WORD, d += WORD, s += WORD)
		*(word_t *)d = *(const word_t *)s;
	while (n--)
		*d++ = *s++;
}

__weak
NO_IDIOM void *memcpy(void *restrict dst, const void *restrict src, size_t n)
{
	copy_up(dst, src, n);
	return dst;
}

__weak
NO_IDIOM void *memmove(void *dst, const void *src, size_t n)
{
	u8 *d = dst;
	const u8 *s = src;

	/* Upwards is right unless dst begins inside src. */
	if ((uintptr_t)d - (uintptr_t)s >= n) {
		copy_up(d, s, n);
		return dst;
	}
	for (; n >= WORD; n -= WORD)
		*(word_t *)(d + n - WORD) = *(const word_t *)(s + n - WORD);
	while (n--)
		d[n] = s[n];
	return dst;
}

__weak
NO_IDIOM void *memset(void *dst, int c, size_t n)
{
	u8 *d = dst;
	unsigned long v = (u8)c * 0x0101010101010101ul;

	for (; n >= WORD; n -= WORD, d += WORD)
		*(word_t *)d = v;
	while (n--)
		*d++ = (u8)c;
	return dst;
}

__weak
NO_IDIOM int memcmp(const void *a, const void *b, size_t n)
{
	const u8 *p = a, *q = b;

	for (; n >= WORD && *(const word_t *)p == *(const word_t *)q; n -= WORD)
		p += WORD, q += WORD;
	for (; n; n--, p++, q++) {
		if (*p != *q)
			return *p - *q;
	}
	return 0;
}

__weak
NO_IDIOM void *memchr(const void *s, int c, size_t n)
{
	const u8 *p = s;

	for (; n; n--, p++) {
		if (*p == (u8)c)
			return (void *)(uintptr_t)p;
	}
	return NULL;
}

__weak
NO_IDIOM size_t strlen(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

__weak
NO_IDIOM size_t strnlen(const char *s, size_t max)
{
	size_t n = 0;

	while (n < max && s[n])
		n++;
	return n;
}

__weak
NO_IDIOM int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return (u8)*a - (u8)*b;
}

__weak
NO_IDIOM int strncmp(const char *a, const char *b, size_t n)
{
	for (; n; n--, a++, b++) {
		if (*a != *b)
			return (u8)*a - (u8)*b;
		if (!*a)
			break;
	}
	return 0;
}

__weak
NO_IDIOM char *strchr(const char *s, int c)
{
	for (;; s++) {
		if (*s == (char)c)
			return (char *)(uintptr_t)s;
		if (!*s)
			return NULL;
	}
}

__weak
NO_IDIOM char *strrchr(const char *s, int c)
{
	const char *found = NULL;

	for (;; s++) {
		if (*s == (char)c)
			found = s;
		if (!*s)
			return (char *)(uintptr_t)found;
	}
}

__weak
NO_IDIOM char *strstr(const char *s, const char *what)
{
	size_t n = strlen(what);

	for (;; s++) {
		if (strncmp(s, what, n) == 0)
			return (char *)(uintptr_t)s;
		if (!*s)
			return NULL;
	}
}

ssize_t strscpy(char *dst, const char *src, size_t size)
{
	size_t n;

	for (n = 0; n < size; n++) {
		dst[n] = src[n];
		if (!src[n])
			return (ssize_t)n;
	}
	if (size)
		dst[size - 1] = '\0';
	return -E2BIG;
}

bool str_has_prefix(const char *s, const char *prefix)
{
	while (*prefix) {
		if (*s++ != *prefix++)
			return false;
	}
	return true;
}
