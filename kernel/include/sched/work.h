/* Deferred work: functions that run soon in a per-CPU kernel thread, where they may sleep. */
#pragma once
#include <lib/list.h>

struct work {
	struct list link;
	void (*fn)(struct work *);
	bool queued; /* [a] */
};
void work_init(struct work *w, void (*fn)(struct work *));
/* False if it was queued already. Any context. */
bool work_queue(struct work *w);
void work_flush(struct work *w); /* waits until it is neither queued nor running; thread context */
