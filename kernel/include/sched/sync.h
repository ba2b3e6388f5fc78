/* Completion: a one-time event that threads wait for. */
#pragma once
#include <sched/waitq.h>

struct completion {
	struct waitq wait;
	bool done;
};
void completion_init(struct completion *c);
void completion_wait(struct completion *c); /* uninterruptible */
int completion_wait_killable(struct completion *c);
int completion_wait_timeout(struct completion *c, u64 deadline_ns); /* 0 or -ETIMEDOUT */
void completion_done(struct completion *c); /* wakes all, any context */
