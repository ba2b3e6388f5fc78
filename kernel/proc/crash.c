/*
 * What is left of a process that a signal ends: the `crash_report` event.
 *
 * Written by the thread that dies, holding nothing but crash_lock, which is for the one buffer. Nothing here
 * waits for what others hold: the address space is locked by trying for a while, user memory is read without
 * faulting it in. What could not be had is named in `missing`. A storm of deaths is thinned out to
 * REFILL_PER_S reports a second after BURST; what was left out is counted and the count told, in the next
 * report or in an event of its own.
 *
 * Locks: crash_lock (mutex); the address space's for reading; sighand for the record of system calls.
 */
#include "internal.h"
#include "crash_internal.h"
#include <arch/debug.h>
#include <arch/time.h>
#include <arch/uaccess.h>
#include <debug/event.h>
#include <debug/inject.h>
#include <debug/klog.h>
#include <lib/format.h>
#include <sched/mutex.h>
#include <sched/work.h>
#include <uapi/fcntl.h>

#define LINE_ROOM (48 * 1024ul)
#define BURST 64
#define REFILL_PER_S 16
#define PRICE_NS (NSEC_PER_SEC / REFILL_PER_S)
#define LENGTH_FREE 8192
#define FLUSH_NS NSEC_PER_SEC
#define ARGS_MAX 1024 /* bytes of the command line */
#define ARG_MAX 256 /* of one argument */
#define CODE_BYTES 64 /* around ip */

const char *(*crash_syscall_name)(unsigned long nr);

static struct mutex crash_lock;
static char storage[sizeof(struct event) + LINE_ROOM] __aligned(16); /* [x] crash_lock */
static char path[PATH_MAX]; /* [x] crash_lock */
static u64 saved_ns = BURST * PRICE_NS; /* [x] crash_lock: time to spend on reports */
static u64 last_ns; /* [x] crash_lock */
static u64 left_out; /* [a] reports not written, and not told yet */
static u64 made; /* [a] */
static struct ktimer flush_timer;
static struct work flush_work;

/* --- thinning out --- */

static bool take_token(void)
{
	u64 now = arch_clock_ns();

	saved_ns = min_t(u64, saved_ns + (now - last_ns), BURST * PRICE_NS);
	last_ns = now;
	if (saved_ns < PRICE_NS)
		return false;
	saved_ns -= PRICE_NS;
	return true;
}

/* A long line costs more, for it keeps the channel longer. */
static void pay_for_length(size_t len)
{
	saved_ns -= min_t(u64, saved_ns, len / LENGTH_FREE * PRICE_NS);
}

void crash_flush(void)
{
	u64 n = __atomic_exchange_n(&left_out, 0, __ATOMIC_RELAXED);
	struct event e;

	if (!n)
		return;
	log_warn("crash: %llu reports were left out", (unsigned long long)n);
	event_begin(&e, "crash_left_out");
	event_u64(&e, "count", n);
	event_end(&e);
}

static void flush_worker(struct work *w)
{
	(void)w;
	crash_flush();
}

static void flush_due(struct ktimer *t)
{
	(void)t;
	work_queue(&flush_work);
}

static void leave_out(void)
{
	__atomic_fetch_add(&left_out, 1, __ATOMIC_RELAXED);
	if (!ktimer_pending(&flush_timer))
		ktimer_arm(&flush_timer, arch_clock_ns() + FLUSH_NS);
}

/* --- user memory, as it is now --- */

size_t crash_read_user(void *dst, uptr_t src, size_t n)
{
	size_t left;

	if (!current->mm || !user_range_ok(src, n))
		return 0;
	current->fault_disabled++;
	left = copy_from_user_partial(dst, src, n);
	current->fault_disabled--;
	return n - left;
}

static void missing(struct crash *c, const char *what)
{
	c->missing[c->nr_missing++ % ARRAY_SIZE(c->missing)] = what;
}

/* The arguments as they lie in memory now, which the program may have changed. */
static void put_argv(struct crash *c)
{
	const struct mm *mm = current->mm;
	char buf[ARGS_MAX];
	size_t n = 0, at = 0;

	if (mm && mm->arg_end > mm->arg_start)
		n = crash_read_user(buf, mm->arg_start,
				    min(mm->arg_end - mm->arg_start, sizeof(buf)));
	if (!n)
		missing(c, "command line");
	event_list_begin(c->e, "argv");
	while (at < n) {
		size_t len = strnlen(buf + at, n - at);

		event_strn(c->e, NULL, buf + at, min_t(size_t, len, ARG_MAX));
		at += len + 1;
	}
	event_list_end(c->e);
}

static void put_code(struct crash *c)
{
	u8 bytes[CODE_BYTES];
	char hex[2 * CODE_BYTES + 1];
	uptr_t start = c->ip > CODE_BYTES / 2 ? c->ip - CODE_BYTES / 2 : 0;
	size_t n = crash_read_user(bytes, start, sizeof(bytes));

	/* The page before may be missing, or the one behind: what is there of the instruction's own. */
	if (start + n <= c->ip) {
		start = c->ip;
		n = crash_read_user(bytes, start, CODE_BYTES / 2);
	}
	for (size_t i = 0; i < n; i++)
		scnprintf(hex + 2 * i, 3, "%02x", bytes[i]);
	if (!n)
		return;
	event_hex(c->e, "text_at", start);
	event_strn(c->e, "text", hex, 2 * n);
}

