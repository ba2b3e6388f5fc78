/* The kernel's own string functions, under other names, against the host's. */
#define memcpy k_memcpy
#define memmove k_memmove
#define memset k_memset
#define memcmp k_memcmp
#define memchr k_memchr
#define strlen k_strlen
#define strnlen k_strnlen
#define strcmp k_strcmp
#define strncmp k_strncmp
#define strchr k_strchr
#define strrchr k_strrchr
#define strstr k_strstr
#include "../../lib/string.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef memchr
#undef strlen
#undef strnlen
#undef strcmp
#undef strncmp
#undef strchr
#undef strrchr
#undef strstr
#include "harness.h"
#include <string.h>

static int sign(int v)
{
	return (v > 0) - (v < 0);
}

HTEST(mem_random)
{
	u8 a[200], b[200];

	for (int step = 0; step < 20000; step++) {
		size_t from = h_below(100), to = h_below(100), n = h_below(100);
		u8 c = (u8)h_rand();

		for (size_t i = 0; i < sizeof(a); i++)
			a[i] = b[i] = (u8)h_below(3);
		switch (h_below(3)) {
		case 0:
			CHECK(k_memmove(a + to, a + from, n) == a + to);
			memmove(b + to, b + from, n);
			break;
		case 1:
			k_memcpy(a + 100 + to / 2, a + from / 2, n / 2);
			memcpy(b + 100 + to / 2, b + from / 2, n / 2);
			break;
		case 2:
			k_memset(a + to, c, n);
			memset(b + to, c, n);
			break;
		}
		CHECK(memcmp(a, b, sizeof(a)) == 0);
		CHECK_EQ(sign(k_memcmp(a + from, a + to, n)), sign(memcmp(a + from, a + to, n)));
		CHECK(k_memchr(a + from, c & 3, n) == memchr(a + from, c & 3, n));
	}
}

HTEST(str_random)
{
	for (int step = 0; step < 20000; step++) {
		size_t la = h_below(20), lb = h_below(4), n = h_below(24);
		char *a = malloc(la + 1), *b = malloc(lb + 1),
		     out[24]; /* exact: overruns are seen */

		for (size_t i = 0; i < la; i++)
			a[i] = (char)("ab\xff"[h_below(3)]);
		for (size_t i = 0; i < lb; i++)
			b[i] = (char)("ab\xff"[h_below(3)]);
		a[la] = b[lb] = 0;
		CHECK_EQ(k_strlen(a), la);
		CHECK_EQ(k_strnlen(a, n), min(la, n));
		CHECK_EQ(sign(k_strcmp(a, b)), sign(strcmp(a, b)));
		CHECK_EQ(sign(k_strncmp(a, b, n)), sign(strncmp(a, b, n)));
		CHECK(k_strchr(a, 'b') == strchr(a, 'b'));
		CHECK(k_strchr(a, 0) == a + la);
		CHECK(k_strrchr(a, 'a') == strrchr(a, 'a'));
		CHECK(k_strstr(a, b) == strstr(a, b));
		CHECK_EQ(str_has_prefix(a, b), strncmp(a, b, lb) == 0);
		if (n) {
			CHECK_EQ(strscpy(out, a, n), la < n ? (ssize_t)la : -E2BIG);
			CHECK(strncmp(out, a, n - 1) == 0 && strlen(out) == min(la, n - 1));
		}
		free(a);
		free(b);
	}
}
