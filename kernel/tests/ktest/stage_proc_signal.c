/* Stages of signals: queues, order, masks, waiting, timers; as a process that never leaves the kernel. */
#include "proc_test.h"
#include <core/time.h>
#include <stages_gen.h>
#include <uapi/time.h>
#include <uapi/times.h>

static void send_value(int sig, u64 value)
{
	struct siginfo info = { .si_signo = sig, .si_code = SI_QUEUE };

	info.si_value = value;
	signal_send_proc(current->proc, sig, &info);
}

int stage_signal_sets(struct stage *s)
{
	STAGE_CHECK(s, sig_default_fatal(SIGTERM) && sig_default_fatal(SIGKILL));
	STAGE_CHECK(s, sig_default_fatal(SIGRTMIN) && sig_default_fatal(SIGRTMAX));
	STAGE_CHECK(s, !sig_default_fatal(SIGCHLD) && !sig_default_fatal(SIGCONT));
	STAGE_CHECK(s, !sig_default_fatal(SIGSTOP) && !sig_default_fatal(SIGTTOU));
	STAGE_CHECK_EQ(s, sigmask(1), 1);
	STAGE_CHECK_EQ(s, sigmask(64), 1ul << 63);
	STAGE_CHECK_EQ(s, SIG_SYNC_SET & SIG_STOP_SET, 0);
	return 0;
}

static int queue_order(struct stage *s)
{
	struct siginfo info;

	signal_set_mask(~0ull);
	send_value(SIGRTMIN + 2, 1);
	send_value(SIGRTMIN + 1, 2);
	send_value(SIGRTMIN + 2, 3);
	send_value(SIGUSR1, 4);
	send_value(SIGUSR1, 5); /* one is enough */
	send_value(SIGSEGV, 6);
	STAGE_CHECK_EQ(s, signal_dequeue(~0ull, &info), SIGSEGV);
	STAGE_CHECK_EQ(s, signal_dequeue(~0ull, &info), SIGUSR1);
	STAGE_CHECK_EQ(s, info.si_value, 4);
	STAGE_CHECK_EQ(s, signal_dequeue(~0ull, &info), SIGRTMIN + 1);
	STAGE_CHECK_EQ(s, signal_dequeue(sigmask(SIGRTMIN + 2), &info), SIGRTMIN + 2);
	STAGE_CHECK_EQ(s, info.si_value, 1);
	STAGE_CHECK_EQ(s, signal_dequeue(~0ull, &info), SIGRTMIN + 2);
	STAGE_CHECK_EQ(s, info.si_value, 3);
	STAGE_CHECK_EQ(s, signal_dequeue(~0ull, &info), 0);
	return 0;
}

int stage_sigqueue_order(struct stage *s)
{
	return proc_test_in_process(s, queue_order);
}

static int queue_limit(struct stage *s)
{
	struct siginfo info = { .si_signo = SIGRTMIN, .si_code = SI_QUEUE };
	struct proc *p = current->proc;
	int pending = atomic_read(&current->cred->user->sigpending);

	signal_set_mask(~0ull);
	p->limits[RLIMIT_SIGPENDING].rlim_cur = (u64)pending + 2;
	STAGE_CHECK_EQ(s, signal_send_proc(p, SIGRTMIN, &info), 0);
	STAGE_CHECK_EQ(s, signal_send_proc(p, SIGRTMIN, &info), 0);
	STAGE_CHECK_EQ(s, signal_send_proc(p, SIGRTMIN, &info), -EAGAIN);
	STAGE_CHECK_EQ(s, signal_send_kernel(p, SIGUSR1), 0);
	while (signal_dequeue(~0ull, &info))
		;
	STAGE_CHECK_EQ(s, atomic_read(&current->cred->user->sigpending), pending);
	return 0;
}

int stage_sigqueue_limit(struct stage *s)
{
	return proc_test_in_process(s, queue_limit);
}

