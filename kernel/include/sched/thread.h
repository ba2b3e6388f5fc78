/*
 * Threads and the scheduler.
 *
 * A thread is what runs: kernel threads and threads of processes alike. sched/ knows nothing about
 * processes; the pointers to upper layers' objects are theirs to manage.
 *
 * Scheduling: per-CPU run queues. SCHED_FIFO/RR threads by priority first, then fair ones by virtual run
 * time weighted with nice, then SCHED_IDLE, then the idle thread.
 */
#pragma once
#include <arch/regs.h>
#include <arch/thread.h>
#include <core/preempt.h>
#include <core/rcu.h>
#include <core/spinlock.h>
#include <core/time.h>
#include <debug/syscall_ring.h>
#include <lib/atomic.h>
#include <lib/list.h>
#include <lib/rbtree.h>
#include <lib/types.h>

struct mm;
struct proc;
struct files;
struct fs_context;
struct cred;
struct waitq;

/* thread->flags: the one word tested on the way to user mode. Set by anybody with thread_set_flag(). */
enum thread_flag {
	TF_NEED_RESCHED = BIT(0),
	TF_SIGNAL = BIT(1), /* look for a signal to deliver */
	TF_NOTIFY = BIT(2), /* stop, exit_group, deferred exit work */
	TF_RESTORE_MASK = BIT(3), /* sigsuspend & co: saved_mask to be put back */
	TF_TRACE_SYSCALL = BIT(4), /* events, ktrace, ptrace at system-call exit */
};
#define TF_WORK_MASK (TF_NEED_RESCHED | TF_SIGNAL | TF_NOTIFY | TF_RESTORE_MASK)
#define TF_SYSCALL_WORK_MASK (TF_WORK_MASK | TF_TRACE_SYSCALL)

enum thread_state {
	TS_RUNNING, /* on a CPU or a run queue */
	TS_SLEEP_INT, /* interruptible */
	TS_SLEEP_KILL, /* only by fatal signals */
	TS_SLEEP_UNINT,
	TS_STOPPED, /* job control */
	TS_DEAD,
};

struct sched_entity {
	struct rb_node node; /* [x] run queue's lock */
	struct list rt_link;
	u64 vruntime_ns;
	u64 exec_start_ns, sum_exec_ns; /* time on CPU */
	u32 weight;
	s8 nice; /* -20..19 */
	u8 policy; /* SCHED_* of the ABI */
	u8 rt_priority; /* 1..99 for FIFO, RR */
	bool queued; /* on a run queue, or running; [x] run queue's lock */
	bool reset_on_fork; /* SCHED_RESET_ON_FORK */
	u64 slice_end_ns; /* RR: end of the time slice */
};

struct thread {
	struct arch_thread arch; /* first: assembly knows it */
	u32 flags; /* [a] enum thread_flag; right after arch */
	u32 state; /* [a] enum thread_state */
	s32 tid; /* [I] */
	u32 cpu; /* [x] run queue's lock: where it runs or last ran */
	bool on_cpu; /* [a] still using its kernel stack somewhere */
	bool kernel; /* [I] no user mode */
	bool exiting;
	struct syscall_ring calls; /* [o] its last system calls; assembly knows it */
	struct sched_entity se;
	u64 affinity; /* [x] pi_lock: bit per CPU */
	struct spinlock pi_lock; /* serialises wake-ups */
	void *stack; /* [I] lowest usable address, KSTACK_SIZE */
	char comm[16];
	struct refcount refs;
	struct rcu_head rcu;
	struct list all_link; /* [x] every thread, for reports */
	const struct thread *last_wakee; /* [o] whom it woke last: only compared, never followed */
	struct waitq *waiting_on; /* for reports */
	u64 call_announced; /* [x] trace drain: the call in flight for long that it wrote, plus one */
	u64 nvcsw, nivcsw; /* [o] */
	u64 utime_ns, stime_ns; /* [o] by tick */
	u64 start_ns; /* [I] */

	struct mm *mm; /* NULL: kernel thread, which runs on what is loaded (mm/tlb.h) */
	struct mm *active_mm; /* not used by the scheduler */
	struct proc *proc; /* process (thread group) */
	struct files *files;
	struct fs_context *fs; /* cwd, root, umask */
	struct cred *cred;
	struct thread_proc *tp; /* proc/: per-thread signal state and the like */

	u32 fault_disabled; /* [o] user faults fail at once */
#ifdef CONFIG_DEBUG
	u8 mutex_ranks[16]; /* [o] ranks of sleeping locks held, in order */
	u8 mutex_depth;
#endif
};

DECLARE_PER_CPU(struct thread *, current_thread);
#define current this_cpu_read(current_thread)

