/* Numbers and words from text (lib/parse.h). */
#include <lib/errno.h>
#include <lib/parse.h>

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
}

/* Takes a base's prefix from *s if a digit follows it. */
static unsigned detect_base(const char **s, unsigned base)
{
	const char *p = *s;
	unsigned found = base ? base : 10;

	if (p[0] != '0')
		return found;
	if ((p[1] | 0x20) == 'x' && (base == 0 || base == 16) && digit(p[2]) < 16)
		found = 16;
	else if ((p[1] | 0x20) == 'b' && (base == 0 || base == 2) && digit(p[2]) < 2)
		found = 2;
	else
		return base ? base : 8;
	*s += 2;
	return found;
}

int parse_u64_prefix(const char **s, unsigned base, u64 *out)
{
	const char *p = *s, *first;
	u64 v = 0;

	base = detect_base(&p, base);
	for (first = p; digit(*p) < (int)base; p++) {
		if (__builtin_mul_overflow(v, (u64)base, &v) ||
		    __builtin_add_overflow(v, (u64)digit(*p), &v))
			return -ERANGE;
	}
	if (p == first)
		return -EINVAL;
	*s = p;
	*out = v;
	return 0;
}

int parse_u64(const char *s, unsigned base, u64 *out)
{
	u64 v;
	int err = parse_u64_prefix(&s, base, &v);

	if (err)
		return err;
	if (*s)
		return -EINVAL;
	*out = v;
	return 0;
}

int parse_s64(const char *s, unsigned base, s64 *out)
{
	bool neg = *s == '-';
	u64 v;
	int err;

	if (*s == '-' || *s == '+')
		s++;
	err = parse_u64(s, base, &v);
	if (err)
		return err;
	if (v > (u64)INT64_MAX + neg)
		return -ERANGE;
	*out = (s64)(neg ? 0 - v : v);
	return 0;
}

int parse_size(const char *s, u64 *out)
{
	unsigned shift = 0;
	u64 v;
	int err = parse_u64_prefix(&s, 0, &v);

	if (err)
		return err;
	switch (*s) {
	case 'k':
	case 'K': shift = 10; break;
	case 'm':
	case 'M': shift = 20; break;
	case 'g':
	case 'G': shift = 30; break;
	case 't':
	case 'T': shift = 40; break;
	}
	if (shift)
		s++;
	if (*s)
		return -EINVAL;
	if (v > ~0ull >> shift)
		return -ERANGE;
	*out = v << shift;
	return 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

char *parse_next_word(char **line)
{
	char *p = *line, *word, *out;
	bool quoted = false;

	while (is_blank(*p))
		p++;
	if (!*p) {
		*line = p;
		return NULL;
	}
	word = p;
	for (out = p; *p && (quoted || !is_blank(*p)); p++) {
		if (*p == '"')
			quoted = !quoted;
		else
			*out++ = *p;
	}
	if (*p)
		p++;
	*out = '\0';
	*line = p;
	return word;
}
