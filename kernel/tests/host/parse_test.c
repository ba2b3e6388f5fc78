/* Numbers and words: against strtoull, and hand-picked edges. */
#include "harness.h"
#include <lib/errno.h>
#include <lib/parse.h>
#include <string.h>

HTEST(parse_random)
{
	static const char alphabet[] = "0123456789abfxXg ";

	for (int step = 0; step < 200000; step++) {
		char s[26];
		size_t n = h_below(24);
		char *end;
		u64 got = 42, want;
		int err;

		for (size_t i = 0; i < n; i++)
			s[i] = alphabet[h_below(h_below(2) ? 10 : sizeof(alphabet) - 1)];
		s[n] = 0;
		errno = 0;
		want = strtoull(s, &end, 0);
		err = parse_u64(s, 0, &got);
		if (s[0] == ' ' || n == 0 || *end) /* (the host's skips blanks, and knows no 0b) */
			CHECK(err == -EINVAL || err == -ERANGE || s[1] == 'b');
		else if (errno == ERANGE)
			CHECK_EQ(err, -ERANGE);
		else {
			CHECK_EQ(err, 0);
			CHECK_EQ(got, want);
		}
		if (err)
			CHECK_EQ(got, 42);
	}
}

HTEST(parse_cases)
{
	u64 v;
	s64 s;
	const char *p = "12rest";

	CHECK(parse_u64("18446744073709551615", 0, &v) == 0 && v == ~0ull);
	CHECK_EQ(parse_u64("18446744073709551616", 0, &v), -ERANGE);
	CHECK(parse_u64("0xffffFFFFffffFFFF", 0, &v) == 0 && v == ~0ull);
	CHECK(parse_u64("ff", 16, &v) == 0 && v == 255);
	CHECK(parse_u64("0b101", 0, &v) == 0 && v == 5);
	CHECK(parse_u64("0755", 0, &v) == 0 && v == 0755);
	CHECK_EQ(parse_u64("08", 0, &v), -EINVAL);
	CHECK_EQ(parse_u64("0x", 0, &v), -EINVAL);
	CHECK_EQ(parse_u64("", 10, &v), -EINVAL);
	CHECK_EQ(parse_u64("-1", 10, &v), -EINVAL);
	CHECK(parse_u64_prefix(&p, 10, &v) == 0 && v == 12 && strcmp(p, "rest") == 0);
	CHECK(parse_s64("-9223372036854775808", 10, &s) == 0 && s == INT64_MIN);
	CHECK_EQ(parse_s64("9223372036854775808", 10, &s), -ERANGE);
	CHECK_EQ(parse_s64("--1", 10, &s), -EINVAL);
	CHECK(parse_size("64K", &v) == 0 && v == 65536);
	CHECK(parse_size("3g", &v) == 0 && v == 3ull << 30);
	CHECK_EQ(parse_size("16777216T", &v), -ERANGE);
	CHECK_EQ(parse_size("4KB", &v), -EINVAL);
}

HTEST(parse_words)
{
	char line[] = "  one two=\"a b\"  \"\" last\n";
	char *p = line;

	CHECK_STR(parse_next_word(&p), "one");
	CHECK_STR(parse_next_word(&p), "two=a b");
	CHECK_STR(parse_next_word(&p), "");
	CHECK_STR(parse_next_word(&p), "last");
	CHECK(parse_next_word(&p) == NULL);
	CHECK(parse_next_word(&p) == NULL);
}
