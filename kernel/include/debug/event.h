/*
 * Events: one strict JSON object a line on a channel that only the kernel can write. The schema is
 * kernel/debug/events.tbl. An event is built in a per-call buffer and written in one go under one lock,
 * so lines never mix; one that does not fit is cut at a field and marked "truncated":true.
 */
#pragma once
#include <lib/types.h>

#define EVENT_MAX 4096

struct event {
	size_t len;
	bool full, first_in_list;
	char buf[EVENT_MAX];
};

/* begin writes seq, ns, cpu, type (seq is given at event_end). Any context; not on a 4 KiB-poor stack:
 * use the static forms below in interrupt context. */
void event_begin(struct event *e, const char *type);
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

/* Categories switched by debug=…; test before building an event. */
enum event_category { EVC_SYSCALL, EVC_SIGNAL, EVC_FAULT, EVC_PROCESS, EVC_MEMORY, EVC_SCHED, EVC_IRQ, EVC_FILE, EVC_COUNT };
extern u32 event_mask; /* [a] bit per category */
#define event_on(cat) unlikely(READ_ONCE(event_mask) & BIT(cat))
