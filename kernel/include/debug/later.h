/* Log lines from where nothing may print: interrupts, system-call entry. A kernel thread logs them soon. */
#pragma once
#include <debug/klog.h>

/*
 * Any context, NMI too; bounded, no lock. fmt, a constant, takes name, number, text and id in this order; name
 * is a constant too, text is copied (15 characters). Lost, and counted, when LATER_LINES wait.
 */
#define LATER_LINES 16
#define log_later(level, fmt, name, number, text, id)                                              \
	({                                                                                         \
		if (0)                                                                             \
			klog(level, fmt, (const char *)(name), (unsigned long)(number),            \
			     (const char *)(text), (long)(id));                                    \
		log_later_put(level, fmt, name, number, text, id);                                 \
	})
void log_later_put(enum log_level level, const char *fmt, const char *name, unsigned long number,
		   const char *text, long id);
/* Logs what waits. Where printing is allowed. */
void log_later_flush(void);
/* wake: any context; has log_later_flush() called soon. Until then lines wait. */
void log_later_init(void (*wake)(void));
