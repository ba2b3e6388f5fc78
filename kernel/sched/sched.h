/*
 * Inside the scheduler: run queues and the two classes, fair and real-time.
 *
 * A thread is `queued` from the moment it is made runnable until it sleeps; the one that runs (rq->curr)
 * is counted but is in neither tree nor lists. Everything here needs rq->lock, interrupts off, unless it
 * says otherwise.
 */
#pragma once
#include <core/irq.h>
#include <core/spinlock.h>
#include <core/time.h>
#include <lib/atomic.h>
#include <lib/list.h>
#include <lib/rbtree.h>
#include <sched/thread.h>
#include <uapi/sched.h>

#define TICK_NS (NSEC_PER_SEC / TICK_HZ)
#define RT_LEVELS 100
#define RR_SLICE_NS (100 * NSEC_PER_MSEC)
#define FAIR_LATENCY_NS (6 * NSEC_PER_MSEC)
#define FAIR_MIN_SLICE_NS (1 * NSEC_PER_MSEC)
#define FAIR_WAKE_GRANULARITY_NS (1 * NSEC_PER_MSEC)
#define FAIR_SLEEPER_CREDIT_NS (3 * NSEC_PER_MSEC)
#define WEIGHT_NICE_0 1024u

struct rq {
	struct spinlock lock;
	unsigned cpu; /* [I] */
	struct thread *curr, *idle;
	unsigned nr_running; /* queued threads, curr included; without idle */
	unsigned nr_rt;
	u64 switches;

	struct rb_root_cached fair; /* by vruntime_ns */
	u64 min_vruntime_ns; /* only rises; [a] for other CPUs */
	u64 fair_load; /* sum of weights of queued fair threads, curr included */

	u64 rt_bitmap[2];
	struct list rt[RT_LEVELS]; /* by rt_priority */

	struct ktimer tick;
	u64 next_balance_ns;
	struct thread *move; /* the same: runnable, but this CPU is not allowed any more */
	u64 idle_since_ns, idle_ns;
} __aligned(64);

extern struct rq run_queues[MAX_CPUS];
extern unsigned long sched_idle_mask; /* [a] CPUs that run their idle thread */

static inline struct rq *cpu_rq(unsigned cpu)
{
	return &run_queues[cpu];
}
static inline struct rq *this_rq(void)
{
	return &run_queues[this_cpu()];
}
static inline bool is_rt(const struct thread *t)
{
	return t->se.policy == SCHED_FIFO || t->se.policy == SCHED_RR;
}

/* runqueue.c */
void rq_init(struct rq *rq, unsigned cpu, struct thread *idle);
void rq_resched(struct rq *rq); /* makes curr look at the queue again, by IPI if needed */
void rq_add(struct rq *rq, struct thread *t); /* becomes queued; not curr */
void rq_del(struct rq *rq, struct thread *t); /* no longer queued; curr or not */
void rq_put_prev(struct rq *rq, struct thread *t); /* curr stays queued but is switched away */
struct thread *rq_take_next(struct rq *rq); /* out of tree or list, to be curr; idle if none */
void rq_update_curr(struct rq *rq, u64 now); /* charges the time since the last call */
void rq_check_preempt(struct rq *rq, struct thread *woken, u64 now);
struct rq *thread_rq_lock(struct thread *t); /* the queue t belongs to, locked; interrupts off */
bool rq_pull(struct rq *to, struct rq *from); /* one thread; both locked */
bool rq_steal(struct rq *rq, unsigned min_running); /* from the busiest; rq locked */

/* fair.c */
extern const u32 fair_weights[40];
u32 fair_weight(const struct thread *t);
void fair_insert(struct rq *rq, struct thread *t);
void fair_remove(struct rq *rq, struct thread *t);
struct thread *fair_first(struct rq *rq);
void fair_charge(struct rq *rq, struct thread *t, u64 delta_ns);
void fair_place(struct rq *rq, struct thread *t, u64 from_min_ns);
bool fair_should_preempt(const struct thread *curr, const struct thread *woken);
bool fair_slice_over(struct rq *rq, struct thread *curr);
void fair_yield(struct rq *rq, struct thread *curr);
u64 fair_slice_ns(const struct rq *rq, const struct thread *t);

/* rt.c */
void rt_insert(struct rq *rq, struct thread *t, bool front);
void rt_remove(struct rq *rq, struct thread *t);
struct thread *rt_first(struct rq *rq);
bool rt_slice_over(struct rq *rq, struct thread *curr);

/* sched.c */
void sched_from_idle(void);
__noreturn void sched_leave(void); /* the end of the current thread */

/* wake.c: where a thread should run; t->pi_lock held, no run queue's. */
unsigned sched_select_cpu(struct thread *t, bool fresh);
void sched_move_away(
	struct thread *t); /* takes pi_lock; t is in no queue, runnable, off its stack */

/* thread.c, idle.c, rcu_thread.c, work.c */
void threads_init(void);
struct thread *thread_make_idle(unsigned cpu);
void thread_finish_dead(
	struct thread *t); /* off its stack: frees that, drops the thread's reference */
void rcu_thread_start(void);
void work_start_cpu(unsigned cpu);
void load_avg_update(u64 now); /* from ticks */
void watchdog_start_cpu(void); /* watchdog.c: this CPU looks and is looked at from now on */

/* In arch/common/tlb.c: the address space loaded on this CPU, and loading another one. */
DECLARE_PER_CPU(struct mm *, tlb_loaded_mm);
void tlb_switch_mm_slow(struct mm *mm);
