/*
 * The table of processes and the life of struct proc.
 *
 * proc_tree_lock protects parents, children, groups, sessions and states; numbers lead here through
 * proc/pid.c. A process is freed a grace period after its last reference went, so it may be looked at
 * under rcu. Its handlers (struct sighand) are shared with CLONE_SIGHAND and change at exec alone.
 * kernel_proc, number 0, is the parent of PID 1 and of what the kernel starts for itself.
 */
#include "internal.h"
#include <core/rcu.h>
#include <core/time.h>
#include <debug/panic.h>
#include <fs/hooks.h>
#include <fs/vfs.h>
#include <proc/crash.h>

struct spinlock proc_tree_lock = SPINLOCK_INIT("proc_tree", RANK_PROC_TREE);
struct proc *proc_init_proc;
struct proc kernel_proc;
unsigned proc_max_threads = 1024;

static struct kcache *proc_cache, *tp_cache;
static struct atomic nr_procs, nr_threads;

static void init_fields(struct proc *p)
{
	refcount_init(&p->refs, 1);
	list_init(&p->threads);
	list_init(&p->children);
	list_init(&p->sibling);
	list_init(&p->pgrp_link);
	sigqueue_init(&p->shared_pending);
	waitq_init(&p->child_wait);
	p->exit_signal = SIGCHLD;
	p->dumpable = true;
	p->start_ns = time_monotonic_ns();
}

int proc_alloc(struct proc **out)
{
	struct proc *p = kcache_alloc(proc_cache, ALLOC_ZERO | ALLOC_USER);

	if (!p)
		return -ENOMEM;
	init_fields(p);
	*out = p;
	return 0;
}

void proc_get(struct proc *p)
{
	refcount_inc(&p->refs);
}

static void proc_free_rcu(struct rcu_head *head)
{
	struct proc *p = container_of(head, struct proc, rcu);

	if (p->sighand)
		sighand_put(p->sighand);
	kcache_free(proc_cache, p);
}

void proc_put(struct proc *p)
{
	if (!p || !refcount_dec_and_test(&p->refs))
		return;
	itimers_free(p);
	sigqueue_flush(&p->shared_pending);
	call_rcu(&p->rcu, proc_free_rcu);
}

static void tp_free_rcu(struct rcu_head *head)
{
	kcache_free(tp_cache, container_of(head, struct thread_proc, rcu));
}

void thread_proc_free(struct thread_proc *tp)
{
	sigqueue_flush(&tp->pending);
	pid_put(tp->pid);
	call_rcu(&tp->rcu, tp_free_rcu);
}

int thread_proc_alloc(struct thread *t)
{
	struct thread_proc *tp = kcache_alloc(tp_cache, ALLOC_ZERO | ALLOC_USER);

	if (!tp)
		return -ENOMEM;
	tp->thread = t;
	list_init(&tp->group_link);
	sigqueue_init(&tp->pending);
	tp->altstack_flags = SS_DISABLE;
	t->tp = tp;
	return 0;
}

bool thread_count_take(void)
{
	if ((unsigned)atomic_add_return(&nr_threads, 1) <= proc_max_threads)
		return true;
	atomic_dec(&nr_threads);
	return false;
}

void thread_count_drop(void)
{
	atomic_dec(&nr_threads);
}

unsigned proc_count(void)
{
	return (unsigned)atomic_read(&nr_procs);
}

unsigned proc_thread_count(void)
{
	return (unsigned)atomic_read(&nr_threads);
}

/* A new process joins its parent's group and session. Tree lock held. */
static void attach_proc(struct thread *t, struct proc *p, struct proc *parent)
{
	struct pid *pid = t->tp->pid;

	p->pid = pid->nr;
	p->pid_ref = pid_get(pid);
	p->leader = t;
	thread_get(t);
	p->parent = parent;
	list_add_tail(&p->sibling, &parent->children);
	if (parent->pgrp) {
		proc_set_pgrp(p, parent->pgrp);
		proc_set_session(p, parent->session);
	} else {
		proc_set_pgrp(p, pid);
		proc_set_session(p, pid);
		p->session_leader = true;
	}
	p->tty = parent->tty;
	rcu_assign(pid->proc, p);
	atomic_inc(&nr_procs);
}

void proc_attach(struct thread *t, struct proc *parent, bool new_proc)
{
	spin_assert_held(&proc_tree_lock);
	if (new_proc)
		attach_proc(t, t->proc, parent);
	list_add_tail(&t->tp->group_link, &t->proc->threads);
	t->proc->nr_threads++;
	rcu_assign(t->tp->pid->thread, t);
}

void thread_detach_pid(struct thread *t)
{
	spin_assert_held(&proc_tree_lock);
	rcu_assign(t->tp->pid->thread, NULL);
}

