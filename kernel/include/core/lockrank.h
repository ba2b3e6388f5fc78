/*
 * Lock ranks: a CPU may only take a lock whose rank is higher than that of every lock it holds. One
 * table, lowest (outermost) first; two locks of one rank are taken in address order by the code that
 * says so (spin_lock_nested). Checked at run time in debug builds.
 */
#pragma once

enum lock_rank {
	RANK_NONE, /* not checked: single-threaded start-up only */
	/* sleeping locks (mutex, rwsem) */
	RANK_CGROUP,
	RANK_RENAME, /* fs-wide rename */
	RANK_INODE, /* inode contents: i_lock mutex */
	RANK_EPOLL,
	RANK_PIPE,
	RANK_TTY,
	RANK_SOCKET,
	RANK_MM, /* mm->lock */
	RANK_PAGELOCK,
	RANK_DEVICE,
	/* spinlocks */
	RANK_PROC_TREE, /* parent, children, groups, sessions */
	RANK_FILES, /* descriptor table */
	RANK_DENTRY,
	RANK_MAPPING, /* page cache tree, list of mappings */
	RANK_RECLAIM, /* list of cache pages that can be had again */
	RANK_SIGHAND, /* signal handlers and queues of a process */
	RANK_FUTEX,
	RANK_TIMER_OWNER,
	RANK_PID, /* table of process numbers */
	RANK_PAGETABLE,
	RANK_WAITQ,
	RANK_PI, /* thread placement: t->pi_lock */
	RANK_RUNQUEUE,
	RANK_SLAB,
	RANK_VMALLOC,
	RANK_ZONE, /* page allocator */
	RANK_IRQ, /* descriptors of device lines */
	RANK_DRIVER, /* device registers and rings, taken in interrupts */
	RANK_RCU,
	RANK_TIMER, /* per-CPU timer queue: call_rcu arms one under any lock before */
	RANK_LOG, /* log ring, console, events: last, anybody may log */
	RANK_MAX,
};
