/*
 * Events: strict JSON lines on the event channel.
 *
 * An event is built in the caller's buffer. seq, ns and cpu are appended when it is written, under the
 * lock, so that they are in the order of the lines. Room for the end and for every open list or object is
 * kept back, so a line that was cut is still valid JSON and says "truncated".
 *
 * Locks: event_lock (raw, interrupts off). Schema: events.tbl beside this file.
 */
#include <arch/debug.h>
#include <arch/percpu.h>
#include <arch/time.h>
#include <debug/event.h>
#include <debug/inject.h>
#include <debug/param.h>
#include <debug/rawlock.h>
#include <lib/format.h>
#include <lib/string.h>

#define TAIL_ROOM 128 /* "seq", "ns", "cpu", "truncated", closing brackets */

static struct rawlock event_lock;
static u64 next_seq; /* [x] event_lock */

/* Appends text whole or not at all. */
static bool put(struct event *e, const char *s, size_t n)
{
	if (e->full || e->len + n > e->max - TAIL_ROOM) {
		e->full = true;
		return false;
	}
	memcpy(e->buf + e->len, s, n);
	e->len += n;
	return true;
}

__printf(2, 3) static void put_fmt(struct event *e, const char *fmt, ...)
{
	char text[64];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vscnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	put(e, text, n);
}

/* One character as JSON wants it: at most 6 bytes. */
static size_t escape(char c, char out[8])
{
	u8 byte = (u8)c;

	if (c == '"' || c == '\\') {
		out[0] = '\\';
		out[1] = c;
		return 2;
	}
	if (byte >= 0x20 && byte < 0x7f) {
		out[0] = c;
		return 1;
	}
	return scnprintf(out, 8, INJECT("event_bad_escape") ? "\\x%02x" : "\\u%04x", byte);
}

/* A quoted string; a cut one ends early but stays a string. */
static void put_quoted(struct event *e, const char *s, size_t n)
{
	char esc[8];

	if (!put(e, "\"", 1))
		return;
	for (size_t i = 0; i < n; i++)
		if (!put(e, esc, escape(s[i], esc)))
			break;
	e->buf[e->len++] = '"'; /* from the room kept back */
}

/* The comma and the key of the next field. When they do not fit, nothing of the field is written. */
static bool put_key(struct event *e, const char *key)
{
	size_t n = key ? strlen(key) : 0;

	if (e->full || e->len + n + 32 > e->max - TAIL_ROOM) {
		e->full = true;
		return false;
	}
	if (!e->first)
		put(e, ",", 1);
	e->first = false;
	if (key) {
		put(e, "\"", 1);
		put(e, key, n);
		put(e, "\":", 2);
	}
	return true;
}

void event_begin(struct event *e, const char *type)
{
	event_begin_long(e, EVENT_MAX, type);
}

void event_begin_long(struct event *e, size_t max, const char *type)
{
	e->len = 0;
	e->max = max;
	e->depth = 0;
	e->skipped_levels = 0;
	e->full = false;
	e->first = true;
	put(e, "{", 1);
	event_str(e, "type", type);
}

void event_strn(struct event *e, const char *key, const char *value, size_t n)
{
	if (put_key(e, key))
		put_quoted(e, value, n);
}

void event_str(struct event *e, const char *key, const char *value)
{
	event_strn(e, key, value, strlen(value));
}

void event_u64(struct event *e, const char *key, u64 value)
{
	if (put_key(e, key))
		put_fmt(e, "%llu", (unsigned long long)value);
}

void event_s64(struct event *e, const char *key, s64 value)
{
	if (put_key(e, key))
		put_fmt(e, "%lld", (long long)value);
}

void event_hex(struct event *e, const char *key, u64 value)
{
	if (put_key(e, key))
		put_fmt(e, "\"0x%llx\"", (unsigned long long)value);
}

void event_bool(struct event *e, const char *key, bool value)
{
	if (put_key(e, key))
		put_fmt(e, value ? "true" : "false");
}

/* An opened level is closed even when its contents were cut: its bracket comes from the kept-back room. */
static void open_level(struct event *e, const char *key, char open, char close)
{
	if (e->depth == EVENT_DEPTH || !put_key(e, key)) {
		e->full = true;
		e->skipped_levels++;
		return;
	}
	put(e, &open, 1);
	e->closers[e->depth++] = close;
	e->first = true;
}

static void close_level(struct event *e)
{
	if (e->skipped_levels) {
		e->skipped_levels--;
		return;
	}
	e->buf[e->len++] = e->closers[--e->depth];
	e->first = false;
}

void event_list_begin(struct event *e, const char *key)
{
	open_level(e, key, '[', ']');
}

void event_list_end(struct event *e)
{
	close_level(e);
}

void event_object_begin(struct event *e, const char *key)
{
	open_level(e, key, '{', '}');
}

void event_object_end(struct event *e)
{
	close_level(e);
}

void event_item_str(struct event *e, const char *value)
{
	event_strn(e, NULL, value, strlen(value));
}

/* Time and CPU are taken under the lock, unless they are the caller's. */
static void write_line(struct event *e, const u64 *ns, unsigned cpu)
{
	irqflags_t flags = rawlock_lock(&event_lock);

	e->len += scnprintf(
		e->buf + e->len, e->max - e->len, "%s,\"seq\":%llu,\"ns\":%llu,\"cpu\":%u}\n",
		e->full ? ",\"truncated\":true" : "", (unsigned long long)next_seq++,
		(unsigned long long)(ns ? *ns : arch_clock_ns()), ns ? cpu : this_cpu());
	arch_event_write(e->buf, e->len);
	rawlock_unlock(&event_lock, flags);
}

void event_end(struct event *e)
{
	write_line(e, NULL, 0);
}

void event_end_at(struct event *e, u64 ns, unsigned cpu)
{
	write_line(e, &ns, cpu);
}

void event_simple(const char *type, const char *key, const char *value)
{
	struct event e;

	event_begin(&e, type);
	if (key)
		event_str(&e, key, value);
	event_end(&e);
}

void event_seize_lock(void)
{
	rawlock_seize(&event_lock);
}

void event_break_lock(void)
{
	rawlock_break(&event_lock);
}