static int mask_and_flag(struct stage *s)
{
	struct siginfo info;

	STAGE_CHECK(s, !signal_pending());
	signal_set_mask(sigmask(SIGUSR1) | sigmask(SIGKILL));
	STAGE_CHECK_EQ(s, current->tp->sigmask, sigmask(SIGUSR1));
	send_value(SIGUSR1, 0);
	STAGE_CHECK(s, !signal_pending());
	STAGE_CHECK_EQ(s, signal_pending_set(), sigmask(SIGUSR1));
	signal_set_mask(0);
	STAGE_CHECK(s, signal_pending());
	STAGE_CHECK_EQ(s, signal_dequeue(~0ull, &info), SIGUSR1);
	STAGE_CHECK(s, !signal_pending());
	send_value(SIGCHLD, 0); /* ignored by default: not kept */
	STAGE_CHECK_EQ(s, signal_pending_set(), 0);
	return 0;
}

int stage_signal_mask(struct stage *s)
{
	return proc_test_in_process(s, mask_and_flag);
}

static int stop_cont_cancel(struct stage *s)
{
	signal_set_mask(~0ull);
	send_value(SIGTSTP, 0);
	send_value(SIGTTIN, 0);
	STAGE_CHECK_EQ(s, signal_pending_set(), sigmask(SIGTSTP) | sigmask(SIGTTIN));
	send_value(SIGCONT, 0);
	STAGE_CHECK_EQ(s, signal_pending_set(), sigmask(SIGCONT));
	send_value(SIGTTOU, 0);
	STAGE_CHECK_EQ(s, signal_pending_set(), sigmask(SIGTTOU));
	return 0;
}

int stage_signal_stop_cont(struct stage *s)
{
	return proc_test_in_process(s, stop_cont_cancel);
}

static int timed_wait(struct stage *s)
{
	u64 before = time_monotonic_ns();
	struct siginfo info;

	signal_set_mask(sigmask(SIGUSR2));
	STAGE_CHECK_EQ(s, signal_timed_wait(sigmask(SIGUSR2), &info, 0), -EAGAIN);
	STAGE_CHECK_EQ(s, signal_timed_wait(sigmask(SIGUSR2), &info, before + 5 * NSEC_PER_MSEC),
		       -EAGAIN);
	STAGE_CHECK(s, time_monotonic_ns() - before >= 5 * NSEC_PER_MSEC);
	send_value(SIGUSR2, 9);
	STAGE_CHECK_EQ(s, signal_timed_wait(sigmask(SIGUSR2), &info, TIME_NEVER), SIGUSR2);
	STAGE_CHECK_EQ(s, info.si_value, 9);
	STAGE_CHECK_EQ(s, current->tp->sigmask, sigmask(SIGUSR2));
	return 0;
}

int stage_sigtimedwait(struct stage *s)
{
	return proc_test_in_process(s, timed_wait);
}

static int alarm_arrives(struct stage *s)
{
	u64 before = time_monotonic_ns(), value, interval;
	struct siginfo info;

	signal_set_mask(sigmask(SIGALRM));
	STAGE_CHECK_EQ(
		s, itimer_set(ITIMER_REAL, 3 * NSEC_PER_MSEC, 2 * NSEC_PER_MSEC, &value, &interval),
		0);
	STAGE_CHECK_EQ(s, value, 0);
	for (unsigned i = 0; i < 3; i++)
		STAGE_CHECK_EQ(
			s, signal_timed_wait(sigmask(SIGALRM), &info, before + 2 * NSEC_PER_SEC),
			SIGALRM);
	STAGE_CHECK(s, time_monotonic_ns() - before >= 7 * NSEC_PER_MSEC);
	STAGE_CHECK_EQ(s, itimer_get(ITIMER_REAL, &value, &interval), 0);
	STAGE_CHECK_EQ(s, interval, 2 * NSEC_PER_MSEC);
	STAGE_CHECK(s, value > 0 && value <= interval);
	return 0; /* still armed: exit has to end it */
}

int stage_itimer_real(struct stage *s)
{
	return proc_test_in_process(s, alarm_arrives);
}