void proc_release(struct proc *p)
{
	struct thread *leader = p->leader;

	BUG_ON(p->nr_threads);
	spin_lock(&proc_tree_lock);
	thread_detach_pid(leader);
	rcu_assign(p->pid_ref->proc, NULL);
	list_del_init(&p->pgrp_link);
	spin_unlock(&proc_tree_lock);
	atomic_dec(&nr_procs);
	pid_put(p->pgrp);
	pid_put(p->session);
	pid_put(p->pid_ref);
	p->pgrp = p->session = NULL;
	thread_proc_free(leader->tp);
	leader->tp = NULL;
	cred_put(leader->cred);
	rcu_assign(leader->cred, NULL);
	p->leader = NULL;
	thread_put(leader);
	proc_put(p);
}

char proc_state_char(struct thread *t)
{
	switch (READ_ONCE(t->state)) {
	case TS_RUNNING: return 'R';
	case TS_SLEEP_INT: return 'S';
	case TS_STOPPED: return 'T';
	case TS_DEAD: return 'Z';
	default: return 'D';
	}
}

/* Time on CPU is exact; how it divides into user and system is known by ticks. */
void thread_times(const struct thread *t, u64 *utime_ns, u64 *stime_ns)
{
	u64 total = sched_runtime_ns(t), ticks = t->utime_ns + t->stime_ns;

	if (!t->stime_ns)
		*utime_ns = total;
	else if (!t->utime_ns)
		*utime_ns = 0;
	else
		*utime_ns = total / (ticks >> 20) * (t->utime_ns >> 20); /* a tick is 2^22 ns */
	*utime_ns = min(*utime_ns, total);
	*stime_ns = total - *utime_ns;
}

/* The sums over threads that are still there; dead ones have left theirs in the process. */
void proc_usage_self(struct proc *p, struct proc_usage *out)
{
	struct thread_proc *tp;
	irqflags_t flags;
	struct sighand *sh = sighand_lock(p, &flags);

	*out = (struct proc_usage){ p->utime_ns, p->stime_ns, p->min_flt, p->maj_flt,
				    p->nvcsw,    p->nivcsw,   p->maxrss };
	list_for_each_entry(tp, &p->threads, group_link) {
		const struct thread *t = tp->thread;
		u64 utime, stime;

		thread_times(t, &utime, &stime);
		out->utime_ns += utime;
		out->stime_ns += stime;
		out->min_flt += tp->min_flt;
		out->maj_flt += tp->maj_flt;
		out->nvcsw += t->nvcsw;
		out->nivcsw += t->nivcsw;
		if (t->mm)
			out->maxrss = max(out->maxrss, t->mm->hiwater_rss * (PAGE_SIZE / 1024));
	}
	sighand_unlock(sh, flags);
}

struct mm *proc_get_mm(struct proc *p)
{
	struct thread_proc *tp;
	struct mm *mm = NULL;
	irqflags_t flags;
	struct sighand *sh = sighand_lock(p, &flags);

	list_for_each_entry(tp, &p->threads, group_link) {
		mm = tp->thread->mm;
		if (mm) {
			mm_get(mm);
			break;
		}
	}
	sighand_unlock(sh, flags);
	return mm;
}

void proc_usage_children(struct proc *p, struct proc_usage *out)
{
	spin_lock(&proc_tree_lock);
	*out = (struct proc_usage){ .utime_ns = p->cutime_ns,
				    .stime_ns = p->cstime_ns,
				    .min_flt = p->cmin_flt,
				    .maj_flt = p->cmaj_flt,
				    .nvcsw = p->cnvcsw,
				    .nivcsw = p->cnivcsw,
				    .maxrss = p->cmaxrss };
	spin_unlock(&proc_tree_lock);
}

static void signal_self(int sig)
{
	struct siginfo info = { .si_signo = sig, .si_code = SI_KERNEL };

	signal_send_thread(current, sig, &info);
}

static s32 current_pid(void)
{
	return current->proc ? current->proc->pid : 0;
}

static void init_kernel_proc(void)
{
	init_fields(&kernel_proc);
	if (sighand_create(&kernel_proc.sighand))
		panic("proc: no memory for the kernel's own process");
	kernel_proc.state = PROC_ALIVE;
}

void proc_init(void)
{
	struct mem_stats mem;

	proc_cache = kcache_create("proc", sizeof(struct proc), 64);
	tp_cache = kcache_create("thread_proc", sizeof(struct thread_proc), 64);
	mem_stats(&mem);
	/* Stacks of all threads may take an eighth of memory. */
	proc_max_threads = (unsigned)clamp(mem.total_pages * PAGE_SIZE / (8 * KSTACK_SIZE), 64ull,
					   (u64)pid_max - PID_RESERVED);
	random_init();
	pid_init();
	cred_init();
	signal_init();
	crash_init();
	proc_panic_init();
	init_kernel_proc();
	rlimits_init(&kernel_proc);
	proc_limits_register();
	fs_hooks.signal_self = signal_self;
	fs_hooks.current_pid = current_pid;
	procfs_pid_init();
	oom_init();
	stage_run_init();
}
