/*
 * Sleeping locks. Owner is recorded; fast path is one compare-and-swap; contended takers spin a moment
 * while the owner runs, then sleep. Ranks are checked per thread in debug builds. Thread context only.
 */
#pragma once
#include <lib/errno.h>
#include <sched/waitq.h>

struct mutex {
	struct thread *owner; /* [a] bit 0: somebody sleeps */
	struct waitq wait;
	u8 rank;
	const char *name;
};
void mutex_init(struct mutex *m, const char *name, enum lock_rank rank);
void mutex_lock(struct mutex *m);
int mutex_lock_interruptible(struct mutex *m); /* 0 or -EINTR */
bool mutex_trylock(struct mutex *m);
void mutex_unlock(struct mutex *m);
bool mutex_held(const struct mutex *m); /* by this thread */

struct rwsem {
	s32 count; /* [a] readers, or -1 for a writer */
	u32 writers_waiting; /* [a] new readers wait behind them */
	struct waitq wait;
	struct thread *owner; /* writer, for reports */
	u8 rank;
	const char *name;
};
void rwsem_init(struct rwsem *s, const char *name, enum lock_rank rank);
void rwsem_read_lock(struct rwsem *s);
bool rwsem_read_trylock(struct rwsem *s);
void rwsem_read_unlock(struct rwsem *s);
void rwsem_write_lock(struct rwsem *s);
int rwsem_write_lock_killable(struct rwsem *s); /* 0 or -EINTR */
void rwsem_write_unlock(struct rwsem *s);
void rwsem_downgrade(struct rwsem *s);
