/*
 * The record of system calls: each thread has a ring of its last calls. Entry assembly writes it with plain
 * stores, the owner only; anybody may read it at any time (sched/thread.h: syscall_ring_snapshot).
 *
 * What is known at entry and what is known at exit lie apart, so that a slot of either is found from the one
 * stored number with no arithmetic but the processor's scaled addressing, and a call touches two cache lines.
 * A call in flight has end 0. Times are raw counts of the port's clock, made nanoseconds by the reader.
 */
#pragma once

#define SYSCALL_RING_CALLS 32 /* a power of two */
/* Offsets and sizes for entry assembly, compared with the structures in debug/syscall_ring.c. */
#define SYSCALL_RING_STEP 16 /* the head moves by the size of struct syscall_done */
#define SYSCALL_RING_WRAP (SYSCALL_RING_STEP * SYSCALL_RING_CALLS - 1)
#define SYSCALL_CALL_SIZE 64
#define SYSCALL_CALL_NR 0
#define SYSCALL_CALL_ARG 8
#define SYSCALL_CALL_START 56
#define SYSCALL_DONE_RESULT (SYSCALL_CALL_SIZE * SYSCALL_RING_CALLS)
#define SYSCALL_DONE_END (SYSCALL_DONE_RESULT + 8)
#define SYSCALL_RING_HEAD (SYSCALL_DONE_RESULT + SYSCALL_RING_STEP * SYSCALL_RING_CALLS)

#ifndef __ASSEMBLER__
#include <lib/types.h>

struct syscall_call {
	u32 nr;
	u32 unused;
	u64 arg[6];
	u64 start; /* raw */
};

struct syscall_done {
	s64 result; /* as the function gave it: -ERESTARTSYS and the like are seen */
	u64 end; /* raw; 0: in flight */
};

/* [o] all of it; no lock. Only the head is initialised: slots never reached hold anything. */
struct syscall_ring {
	struct syscall_call call[SYSCALL_RING_CALLS];
	struct syscall_done done[SYSCALL_RING_CALLS];
	u64 head; /* SYSCALL_RING_STEP times the calls begun since the thread was made */
} __aligned(64);

/* One call, as reports want it. */
struct syscall_record {
	u64 number; /* which call of its thread, from 0 */
	s32 tid;
	u32 nr;
	u64 arg[6];
	u64 start_ns, end_ns;
	s64 result;
	bool done; /* false: in flight, no result */
};

/*
 * The call `back` calls before the newest (0: the newest). False when there is none, or its slot is being
 * written over. running: the owner may run meanwhile on another CPU, which costs the oldest slot. Any
 * context, NMI too; bounded, no lock.
 */
bool syscall_ring_get(const struct syscall_ring *r, bool running, unsigned back,
		      struct syscall_record *out);
#endif
