/*
 * The trace ring: what hot paths have to say. TRACE(type, up to four numbers) is one test of a mask when its
 * category is off; when it is on it writes a fixed record to the ring of this CPU: a bounded number of
 * instructions, no lock, any context, NMI too. Nothing waits for a reader: the oldest record is written
 * over, and the reader counts exactly what it missed.
 *
 * Types are the rows of kernel/debug/events.tbl that begin with @category. A drain turns records into events
 * outside the hot paths (proc/trace_drain.c); a panic's report shows the last ones; `xtask trace` decodes the
 * rings in a memory dump, which it finds by their magic.
 */
#pragma once
#include <debug/event.h>
#include <lib/types.h>

#define TRACE_RECORDS 1024u /* per CPU; a power of two */
#define TRACE_ARGS 4
#define TRACE_MAGIC "CairnTrc" /* with its NUL cut off: 8 bytes */

struct trace_record {
	u64 seq; /* place in the ring's history + 1; 0: being written */
	u64 ns;
	s32 pid, tid; /* who was current */
	u16 type, cpu;
	u32 unused;
	u64 arg[TRACE_ARGS];
};
BUILD_ASSERT(sizeof(struct trace_record) == 64);

struct trace_ring {
	char magic[8];
	u32 records, record_size;
	u64 head; /* [a] records ever begun; moved by the owner CPU alone */
	u64 unused[5];
	struct trace_record record[TRACE_RECORDS];
} __aligned(64);

void trace_ring_init(struct trace_ring *r);
/* On the CPU that owns the ring, interrupts off; an NMI may come in between and use the ring too. */
void trace_ring_put(struct trace_ring *r, const struct trace_record *rec);
/*
 * The record at place `at` of the ring's history: 1 with *out filled; 0 when it is not there yet (or being
 * written); -1 when it has been written over. Any context.
 */
int trace_ring_get(const struct trace_ring *r, u64 at, struct trace_record *out);
/* As above for the next place to read, which moves; *lost grows by what was written over. False: no more. */
bool trace_ring_next(const struct trace_ring *r, u64 *at, u64 *lost, struct trace_record *out);

#ifdef __KERNEL__
#include <trace_gen.h>

extern struct trace_ring trace_rings[];
void trace_init(void); /* boot CPU, before the first TRACE */
void trace_put(u16 type, u64 a, u64 b, u64 c, u64 d);

/* clang-format off */
#define TRACE_FOUR_(type, a, b, c, d, ...) \
	trace_put(type, (u64)(a), (u64)(b), (u64)(c), (u64)(d))
/* clang-format on */
#define TRACE(type, ...)                                                                           \
	do {                                                                                       \
		if (trace_on(TRACE_CATEGORY_##type))                                               \
			TRACE_FOUR_(TRACE_##type, ##__VA_ARGS__, 0, 0, 0, 0);                      \
	} while (0)

/* Provided by proc/: who is current, for the record. Any context. */
void trace_current_ids(s32 *pid, s32 *tid);

/* Writes a record out as an event. Where events may be written. */
void trace_event(const struct trace_record *rec);
/* Writes what is in the rings since the last time as events; one caller at a time. */
void trace_drain(void);
/* The last records of each CPU, to the log and as events in *e's room, for a panic's report. */
void trace_report(struct event *e, unsigned count);
#endif
