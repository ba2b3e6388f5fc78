/* Stages of the trace ring and of the record of system calls. */
#include "proc_test.h"
#include <arch/irq.h>
#include <debug/trace.h>
#include <entry/syscall.h>
#include <proc/trace.h>
#include <stages_gen.h>

#define FLOOD 5000u

/* FLOOD records in the ring of this CPU, with nobody else's between them; the place of the first. */
static u64 flood(unsigned *cpu)
{
	irqflags_t flags = arch_irq_save();
	u64 first = trace_rings[this_cpu()].head;

	*cpu = this_cpu();
	for (unsigned i = 0; i < FLOOD; i++)
		TRACE(trace_test, i, -(s64)i, *cpu);
	arch_irq_restore(flags);
	return first;
}

/* Every record is read or counted as lost; the newest ones are whole. */
int stage_trace_loss(struct stage *s)
{
	u32 mask = event_mask;
	u64 at, lost = 0, got = 0, end;
	struct trace_record rec;
	unsigned cpu;

	event_set_mask(mask | BIT(EVC_TEST));
	at = flood(&cpu);
	event_set_mask(mask);
	end = at + FLOOD;
	while (at < end && trace_ring_next(&trace_rings[cpu], &at, &lost, &rec)) {
		STAGE_CHECK_EQ(s, rec.type, TRACE_trace_test);
		STAGE_CHECK_EQ(s, rec.arg[0], lost + got);
		STAGE_CHECK_EQ(s, (s64)rec.arg[1], -(s64)rec.arg[0]);
		STAGE_CHECK_EQ(s, rec.cpu, cpu);
		STAGE_CHECK_EQ(s, rec.tid, current->tid);
		got++;
	}
	STAGE_CHECK_EQ(s, got + lost, FLOOD);
	STAGE_CHECK(s, got > 0 && got <= TRACE_RECORDS);
	return 0;
}

/* The same by way of the drain: its events and its count of lost ones are on the channel, for the tools. */
int stage_trace_overflow(struct stage *s)
{
	u32 mask = event_mask;
	unsigned cpu;

	trace_flush();
	event_set_mask(mask | BIT(EVC_TEST));
	flood(&cpu);
	trace_flush();
	event_set_mask(mask);
	return 0;
}

int stage_trace_off(struct stage *s)
{
	u32 mask = event_mask;
	irqflags_t flags;
	u64 before, after;

	event_set_mask(0);
	flags = arch_irq_save();
	before = trace_rings[this_cpu()].head;
	TRACE(trace_test, 1);
	TRACE(sched_wake, 1);
	after = trace_rings[this_cpu()].head;
	arch_irq_restore(flags);
	event_set_mask(mask);
	STAGE_CHECK_EQ(s, after, before);
	return 0;
}

/* user_code_calls makes 40 calls of getpid with its count as argument, then sleeps in a call. */
static int check_calls(struct stage *s, struct proc *p, const struct syscall_record *r, unsigned n)
{
	STAGE_CHECK_EQ(s, n, SYSCALL_RING_CALLS);
	for (unsigned i = 0; i + 1 < n; i++) {
		STAGE_CHECK(s, !strcmp(syscall_name(r[i].nr), "getpid"));
		STAGE_CHECK_EQ(s, r[i].result, p->pid);
		STAGE_CHECK(s, r[i].done && r[i].start_ns <= r[i].end_ns);
		STAGE_CHECK(s, r[i].end_ns <= r[i + 1].start_ns);
		STAGE_CHECK_EQ(s, r[i].arg[0], 40 - (n - 1) + i + 1);
		for (unsigned a = 1; a < 6; a++)
			STAGE_CHECK_EQ(s, r[i].arg[a], 0xc0ffee0000000000ull + a);
		STAGE_CHECK_EQ(s, r[i].tid, p->pid);
	}
	STAGE_CHECK(s, !r[n - 1].done);
	return 0;
}

int stage_syscall_record(struct stage *s)
{
	static struct syscall_record calls[SYSCALL_RING_CALLS];
	struct proc *p;
	irqflags_t flags;
	struct sighand *sh;
	unsigned n = 0;
	int error;

	STAGE_CHECK_EQ(s, PROC_TEST_START(calls, &p), 0);
	for (unsigned i = 0; i < 500; i++) {
		proc_test_sleep_ms(1);
		sh = sighand_lock(p, &flags);
		n = proc_recent_calls(p, calls, SYSCALL_RING_CALLS);
		sighand_unlock(sh, flags);
		if (n == SYSCALL_RING_CALLS && !calls[n - 1].done && !READ_ONCE(p->leader->on_cpu))
			break;
	}
	error = check_calls(s, p, calls, n);
	STAGE_CHECK_EQ(s, proc_test_end(p), SIGKILL);
	return error;
}
