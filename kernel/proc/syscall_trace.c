/*
 * System calls as events: `debug=syscall`.
 *
 * Nothing is added to an untraced call. A traced thread has TF_TRACE_SYSCALL, which the exit path tests with
 * the rest of the flags word; the call's number, arguments, times and result are in the thread's record of
 * calls already (debug/syscall_ring.h). What its pointers point to is copied here, a bounded number of bytes,
 * by a table made from syscalls.tbl; copying may fault and sleep, and what cannot be read is left out. So
 * strings are those at the end of a call, except for execve, which announces itself while its old memory is
 * there (proc/exec.c). Calls that do not come back are written when their thread ends.
 */
#include "internal.h"
#include <arch/uaccess.h>
#include <core/rcu.h>
#include <debug/event.h>
#include <lib/format.h>
#include <proc/trace.h>
#include <syscall_capture_gen.h>
#include <syscall_limit.h>

#define STRING_MAX 256
#define BUFFER_MAX 64
#define STRINGS_MAX 32
#define ELEMENTS_MAX 8
#define VEC_MAX 4 /* pieces of an iovec whose contents are shown */
#define WAITING_NS NSEC_PER_SEC

static const struct capture {
	u8 kind, count; /* count: the argument with the length, or CAPTURE_RESULT */
	u16 size;
} captures[SYSCALL_TABLE_SIZE][6] = { SYSCALL_CAPTURES };

struct tracing {
	struct event e;
	struct syscall_record call;
	u8 bytes[512];
};

static void put_bytes(struct tracing *t, const char *key, uptr_t from, size_t n)
{
	n = min(n, sizeof(t->bytes));
	if (n && !copy_from_user(t->bytes, from, n))
		event_strn(&t->e, key, (const char *)t->bytes, n);
}

/* A string, or as much of it as fits; one byte short of STRING_MAX it is whole. */
static void put_string(struct tracing *t, const char *key, uptr_t from)
{
	ssize_t n = user_strnlen(from, STRING_MAX);

	if (n == 0)
		event_str(&t->e, key, "");
	else if (n > 0)
		put_bytes(t, key, from, (size_t)n);
}

static void put_strings(struct tracing *t, const char *key, uptr_t from)
{
	u64 at;

	event_list_begin(&t->e, key);
	for (unsigned i = 0; i < STRINGS_MAX; i++) {
		if (copy_from_user(&at, from + i * sizeof(at), sizeof(at)) || !at)
			break;
		put_string(t, NULL, at);
	}
	event_list_end(&t->e);
}

static u64 counted(const struct tracing *t, const struct capture *c)
{
	if (c->count != CAPTURE_RESULT)
		return t->call.arg[c->count];
	return t->call.done && t->call.result > 0 ? (u64)t->call.result : 0;
}

/* The contents of the first pieces, as "2.0", "2.1" …; bounded by what the call moved, if it has. */
static void put_pieces(struct tracing *t, unsigned arg, u64 count)
{
	u64 left = t->call.done && t->call.result > 0 ? (u64)t->call.result : 0;

	for (unsigned i = 0; i < min(count, (u64)VEC_MAX) && left; i++) {
		u64 piece[2];
		char key[8];

		if (copy_from_user(piece, t->call.arg[arg] + i * sizeof(piece), sizeof(piece)))
			break;
		scnprintf(key, sizeof(key), "%u.%u", arg, i);
		piece[1] = min(piece[1], left);
		left -= piece[1];
		put_bytes(t, key, piece[0], min(piece[1], (u64)BUFFER_MAX));
	}
}

static void put_captured(struct tracing *t, unsigned arg, const struct capture *c)
{
	uptr_t from = t->call.arg[arg];
	const char key[2] = { (char)('0' + arg), '\0' };
	u64 n;

	if (!from)
		return;
	switch (c->kind) {
	case CAPTURE_STRING: put_string(t, key, from); break;
	case CAPTURE_STRINGS: put_strings(t, key, from); break;
	case CAPTURE_STRUCT: put_bytes(t, key, from, c->size); break;
	case CAPTURE_BUFFER: put_bytes(t, key, from, min(counted(t, c), (u64)BUFFER_MAX)); break;
	case CAPTURE_IOVEC:
	case CAPTURE_ARRAY:
		n = min(counted(t, c), (u64)ELEMENTS_MAX);
		put_bytes(t, key, from, n * c->size);
		if (c->kind == CAPTURE_IOVEC)
			put_pieces(t, arg, n);
		break;
	}
}

static void put_call(struct tracing *t, const char *state)
{
	const struct syscall_record *call = &t->call;
	struct event *e = &t->e;
	char value[24];

	event_u64(e, "nr", call->nr);
	event_u64(e, "start", call->start_ns);
	if (call->done)
		event_s64(e, "result", call->result);
	else
		event_str(e, "state", state);
	event_list_begin(e, "args");
	for (unsigned i = 0; i < ARRAY_SIZE(call->arg); i++) {
		scnprintf(value, sizeof(value), "0x%llx", (unsigned long long)call->arg[i]);
		event_item_str(e, value);
	}
	event_list_end(e);
}

static void put_data(struct tracing *t)
{
	event_object_begin(&t->e, "data");
	if (t->call.nr < SYSCALL_TABLE_SIZE)
		for (unsigned i = 0; i < ARRAY_SIZE(t->call.arg); i++)
			put_captured(t, i, &captures[t->call.nr][i]);
	event_object_end(&t->e);
}

/* current's newest call; `ended` says which of the two kinds is wanted. */
static void trace_newest(bool ended)
{
	struct thread *me = current;
	struct tracing *t = kmalloc(sizeof(*t), 0);

	if (!t)
		return;
	if (syscall_ring_get(&me->calls, false, 0, &t->call) && t->call.done == ended) {
		event_begin(&t->e, "syscall");
		event_s64(&t->e, "pid", me->proc->pid);
		event_s64(&t->e, "tid", me->tid);
		put_call(t, "ended");
		put_data(t);
		event_end(&t->e);
	}
	kfree(t);
}

void syscall_trace(void)
{
	trace_newest(true);
}

void syscall_trace_unfinished(void)
{
	if (thread_test_flag(current, TF_TRACE_SYSCALL))
		trace_newest(false);
}

/* --- calls that take long --- */

static struct tracing waiting; /* [x] the drain thread */

/* Under rcu: nothing of the thread's memory is looked at, only what its record holds. */
static bool look_at(struct thread *t, void *now)
{
	struct event *e = &waiting.e;
	const struct proc *p = rcu_dereference(t->proc);

	if (!thread_test_flag(t, TF_TRACE_SYSCALL) || !p || t->kernel ||
	    !syscall_ring_get(&t->calls, true, 0, &waiting.call) || waiting.call.done ||
	    t->call_announced == waiting.call.number + 1 ||
	    waiting.call.start_ns + WAITING_NS > *(const u64 *)now)
		return true;
	t->call_announced = waiting.call.number + 1;
	event_begin(e, "syscall");
	event_s64(e, "pid", p->pid);
	event_s64(e, "tid", t->tid);
	put_call(&waiting, "waiting");
	event_object_begin(e, "data");
	event_object_end(e);
	event_end(e);
	return true;
}

void syscall_trace_waiting(void)
{
	u64 now = time_monotonic_ns();

	thread_for_each(look_at, &now);
}
