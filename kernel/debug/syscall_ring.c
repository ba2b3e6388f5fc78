/*
 * Reading the record of system calls (debug/syscall_ring.h). Writing is entry assembly's.
 *
 * The writer fills a slot, then moves the head; at exit it stores the result, then the end. So what the head
 * covers is whole, and what has an end has a result. A slot that the head went round to meanwhile is given up.
 */
#include <arch/time.h>
#include <debug/syscall_ring.h>
#include <lib/atomic.h>
#include <lib/string.h>

BUILD_ASSERT((SYSCALL_RING_CALLS & (SYSCALL_RING_CALLS - 1)) == 0);
BUILD_ASSERT(sizeof(struct syscall_call) == SYSCALL_CALL_SIZE);
BUILD_ASSERT(offsetof(struct syscall_call, nr) == SYSCALL_CALL_NR);
BUILD_ASSERT(offsetof(struct syscall_call, arg) == SYSCALL_CALL_ARG);
BUILD_ASSERT(offsetof(struct syscall_call, start) == SYSCALL_CALL_START);
BUILD_ASSERT(sizeof(struct syscall_done) == SYSCALL_RING_STEP);
BUILD_ASSERT(offsetof(struct syscall_ring, done[0].result) == SYSCALL_DONE_RESULT);
BUILD_ASSERT(offsetof(struct syscall_ring, done[0].end) == SYSCALL_DONE_END);
BUILD_ASSERT(offsetof(struct syscall_ring, head) == SYSCALL_RING_HEAD);

static u64 calls_begun(const struct syscall_ring *r)
{
	return READ_ONCE(r->head) / SYSCALL_RING_STEP;
}

bool syscall_ring_get(const struct syscall_ring *r, bool running, unsigned back,
		      struct syscall_record *out)
{
	u64 begun = calls_begun(r), number = begun - 1 - back;
	const struct syscall_call *call = &r->call[number % SYSCALL_RING_CALLS];
	const struct syscall_done *done = &r->done[number % SYSCALL_RING_CALLS];
	u64 end;

	if (back >= begun || back >= SYSCALL_RING_CALLS)
		return false;
	smp_rmb();
	end = READ_ONCE(done->end);
	smp_rmb();
	out->number = number;
	out->nr = call->nr;
	memcpy(out->arg, call->arg, sizeof(out->arg));
	out->start_ns = arch_clock_raw_ns(call->start);
	out->done = end != 0;
	out->result = end ? READ_ONCE(done->result) : 0;
	out->end_ns = end ? arch_clock_raw_ns(end) : 0;
	smp_rmb();
	return number + SYSCALL_RING_CALLS >= calls_begun(r) + (running ? 1 : 0);
}
