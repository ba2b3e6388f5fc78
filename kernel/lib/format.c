/*
 * Formatted output (lib/format.h). A conversion is parsed into a struct spec; a number's digits are made
 * backwards in a small buffer, then sign, prefix, zeros and padding are put around them. No floating
 * point, no %n. Manual: printf(3).
 */
#define LIB_FORMAT_OWN
#include <lib/format.h>
#include <lib/string.h>

struct out {
	char *buf;
	size_t size;
	size_t len; /* as if there were no limit */
};

struct spec {
	bool left, zero, plus, space, alt;
	int width;
	int precision; /* -1: none */
	unsigned bytes; /* size of the integer argument */
};

static inline void put(struct out *o, char c)
{
	if (o->len + 1 < o->size)
		o->buf[o->len] = c;
	o->len++;
}

static void pad(struct out *o, char c, int n)
{
	while (n-- > 0)
		put(o, c);
}

static void put_string(struct out *o, const struct spec *sp, const char *s)
{
	size_t n;

	if (!s)
		s = "(null)";
	n = sp->precision >= 0 ? strnlen(s, (size_t)sp->precision) : strlen(s);
	if (!sp->left)
		pad(o, ' ', sp->width - (int)n);
	for (size_t i = 0; i < n; i++)
		put(o, s[i]);
	if (sp->left)
		pad(o, ' ', sp->width - (int)n);
}

static void put_char(struct out *o, const struct spec *sp, char c)
{
	if (!sp->left)
		pad(o, ' ', sp->width - 1);
	put(o, c);
	if (sp->left)
		pad(o, ' ', sp->width - 1);
}

/* prefix: sign or base marker. */
static void put_number(struct out *o, const struct spec *sp, u64 v, unsigned base, bool upper,
		       const char *prefix)
{
	const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
	char tmp[24];
	int n = 0, zeros = 0, fill;

	if (v <= 0xffffffffu && base == 10) { /* 32-bit division is much cheaper */
		for (u32 w = (u32)v; w; w /= 10)
			tmp[n++] = digits[w % 10];
	} else {
		for (; v; v /= base)
			tmp[n++] = digits[v % base];
	}
	if (n == 0 && sp->precision != 0)
		tmp[n++] = '0';
	if (sp->precision > n)
		zeros = sp->precision - n;
	if (base == 8 && sp->alt && zeros == 0 && (n == 0 || tmp[n - 1] != '0'))
		zeros = 1;
	fill = sp->width - n - zeros - (int)strlen(prefix);
	if (sp->zero && !sp->left && sp->precision < 0 && fill > 0) {
		zeros += fill;
		fill = 0;
	}
	if (!sp->left)
		pad(o, ' ', fill);
	while (*prefix)
		put(o, *prefix++);
	pad(o, '0', zeros);
	while (n)
		put(o, tmp[--n]);
	if (sp->left)
		pad(o, ' ', fill);
}

static void put_signed(struct out *o, const struct spec *sp, s64 v)
{
	const char *sign = v < 0 ? "-" : sp->plus ? "+" : sp->space ? " " : "";

	put_number(o, sp, v < 0 ? 0 - (u64)v : (u64)v, 10, false, sign);
}

/* Flags, width, precision and length, starting behind the '%'; returns what comes next. */
static const char *parse_spec(const char *f, struct spec *sp, va_list *ap)
{
	memset(sp, 0, sizeof(*sp));
	for (;; f++) {
		if (*f == '-')
			sp->left = true;
		else if (*f == '0')
			sp->zero = true;
		else if (*f == '+')
			sp->plus = true;
		else if (*f == ' ')
			sp->space = true;
		else if (*f == '#')
			sp->alt = true;
		else
			break;
	}
	if (*f == '*') {
		sp->width = va_arg(*ap, int);
		if (sp->width < 0) {
			sp->left = true;
			sp->width = -sp->width;
		}
		f++;
	} else {
		while (*f >= '0' && *f <= '9')
			sp->width = sp->width * 10 + (*f++ - '0');
	}
	sp->precision = -1;
	if (*f == '.') {
		f++;
		if (*f == '*') {
			sp->precision = max(va_arg(*ap, int), -1);
			f++;
		} else {
			for (sp->precision = 0; *f >= '0' && *f <= '9'; f++)
				sp->precision = sp->precision * 10 + (*f - '0');
		}
	}
	sp->bytes = sizeof(int);
	if (*f == 'h') {
		sp->bytes = *++f == 'h' ? f++, 1 : 2;
	} else if (*f == 'l') {
		sp->bytes = 8;
		if (*++f == 'l')
			f++;
	} else if (*f == 'z' || *f == 't' || *f == 'j') {
		sp->bytes = 8;
		f++;
	}
	return f;
}

static s64 arg_signed(const struct spec *sp, va_list *ap)
{
	if (sp->bytes == 8)
		return va_arg(*ap, s64);
	if (sp->bytes == 4)
		return va_arg(*ap, int);
	return sp->bytes == 2 ? (s16)va_arg(*ap, int) : (s8)va_arg(*ap, int);
}

static u64 arg_unsigned(const struct spec *sp, va_list *ap)
{
	if (sp->bytes == 8)
		return va_arg(*ap, u64);
	if (sp->bytes == 4)
		return va_arg(*ap, unsigned);
	return sp->bytes == 2 ? (u16)va_arg(*ap, unsigned) : (u8)va_arg(*ap, unsigned);
}

static void convert(struct out *o, struct spec *sp, char conv, va_list *ap)
{
	u64 v;

	switch (conv) {
	case 'd':
	case 'i': put_signed(o, sp, arg_signed(sp, ap)); return;
	case 'u': put_number(o, sp, arg_unsigned(sp, ap), 10, false, ""); return;
	case 'o': put_number(o, sp, arg_unsigned(sp, ap), 8, false, ""); return;
	case 'x':
	case 'X':
		v = arg_unsigned(sp, ap);
		put_number(o, sp, v, 16, conv == 'X',
			   !sp->alt || !v ? ""
			   : conv == 'X'  ? "0X"
					  : "0x");
		return;
	case 'p': put_number(o, sp, (uintptr_t)va_arg(*ap, void *), 16, false, "0x"); return;
	case 'c': put_char(o, sp, (char)va_arg(*ap, int)); return;
	case 's': put_string(o, sp, va_arg(*ap, const char *)); return;
	case '%': put(o, '%'); return;
	}
}

int vsnprintf(char *buf, size_t size, const char *fmt, va_list args)
{
	struct out o = { buf, size, 0 };
	va_list ap;

	va_copy(ap, args); /* a va_list parameter cannot be passed on by address */
	while (*fmt) {
		struct spec sp;
		const char *start = fmt;

		if (*fmt != '%') {
			put(&o, *fmt++);
			continue;
		}
		fmt = parse_spec(fmt + 1, &sp, &ap);
		if (*fmt && strchr("diuoxXpcs%", *fmt)) {
			convert(&o, &sp, *fmt++, &ap);
			continue;
		}
		if (*fmt)
			fmt++;
		while (start < fmt)
			put(&o, *start++);
	}
	va_end(ap);
	if (size)
		buf[min(o.len, size - 1)] = '\0';
	return (int)o.len;
}

int snprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return n;
}

int vscnprintf(char *buf, size_t size, const char *fmt, va_list ap)
{
	int n = vsnprintf(buf, size, fmt, ap);

	if ((size_t)n < size)
		return n;
	return size ? (int)size - 1 : 0;
}

int scnprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vscnprintf(buf, size, fmt, ap);
	va_end(ap);
	return n;
}
