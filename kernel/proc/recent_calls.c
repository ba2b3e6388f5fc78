/*
 * The last system calls of a process: the rings of its threads (debug/syscall_ring.h) merged by the time at
 * which the calls began. Threads that have ended took theirs along.
 */
#include "internal.h"

/* Puts rec in its place by time; the oldest goes when there are max already. */
static unsigned insert(struct syscall_record *out, unsigned n, unsigned max,
		       const struct syscall_record *rec)
{
	unsigned at = n;

	while (at > 0 && out[at - 1].start_ns > rec->start_ns)
		at--;
	if (n < max) {
		memmove(out + at + 1, out + at, (n - at) * sizeof(*out));
		out[at] = *rec;
		return n + 1;
	}
	if (at > 0) {
		memmove(out, out + 1, (at - 1) * sizeof(*out));
		out[at - 1] = *rec;
	}
	return n;
}

unsigned proc_recent_calls(const struct proc *p, struct syscall_record *out, unsigned max)
{
	const struct thread_proc *tp;
	struct syscall_record rec;
	unsigned n = 0, threads = 0;

	list_for_each_entry(tp, &p->threads, group_link) {
		const struct thread *t = tp->thread;
		bool running = t != current && READ_ONCE(t->on_cpu);

		rec.tid = t->tid;
		for (unsigned back = 0; syscall_ring_get(&t->calls, running, back, &rec); back++)
			n = insert(out, n, max, &rec);
		if (++threads == RECENT_CALLS_THREADS)
			break;
	}
	return n;
}
