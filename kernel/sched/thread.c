/*
 * Threads: making them, counting references, the list of all.
 *
 * A thread's stack is freed by the thread that runs after it on its CPU, as soon as nobody stands on it;
 * struct thread itself goes when the last reference does, after a grace period, so that lookups under
 * rcu may still touch it.
 *
 * Locks: all_lock (RANK_PROC_TREE) for the list; readers under rcu.
 */
#include "sched.h"
#include <core/rcu.h>
#include <debug/event.h>
#include <debug/inject.h>
#include <debug/panic.h>
#include <lib/errno.h>
#include <lib/string.h>

/* In mm/, below in the image but above in the layers: memory for threads. */
struct kcache;
struct kcache *kcache_create(const char *name, size_t size, size_t align);
void *kcache_alloc(struct kcache *c, unsigned flags);
void kcache_free(struct kcache *c, void *obj);
void *kstack_alloc(void);
void kstack_free(void *stack);

/* The boot CPU's idle thread is what runs from the start, also before sched_init(). */
static struct thread boot_idle;
DEFINE_PER_CPU(struct thread *, current_thread) = &boot_idle;

static struct kcache *thread_cache; /* [I] */
static DEFINE_LIST(all_threads); /* [x] all_lock; read under rcu */
static struct spinlock all_lock = SPINLOCK_INIT("threads", RANK_PROC_TREE);
static s32 last_kthread_tid; /* [a] kernel threads have numbers below 0 */

void threads_init(void)
{
	thread_cache = kcache_create("thread", sizeof(struct thread), 64);
}

static void init_fields(struct thread *t, const char *name)
{
	/* The record of system calls is large, and needs no more than its head cleared. */
	memset(t, 0, offsetof(struct thread, calls));
	t->calls.head = 0;
	memset(&t->calls + 1, 0, sizeof(*t) - offsetof(struct thread, calls) - sizeof(t->calls));
	strscpy(t->comm, name, sizeof(t->comm));
	refcount_init(&t->refs, 1);
	spin_init(&t->pi_lock, "pi", RANK_PI);
	t->se.weight = WEIGHT_NICE_0;
	t->affinity = ~0ull;
	t->cpu = this_cpu();
	t->state = TS_SLEEP_UNINT; /* until thread_start */
	if (event_on(EVC_SYSCALL))
		t->flags = TF_TRACE_SYSCALL;
}

static void link_thread(struct thread *t)
{
	irqflags_t flags = spin_lock_irqsave(&all_lock);

	list_add_tail(&t->all_link, &all_threads);
	spin_unlock_irqrestore(&all_lock, flags);
}

static void inherit(struct thread *t)
{
	const struct thread *me = current;

	if (me->kernel)
		return;
	t->affinity = me->affinity;
	if (me->se.reset_on_fork) {
		t->se.nice = me->se.nice < 0 ? 0 : me->se.nice;
		if (!is_rt(me))
			t->se.policy = me->se.policy;
	} else {
		t->se.nice = me->se.nice;
		t->se.policy = me->se.policy;
		t->se.rt_priority = me->se.rt_priority;
	}
	t->se.weight = fair_weight(t);
}

int thread_create(struct thread **out, const char *name)
{
	struct thread *t = kcache_alloc(thread_cache, 0);
	void *stack;

	if (!t)
		return -ENOMEM;
	stack = kstack_alloc();
	if (!stack) {
		kcache_free(thread_cache, t);
		return -ENOMEM;
	}
	init_fields(t, name);
	t->stack = stack;
	inherit(t);
	link_thread(t);
	*out = t;
	return 0;
}

struct kthread_args {
	void (*fn)(void *);
	void *arg;
};

/* The arguments lie at the bottom of the new stack, where nothing reaches before they are read. */
static void kthread_entry(void *p)
{
	struct kthread_args *a = p;

	a->fn(a->arg);
	thread_exit();
}

int kthread_create(struct thread **out, const char *name, void (*fn)(void *), void *arg)
{
	struct kthread_args *a;
	struct thread *t;
	int error = thread_create(&t, name);

	if (error)
		return error;
	a = t->stack;
	a->fn = fn;
	a->arg = arg;
	t->kernel = true;
	t->tid = -__atomic_add_fetch(&last_kthread_tid, 1, __ATOMIC_RELAXED);
	t->affinity = ~0ull;
	t->se.nice = 0;
	t->se.policy = SCHED_OTHER;
	t->se.rt_priority = 0;
	t->se.weight = WEIGHT_NICE_0;
	arch_thread_init(t, t->stack, kthread_entry, a);
	*out = t;
	return 0;
}

int kthread_run(struct thread **out, const char *name, void (*fn)(void *), void *arg)
{
	struct thread *t;
	int error = kthread_create(&t, name, fn, arg);

	if (error)
		return error;
	if (out) {
		thread_get(t);
		*out = t;
	}
	thread_start(t);
	return 0;
}

void thread_get(struct thread *t)
{
	refcount_inc(&t->refs);
}

struct thread *thread_get_live(struct thread *t)
{
	return t && refcount_inc_not_zero(&t->refs) ? t : NULL;
}

static void free_thread(struct rcu_head *head)
{
	struct thread *t = container_of(head, struct thread, rcu);

	arch_thread_fini(t);
	if (t->stack) /* never started */
		kstack_free(t->stack);
	kcache_free(thread_cache, t);
}

void thread_put(struct thread *t)
{
	irqflags_t flags;

	if (!refcount_dec_and_test(&t->refs))
		return;
	flags = spin_lock_irqsave(&all_lock);
	list_unlink_(&t->all_link); /* next stays, for readers under rcu */
	spin_unlock_irqrestore(&all_lock, flags);
	call_rcu(&t->rcu, free_thread);
}

void thread_finish_dead(struct thread *t)
{
	void *stack = t->stack;

	t->stack = NULL;
	if (!INJECT("stack_leak"))
		kstack_free(stack);
	thread_put(t);
}

void thread_exit(void)
{
	struct thread *t = current;

	ASSERT(preempt_depth() == 0);
	t->exiting = true;
	sched_leave();
}

void thread_for_each(bool (*fn)(struct thread *, void *), void *arg)
{
	struct list *l;

	rcu_read_lock();
	for (l = rcu_dereference(all_threads.next); l != &all_threads; l = rcu_dereference(l->next))
		if (!fn(list_entry(l, struct thread, all_link), arg))
			break;
	rcu_read_unlock();
}

unsigned syscall_ring_snapshot(const struct thread *t, struct syscall_record *out, unsigned max)
{
	bool running = t != current && READ_ONCE(t->on_cpu);
	unsigned n = 0;

	for (unsigned back = min(max, (unsigned)SYSCALL_RING_CALLS); back-- > 0;)
		if (syscall_ring_get(&t->calls, running, back, &out[n]))
			out[n++].tid = t->tid;
	return n;
}

struct thread *thread_make_idle(unsigned cpu)
{
	struct thread *t = cpu ? kcache_alloc(thread_cache, 0) : &boot_idle;
	void *stack = cpu ? kstack_alloc() : boot_stack;

	if (!t || !stack)
		panic("no memory for the idle thread of cpu %u", cpu);
	init_fields(t, "idle");
	t->stack = stack;
	t->comm[4] = '/';
	t->comm[5] = (char)('0' + cpu);
	t->kernel = true;
	t->cpu = cpu;
	t->affinity = BIT(cpu);
	t->on_cpu = true;
	t->state = TS_RUNNING;
	link_thread(t);
	return t;
}
