/*
 * The kernel log: a ring of lines, each with time, CPU and level, and the consoles it goes to. Any
 * context except Tier-1 hot paths (use the trace ring there).
 */
#pragma once
#include <lib/types.h>

enum log_level {
	LOG_EMERG,
	LOG_ALERT,
	LOG_CRIT,
	LOG_ERR,
	LOG_WARN,
	LOG_NOTICE,
	LOG_INFO,
	LOG_DEBUG
};

__printf(2, 3) void klog(enum log_level level, const char *fmt, ...);
#define log_err(...) klog(LOG_ERR, __VA_ARGS__)
#define log_warn(...) klog(LOG_WARN, __VA_ARGS__)
#define log_info(...) klog(LOG_INFO, __VA_ARGS__)
#define log_debug(...) klog(LOG_DEBUG, __VA_ARGS__)

/* Once per place. */
#define log_warn_once(...)                                                                         \
	({                                                                                         \
		static u8 logged_;                                                                 \
		if (!__atomic_exchange_n(&logged_, 1, __ATOMIC_RELAXED))                           \
			klog(LOG_WARN, __VA_ARGS__);                                               \
	})

/* Copies log text from *pos (a byte position since boot) on; advances it; the number of bytes, 0 at the
 * end. For /dev/kmsg, syslog(2) and reports. */
size_t klog_read(u64 *pos, char *buf, size_t size);

/* A console that log lines are written to; interrupts off, the log lock held. */
struct console {
	const char *name; /* as in console= */
	void (*write)(struct console *c, const char *s, size_t n);
	void (*panic)(
		void); /* shows what was written so far, now: takes no lock, never sleeps; or NULL */
	struct console *next;
};
/* With console= on the command line, only those named there get lines. */
void console_register(struct console *c);
bool console_wanted(const char *name); /* named by console=, or there is none */
const char *
console_preferred(void); /* what the last console= names: to be /dev/console; NULL: none */
void console_panic(void); /* calls panic() of each */
bool klog_shows(enum log_level level); /* on consoles, by loglevel= */
/* Opens the log lock for good: the machine is going down. */
void klog_break_lock(void);
