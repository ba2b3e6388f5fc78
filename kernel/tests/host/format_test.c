/* The kernel's formatter, under other names, against the host's on random conversions. */
#include <stdio.h>
#define vsnprintf k_vsnprintf
#define snprintf k_snprintf
#include "../../lib/format.c"
#undef vsnprintf
#undef snprintf
#include "harness.h"

#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat"

static void make_spec(char *f, const char **conv_out)
{
	static const char *const lengths[] = { "", "hh", "h", "l", "ll", "z", "t", "j" };
	static const char *const convs[] = { "d", "i", "u", "x", "X", "o", "c", "s" };
	const char *conv = convs[h_below(8)];
	bool number = strchr("cs", *conv) == NULL;

	*f++ = '%';
	for (int i = 0; i < 3; i++) {
		if (h_below(3) == 0)
			*f++ = number ? "-0+ #"[h_below(5)] : '-';
	}
	if (h_below(2))
		f += sprintf(f, "%d", (int)h_below(30));
	if (h_below(2) && *conv != 'c')
		f += sprintf(f, ".%d", (int)h_below(25));
	if (number)
		f += sprintf(f, "%s", lengths[h_below(8)]);
	strcpy(f, conv);
	*conv_out = conv;
}

HTEST(format_random)
{
	char fmt[80], got[128], want[128];

	for (int step = 0; step < 100000; step++) {
		const char *conv;
		u64 v = h_below(8) ? h_rand() >> h_below(64) : 0;
		size_t size = h_below(4) ? sizeof(got) : h_below(12);
		int a, b;

		if (h_below(2))
			v = 0 - v;
		memset(got, 'Z', sizeof(got));
		memset(want, 'Z', sizeof(want));
		strcpy(fmt, "<");
		make_spec(fmt + 1, &conv);
		strcat(fmt, ">%%");
		if (*conv == 's') {
			a = k_snprintf(got, size, fmt, "some text");
			b = snprintf(want, size, fmt, "some text");
		} else if (*conv == 'c') {
			a = k_snprintf(got, size, fmt, (int)('a' + v % 26));
			b = snprintf(want, size, fmt, (int)('a' + v % 26));
		} else {
			a = k_snprintf(got, size, fmt, v);
			b = snprintf(want, size, fmt, v);
		}
		if (a != b || memcmp(got, want, sizeof(got)) != 0)
			h_fail(__FILE__, __LINE__,
			       "%s of %llx, size %zu: \"%s\" %d, expected \"%s\" %d", fmt, v, size,
			       got, a, want, b);
	}
}

HTEST(format_cases)
{
	char b[64], *volatile none = NULL;
	int n;

	CHECK_EQ(k_snprintf(b, sizeof(b), "%*d|%-*d|%.*s", 5, 42, -4, 7, 2, "xyz"), 13);
	CHECK_STR(b, "   42|7   |xy");
	k_snprintf(b, sizeof(b), "%p", (void *)0x1234);
	CHECK_STR(b, "0x1234");
	k_snprintf(b, sizeof(b), "%s", none);
	CHECK_STR(b, "(null)");
	CHECK_EQ(k_snprintf(NULL, 0, "%d", 12345), 5);
	n = scnprintf(b, 4, "%d", 12345);
	CHECK_EQ(n, 3);
	CHECK_STR(b, "123");
	CHECK_EQ(scnprintf(b, 0, "x"), 0);
	k_snprintf(b, sizeof(b), "%d %u %llx", INT32_MIN, 0u, ~0ull);
	CHECK_STR(b, "-2147483648 0 ffffffffffffffff");
	k_snprintf(b, sizeof(b), "a%yb%");
	CHECK_STR(b, "a%yb%");
}