/* --- the parts of the event --- */

static void put_signal(struct crash *c, const char *note)
{
	struct event *e = c->e;
	const struct siginfo *info = c->info;

	event_s64(e, "sig", info->si_signo);
	event_str(e, "signal", signal_name(info->si_signo));
	event_s64(e, "code", info->si_code);
	event_str(e, "reason", crash_reason(info));
	if (note)
		event_str(e, "note", note);
	if (info->si_code <= 0) {
		event_s64(e, "sender_pid", info->si_pid);
		event_u64(e, "sender_uid", info->si_uid);
	}
	event_hex(e, "ip", c->ip);
	if (crash_is_fault(info))
		event_hex(e, "addr", info->si_addr);
}

static void put_identity(struct crash *c, u64 suppressed)
{
	struct event *e = c->e;
	struct proc *p = current->proc;

	event_s64(e, "pid", p->pid);
	event_s64(e, "tid", current->tid);
	event_str(e, "comm", current->comm);
	event_str(e, "exe", p->exec_path);
	event_u64(e, "left_out", suppressed);
	put_argv(c);
}

static const char *regs_source(const struct crash *c)
{
	if (crash_is_fault(c->info) || c->info->si_code == SI_KERNEL)
		return "exception";
	return (long)regs_syscall_nr(c->regs) >= 0 ? "system call" : "interrupt";
}

static void put_registers(struct crash *c)
{
	struct event *e = c->e;
	const char *name;
	u64 value;

	event_str(e, "regs_from", regs_source(c));
	event_object_begin(e, "regs");
	for (unsigned i = 0; arch_regs_get(c->regs, i, &name, &value); i++)
		event_hex(e, name, value);
	event_object_end(e);
	event_hex(e, "tls", arch_thread_get_tls(current));
	event_object_begin(e, "fault");
	if (c->info->si_code > 0)
		for (unsigned i = 0; arch_fault_get(current, i, &name, &value); i++)
			event_hex(e, name, value);
	event_object_end(e);
}

static void put_missing(struct crash *c)
{
	event_list_begin(c->e, "missing");
	for (unsigned i = 0; i < min_t(unsigned, c->nr_missing, ARRAY_SIZE(c->missing)); i++)
		event_item_str(c->e, c->missing[i]);
	event_list_end(c->e);
}

/* The address space for reading, unless somebody keeps it for a tenth of a second. */
static bool lock_space(struct mm *mm)
{
	for (unsigned tries = 0; mm && tries < 100; tries++) {
		if (rwsem_read_trylock(&mm->lock))
			return true;
		(void)sched_sleep_until(arch_clock_ns() + NSEC_PER_MSEC, false);
	}
	return false;
}

static void put_space(struct crash *c, const struct crash_calls *calls)
{
	struct mm *mm = current->mm;

	c->space = lock_space(mm);
	if (!c->space)
		missing(c, "mappings");
	crash_put_stack(c);
	crash_put_syscalls(c, calls);
	put_missing(c);
	if (!c->space)
		return;
	crash_put_maps(c, path, sizeof(path));
	rwsem_read_unlock(&mm->lock);
}

static void write_event(const struct siginfo *info, const char *note,
			const struct crash_calls *calls)
{
	struct crash c = {
		.e = (struct event *)storage,
		.info = info,
		.regs = arch_thread_regs(current),
	};

	c.ip = regs_ip(c.regs);
	event_begin_long(c.e, EVENT_MAX + LINE_ROOM, "crash_report");
	put_identity(&c, __atomic_exchange_n(&left_out, 0, __ATOMIC_RELAXED));
	put_signal(&c, note);
	put_registers(&c);
	put_code(&c);
	put_space(&c, calls);
	event_end(c.e);
}

void crash_take_calls(struct crash_calls *out)
{
	irqflags_t flags;
	struct sighand *sh = sighand_lock(current->proc, &flags);

	out->n = proc_recent_calls(current->proc, out->r, CRASH_CALLS);
	sighand_unlock(sh, flags);
}

u64 crash_reports_made(void)
{
	return __atomic_load_n(&made, __ATOMIC_RELAXED);
}

void crash_report(const struct siginfo *info, const char *note, const struct crash_calls *calls)
{
	if (INJECT("crash_silent"))
		return;
	mutex_lock(&crash_lock);
	__atomic_fetch_add(&made, 1, __ATOMIC_RELAXED);
	if (take_token()) {
		crash_log(info, note);
		write_event(info, note, calls);
		pay_for_length(((struct event *)storage)->len);
	} else {
		leave_out();
	}
	mutex_unlock(&crash_lock);
}

void crash_init(void)
{
	mutex_init(&crash_lock, "crash", RANK_CGROUP);
	ktimer_init(&flush_timer, flush_due);
	work_init(&flush_work, flush_worker);
}
