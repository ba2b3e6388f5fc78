/*
 * Futexes: sleeping on a word of user memory. Operations take the caller's decoded arguments; shared:
 * the word may be known by other addresses in other processes.
 */
#pragma once
#include <lib/types.h>

struct thread;

/* Sleeps while the word is val: 0, -EAGAIN, -ETIMEDOUT, -EFAULT, -EINVAL, -ERESTARTSYS or
 * -ERESTART_RESTARTBLOCK (with a deadline). deadline_ns: monotonic, TIME_NEVER for none. */
int futex_wait(uptr_t uaddr, bool shared, u32 val, u64 deadline_ns, u32 bitset);
/* Wakes up to n waiters whose bits meet bitset: how many, -EFAULT, -EINVAL. */
int futex_wake(uptr_t uaddr, bool shared, int n, u32 bitset);
/* Wakes nr_wake waiters of uaddr and moves nr_requeue more to uaddr2; cmp: only if *uaddr == *cmp. How
 * many in all, -EAGAIN, -EFAULT, -EINVAL. */
int futex_requeue(uptr_t uaddr, bool shared, uptr_t uaddr2, int nr_wake, int nr_requeue,
		  const u32 *cmp);
/* FUTEX_WAKE_OP. */
int futex_wake_op(uptr_t uaddr, bool shared, uptr_t uaddr2, int nr_wake, int nr_wake2, u32 op);

/* Priority-inheritance locks (without the inheritance). deadline_ns as above. */
int futex_lock_pi(uptr_t uaddr, bool shared, u64 deadline_ns, bool try);
int futex_unlock_pi(uptr_t uaddr, bool shared);

/* For the end of a thread, while it still has its mm: marks the locks it dies with (t is current), and
 * wakes n waiters on a word just cleared (clear_child_tid). */
void futex_exit_robust(struct thread *t);
void futex_wake_user(uptr_t addr, int n);
