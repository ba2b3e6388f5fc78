/*
 * Log lines that wait: a ring of slots with a state each. A writer claims the next slot by its number and
 * fills it if it is free; the flusher takes full ones in the order of their numbers. A line whose slot is
 * not free is lost; how many were is logged with the next flush.
 *
 * Locks: none.
 */
#include <debug/later.h>
#include <lib/atomic.h>
#include <lib/string.h>

enum state { FREE, FILLING, FULL, TAKEN };

static struct later_line {
	u8 state; /* [a] */
	u8 level;
	const char *fmt, *name;
	unsigned long number;
	long id;
	char text[16];
} lines[LATER_LINES];

static u32 claimed; /* [a] numbers given out */
static u32 lost; /* [a] */
static void (*wake_flusher)(void); /* [a] */

static bool move_state(struct later_line *l, enum state from, enum state to)
{
	u8 expect = from;

	return __atomic_compare_exchange_n(&l->state, &expect, to, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_RELAXED);
}

void log_later_put(enum log_level level, const char *fmt, const char *name, unsigned long number,
		   const char *text, long id)
{
	struct later_line *l =
		&lines[__atomic_fetch_add(&claimed, 1, __ATOMIC_RELAXED) % LATER_LINES];
	void (*wake)(void) = smp_load_acquire(&wake_flusher);

	if (move_state(l, FREE, FILLING)) {
		l->level = level;
		l->fmt = fmt;
		l->name = name;
		l->number = number;
		l->id = id;
		strscpy(l->text, text, sizeof(l->text));
		smp_store_release(&l->state, FULL);
	} else {
		__atomic_fetch_add(&lost, 1, __ATOMIC_RELAXED);
	}
	if (wake)
		wake();
}

void log_later_flush(void)
{
	u32 first = READ_ONCE(claimed), n;

	for (u32 i = 0; i < LATER_LINES; i++) {
		struct later_line *l = &lines[(first + i) % LATER_LINES];

		if (!move_state(l, FULL, TAKEN))
			continue;
		klog(l->level, l->fmt, l->name, l->number, l->text, l->id);
		smp_store_release(&l->state, FREE);
	}
	n = __atomic_exchange_n(&lost, 0, __ATOMIC_RELAXED);
	if (n)
		log_warn("log: %u lines from hot paths were lost", n);
}

void log_later_init(void (*wake)(void))
{
	smp_store_release(&wake_flusher, wake);
	wake();
}