static int posix_overrun(struct stage *s)
{
	struct sigevent ev = { .sigev_value = 77,
			       .sigev_signo = SIGRTMIN + 4,
			       .sigev_notify = SIGEV_SIGNAL };
	u64 old_value, old_interval;
	struct siginfo info;
	s32 id;

	signal_set_mask(sigmask(SIGRTMIN + 4));
	STAGE_CHECK_EQ(s, ptimer_create(CLOCK_MONOTONIC, &ev, &id), 0);
	STAGE_CHECK_EQ(
		s, ptimer_set(id, false, NSEC_PER_MSEC, NSEC_PER_MSEC, &old_value, &old_interval),
		0);
	proc_test_sleep_ms(12);
	STAGE_CHECK_EQ(s, signal_dequeue(sigmask(SIGRTMIN + 4), &info), SIGRTMIN + 4);
	STAGE_CHECK_EQ(s, info.si_code, SI_TIMER);
	STAGE_CHECK_EQ(s, info.si_timer_value, 77);
	STAGE_CHECK(s, info.si_overrun >= 5);
	STAGE_CHECK_EQ(s, ptimer_overrun(id), info.si_overrun);
	STAGE_CHECK_EQ(s, ptimer_delete(id), 0);
	STAGE_CHECK_EQ(s, ptimer_delete(id), -EINVAL);
	return 0;
}

int stage_posix_timer(struct stage *s)
{
	return proc_test_in_process(s, posix_overrun);
}

static int altstack_rules(struct stage *s)
{
	struct sigaltstack ss = { .sp = 0x10000, .size = 8192 }, now;

	signal_altstack_get(&now, 0x7000000);
	STAGE_CHECK_EQ(s, now.flags, SS_DISABLE);
	STAGE_CHECK_EQ(s, signal_altstack_set(&ss, 0x7000000), 0);
	signal_altstack_get(&now, 0x7000000);
	STAGE_CHECK_EQ(s, now.flags, 0);
	signal_altstack_get(&now, 0x11000);
	STAGE_CHECK_EQ(s, now.flags, SS_ONSTACK);
	STAGE_CHECK_EQ(s, signal_altstack_set(&ss, 0x11000), -EPERM);
	ss.flags = 64;
	STAGE_CHECK_EQ(s, signal_altstack_set(&ss, 0x7000000), -EINVAL);
	ss.flags = 0;
	ss.size = MINSIGSTKSZ - 1;
	STAGE_CHECK_EQ(s, signal_altstack_set(&ss, 0x7000000), -ENOMEM);
	signal_altstack_get(&now, 0x7000000);
	STAGE_CHECK_EQ(s, now.size, 8192);
	ss.flags = SS_DISABLE;
	STAGE_CHECK_EQ(s, signal_altstack_set(&ss, 0x7000000), 0);
	signal_altstack_get(&now, 0x11000);
	STAGE_CHECK_EQ(s, now.flags, SS_DISABLE);
	return 0;
}

int stage_altstack_rules(struct stage *s)
{
	return proc_test_in_process(s, altstack_rules);
}

int stage_stop_and_continue(struct stage *s)
{
	struct proc *p;
	bool stopped = false, running;
	u64 before, after;
	u32 status;

	STAGE_CHECK_EQ(s, PROC_TEST_START(spin, &p), 0);
	proc_test_sleep_ms(5);
	signal_send_kernel(p, SIGSTOP);
	/* It is stopped before it has left its CPU, where its time still runs. */
	for (unsigned i = 0; i < 200 && !stopped; i++) {
		proc_test_sleep_ms(1);
		stopped = READ_ONCE(p->stopped) && !READ_ONCE(p->leader->on_cpu);
	}
	before = sched_runtime_ns(p->leader);
	proc_test_sleep_ms(10);
	after = sched_runtime_ns(p->leader);
	signal_send_kernel(p, SIGCONT);
	for (unsigned i = 0; i < 200 && sched_runtime_ns(p->leader) == after; i++)
		proc_test_sleep_ms(1);
	running = sched_runtime_ns(p->leader) > after && !p->stopped;
	status = proc_test_end(p);
	STAGE_CHECK(s, stopped);
	STAGE_CHECK_EQ(s, after, before);
	STAGE_CHECK(s, running);
	STAGE_CHECK_EQ(s, status, SIGKILL);
	return 0;
}
