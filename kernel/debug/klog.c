/*
 * The kernel log.
 *
 * Owns a ring of text and the list of consoles. A line is formatted on the caller's stack, then stored
 * and written out under one lock, so lines never mix. Positions count bytes since boot and never wrap;
 * a reader that fell behind goes on with the oldest line there is.
 *
 * Locks: log_lock (raw, interrupts off). Leaves out: per-line metadata (level is in the text's prefix).
 */
#include <arch/debug.h>
#include <arch/percpu.h>
#include <arch/time.h>
#include <debug/param.h>
#include <debug/klog.h>
#include <debug/rawlock.h>
#include <lib/format.h>
#include <lib/parse.h>
#include <lib/string.h>

#define LOG_SIZE (256 * 1024ul) /* a power of two */
#define LINE_MAX 512

static struct rawlock log_lock;
static char ring[LOG_SIZE]; /* [x] log_lock */
static u64 head; /* [x] log_lock: bytes written since boot */
static struct console *consoles; /* [x] log_lock */
static enum log_level console_level = LOG_INFO; /* printed up to this one */

static void ring_put(const char *s, size_t n)
{
	size_t at = head % LOG_SIZE;
	size_t first = min(n, LOG_SIZE - at);

	memcpy(ring + at, s, first);
	memcpy(ring, s + first, n - first);
	head += n;
}

/* Before the first console registers, the polled serial line serves. */
static void console_put(const char *s, size_t n)
{
	if (!consoles) {
		for (size_t i = 0; i < n; i++) {
			if (s[i] == '\n')
				arch_debug_putc('\r');
			arch_debug_putc(s[i]);
		}
		return;
	}
	for (struct console *c = consoles; c; c = c->next)
		c->write(c, s, n);
}

void klog(enum log_level level, const char *fmt, ...)
{
	char line[LINE_MAX];
	u64 us = arch_clock_ns() / 1000;
	va_list ap;
	irqflags_t flags;
	int n;

	n = scnprintf(line, sizeof(line), "[%5llu.%06llu] %u: ", (unsigned long long)(us / 1000000),
		      (unsigned long long)(us % 1000000), this_cpu());
	va_start(ap, fmt);
	n += vscnprintf(line + n, sizeof(line) - n - 1, fmt, ap);
	va_end(ap);
	if (line[n - 1] != '\n')
		line[n++] = '\n';

	flags = rawlock_lock(&log_lock);
	ring_put(line, n);
	if (level <= console_level)
		console_put(line, n);
	rawlock_unlock(&log_lock, flags);
}

/* Moves a position that was overwritten to the start of the oldest whole line. */
static u64 oldest_line(u64 pos)
{
	if (head - pos <= LOG_SIZE)
		return pos;
	pos = head - LOG_SIZE;
	while (pos < head && ring[pos++ % LOG_SIZE] != '\n')
		;
	return pos;
}

size_t klog_read(u64 *pos, char *buf, size_t size)
{
	irqflags_t flags = rawlock_lock(&log_lock);
	size_t n, at, first;

	*pos = min(oldest_line(*pos), head);
	n = min((u64)size, head - *pos);
	at = *pos % LOG_SIZE;
	first = min(n, LOG_SIZE - at);
	memcpy(buf, ring + at, first);
	memcpy(buf + first, ring, n - first);
	*pos += n;
	rawlock_unlock(&log_lock, flags);
	return n;
}

void console_register(struct console *c)
{
	irqflags_t flags;

	if (!console_wanted(c->name))
		return;
	flags = rawlock_lock(&log_lock);
	c->next = consoles;
	consoles = c;
	rawlock_unlock(&log_lock, flags);
}

void console_panic(void)
{
	for (struct console *c = consoles; c; c = c->next)
		if (c->panic)
			c->panic();
}

bool klog_shows(enum log_level level)
{
	return level <= console_level;
}

void klog_break_lock(void)
{
	rawlock_break(&log_lock);
}

static int set_loglevel(const char *value)
{
	u64 level;

	if (parse_u64(value, 0, &level) || level > LOG_DEBUG)
		return -1;
	console_level = (enum log_level)level;
	return 0;
}
KPARAM(loglevel, set_loglevel);
