/*
 * The ring behind TRACE: one writer (a CPU, and NMIs on top of it), any number of readers elsewhere.
 *
 * A place is reserved by one atomic step of the head. The slot's seq is 0 while it is written, and the place
 * plus one when it is whole, so a reader that finds it equal before and after copying has a whole record.
 * A writer that was held up until the ring went round (an NMI storm) finishes in a slot that is somebody
 * else's: its seq then is too small, and the reader counts the place as written over. Used on the host too.
 */
#include <debug/trace.h>
#include <lib/atomic.h>
#include <lib/string.h>

void trace_ring_init(struct trace_ring *r)
{
	memcpy(r->magic, TRACE_MAGIC, sizeof(r->magic));
	r->records = TRACE_RECORDS;
	r->record_size = sizeof(struct trace_record);
}

void trace_ring_put(struct trace_ring *r, const struct trace_record *rec)
{
	u64 at = __atomic_fetch_add(&r->head, 1, __ATOMIC_RELAXED);
	struct trace_record *slot = &r->record[at % TRACE_RECORDS];

	WRITE_ONCE(slot->seq, 0);
	smp_wmb();
	slot->ns = rec->ns;
	slot->pid = rec->pid;
	slot->tid = rec->tid;
	slot->type = rec->type;
	slot->cpu = rec->cpu;
	for (unsigned i = 0; i < TRACE_ARGS; i++)
		slot->arg[i] = rec->arg[i];
	__atomic_store_n(&slot->seq, at + 1, __ATOMIC_RELEASE);
}

static u64 oldest(const struct trace_ring *r)
{
	u64 head = __atomic_load_n(&r->head, __ATOMIC_ACQUIRE);

	return head > TRACE_RECORDS ? head - TRACE_RECORDS : 0;
}

int trace_ring_get(const struct trace_ring *r, u64 at, struct trace_record *out)
{
	const struct trace_record *slot = &r->record[at % TRACE_RECORDS];
	u64 seq;

	if (at >= __atomic_load_n(&r->head, __ATOMIC_ACQUIRE))
		return 0;
	seq = __atomic_load_n(&slot->seq, __ATOMIC_ACQUIRE);
	memcpy(out, slot, sizeof(*out));
	smp_rmb();
	if (seq == at + 1 && READ_ONCE(slot->seq) == seq) {
		out->seq = seq;
		return 1;
	}
	return at < oldest(r) ? -1 : 0;
}

bool trace_ring_next(const struct trace_ring *r, u64 *at, u64 *lost, struct trace_record *out)
{
	for (;;) {
		int got = trace_ring_get(r, *at, out);
		u64 from = oldest(r);

		if (got > 0) {
			++*at;
			return true;
		}
		if (got == 0)
			return false;
		*lost += from - *at;
		*at = from;
	}
}
