/*
 * Events: one strict JSON object a line on a channel that only the kernel can write. The schema is
 * kernel/debug/events.tbl. An event is built in a per-call buffer and written in one go under one lock,
 * so lines never mix; one that does not fit is cut at a field and marked "truncated":true.
 */
#pragma once
#include <lib/types.h>

#define EVENT_MAX 4096

#define EVENT_DEPTH 6 /* nested lists and objects */

struct event {
	size_t len, max; /* of buf: used, there */
	u8 depth, skipped_levels;
	bool full; /* something did not fit */
	bool first; /* no comma before the next field */
	char closers[EVENT_DEPTH];
	char buf[EVENT_MAX]; /* last: a long event has more behind it */
};

/* Any context with EVENT_MAX bytes of stack to spare. event_end() adds seq, ns and cpu, and writes. */
void event_begin(struct event *e, const char *type);
/* The same with `max` bytes for the line, for which the caller has made room behind *e. */
void event_begin_long(struct event *e, size_t max, const char *type);
void event_str(struct event *e, const char *key, const char *value); /* escaped */
void event_strn(struct event *e, const char *key, const char *value, size_t n);
void event_u64(struct event *e, const char *key, u64 value);
void event_s64(struct event *e, const char *key, s64 value);
void event_hex(struct event *e, const char *key, u64 value); /* as a string, "0x…" */
void event_bool(struct event *e, const char *key, bool value);
void event_list_begin(struct event *e, const char *key);
void event_list_end(struct event *e);
void event_item_str(struct event *e, const char *value); /* inside a list */
void event_object_begin(struct event *e, const char *key); /* key NULL: inside a list */
void event_object_end(struct event *e);
void event_end(struct event *e);
/* The same for what happened at another time, maybe on another CPU. */
void event_end_at(struct event *e, u64 ns, unsigned cpu);
/* An event with one string field, or none (key NULL). */
void event_simple(const char *type, const char *key, const char *value);
/* Waits for a line that is being written, and keeps others from beginning one; before CPUs are stopped. */
void event_seize_lock(void);
/* Opens the channel's lock for good: the machine is going down. */
void event_break_lock(void);

/* Categories switched by debug=…; test before building an event. (number, name on the command line) */
/* clang-format off */
#define EVENT_CATEGORIES(X) \
	X(SYSCALL, syscall) X(SIGNAL, signal) X(FAULT, fault) X(PROCESS, process) X(MEMORY, memory) \
	X(SCHED, sched) X(IRQ, irq) X(TIMER, timer) X(FS, fs) X(TEST, test)
/* clang-format on */
#define EVENT_CATEGORY_(upper, lower) EVC_##upper,
enum event_category { EVENT_CATEGORIES(EVENT_CATEGORY_) EVC_COUNT };
extern u32 event_mask; /* [a] bit per category: written to the event channel */
extern u32 trace_mask; /* [a] those, and what the trace ring keeps always */
#define event_on(cat) unlikely(READ_ONCE(event_mask) & BIT(cat))
#define trace_on(cat) unlikely(READ_ONCE(trace_mask) & BIT(cat))
void event_set_mask(u32 mask);
/* Before the command line is read: trace rings, and the build's own choice of categories. */
void event_categories_init(void);
/* The first unknown name that debug= had, with the known ones in list; or NULL. */
const char *event_refused(char *list, size_t size);