static inline void thread_set_flag(struct thread *t, u32 flag)
{
	__atomic_fetch_or(&t->flags, flag, __ATOMIC_SEQ_CST);
}
static inline void thread_clear_flag(struct thread *t, u32 flag)
{
	__atomic_fetch_and(&t->flags, ~flag, __ATOMIC_SEQ_CST);
}
static inline bool thread_test_flag(const struct thread *t, u32 flag)
{
	return __atomic_load_n(&t->flags, __ATOMIC_RELAXED) & flag;
}

/*
 * The last calls of t, oldest first, at most max; how many. The caller keeps t from going away. Any context,
 * NMI too. Kernel threads have none.
 */
unsigned syscall_ring_snapshot(const struct thread *t, struct syscall_record *out, unsigned max);

void sched_init(void); /* boot CPU: run queues, this becomes the idle thread 0 */
void sched_init_secondary(
	unsigned cpu); /* its idle thread and queue; on the boot CPU, before start */
void sched_online_secondary(unsigned cpu); /* on that CPU, once its interrupts can be served */
struct thread *sched_idle_thread(unsigned cpu); /* also current_thread of the CPU's per-CPU area */
/* First thing on a secondary CPU: it takes up its idle thread and counts as online. */
void sched_online_secondary(unsigned cpu);
__noreturn void sched_idle_loop(void); /* the idle threads' body */

/*
 * Allocates a thread with stack, not started. name is copied; policy, nice value and affinity are the
 * current thread's. 0, -ENOMEM. refs is 1: that reference belongs to the thread itself once it is
 * started, and is dropped by the scheduler when it has ended and left its stack (which is freed then).
 * Who wants to look at a started thread takes a reference of his own (thread_get) before thread_start, or
 * finds it under rcu. A thread never started is freed by thread_put.
 */
int thread_create(struct thread **out, const char *name);
/* Kernel thread: kthread_create leaves it to thread_start, kthread_run starts it at once; ends when fn
 * returns. 0, -ENOMEM. From kthread_run with out, the caller gets a reference that he must put. */
int kthread_create(struct thread **out, const char *name, void (*fn)(void *), void *arg);
int kthread_run(struct thread **out, const char *name, void (*fn)(void *), void *arg);
/* Puts a new (or arch_thread_fork'ed) thread on a run queue. The child of a fork inherits vruntime. */
void thread_start(struct thread *t);
void thread_get(struct thread *t);
void thread_put(struct thread *t); /* frees stack and all when the last one goes; any context */
struct thread *thread_get_live(struct thread *t); /* under rcu: t with a reference, NULL if freed */
/* Ends the current thread: never returns. proc/ has dropped mm, files... before. */
__noreturn void thread_exit(void);
/* What the first switch to a new thread must do (unlock run queue, drop prev); called by entry code. */
void sched_thread_started(struct thread *prev);

void sched_yield(void); /* to others of the same queue */
void schedule(void); /* give up the CPU in the current state */
void sched_preempt(void);
void sched_tick(bool user_mode); /* from the tick, interrupts off */
/* A voluntary point in long loops. Thread context. */
static inline void sched_point(void)
{
	if (unlikely(thread_test_flag(current, TF_NEED_RESCHED)))
		schedule();
}

/* Makes a sleeping thread runnable if its state is among those of `states` (BIT(TS_…)). True if it was.
 * Any context. */
bool thread_wake_states(struct thread *t, u32 states);
static inline bool thread_wake(struct thread *t)
{
	return thread_wake_states(t, BIT(TS_SLEEP_INT) | BIT(TS_SLEEP_KILL) | BIT(TS_SLEEP_UNINT));
}
/* Makes t look at its flags soon: wakes an interruptible sleeper, or sends a reschedule IPI when it runs
 * in user mode elsewhere. Signal delivery uses it after setting TF_SIGNAL. fatal also wakes killable. */
void thread_kick(struct thread *t, bool fatal);
/* Registered by proc/: is a signal pending that should end an interruptible (fatal: killable) sleep? */
extern bool (*sched_signal_pending)(struct thread *t, bool fatal_only);

int sched_set_nice(struct thread *t, int nice);
int sched_set_policy(struct thread *t, int policy, int rt_priority);
int sched_set_affinity(struct thread *t, u64 mask); /* -EINVAL: no online CPU in it; migrates */
int sched_set_affinity_kernel(struct thread *t, u64 mask); /* as above, CPUs may be offline yet */
u64 sched_runtime_ns(const struct thread *t);
u64 sched_rr_slice_ns(const struct thread *t); /* what sched_rr_get_interval(2) tells; 0 for FIFO */
u64 sched_idle_ns(unsigned cpu); /* time spent idle */
u64 sched_switches(void); /* context switches since boot, all CPUs */
unsigned sched_nr_running(void);
void sched_load_avg(u64 avg[3]); /* fixed point << 11 */
/* Iterates over all threads under rcu; for reports and procfs. */
void thread_for_each(bool (*fn)(struct thread *, void *), void *arg);

/* Sleep for a time; 0 or -ERESTARTSYS (interruptible) with *left_ns what remained. */
int sched_sleep_until(u64 deadline_ns, bool interruptible);
