/* Resource limits: the defaults, inheritance, and the answers that mm/ and fs/ ask for. getrlimit(2). */
#include "internal.h"
#include <debug/inject.h>
#include <fs/hooks.h>

#define STACK_DEFAULT (8ull << 20)
#define MEMLOCK_DEFAULT (8ull << 20)
#define NOFILE_SOFT 1024
#define NOFILE_HARD 4096
#define MSGQUEUE_DEFAULT 819200

/* What PID 1 begins with; fork and exec keep them. */
void rlimits_init(struct proc *p)
{
	struct rlimit64 *l = p->limits;
	u64 threads = proc_max_threads / 2;

	for (unsigned i = 0; i < RLIM_NLIMITS; i++)
		l[i] = (struct rlimit64){ RLIM64_INFINITY, RLIM64_INFINITY };
	l[RLIMIT_STACK].rlim_cur = STACK_DEFAULT;
	l[RLIMIT_CORE].rlim_cur = 0;
	l[RLIMIT_NPROC] = (struct rlimit64){ threads, threads };
	l[RLIMIT_NOFILE] = (struct rlimit64){ NOFILE_SOFT, NOFILE_HARD };
	l[RLIMIT_MEMLOCK] = (struct rlimit64){ MEMLOCK_DEFAULT, MEMLOCK_DEFAULT };
	l[RLIMIT_SIGPENDING] = (struct rlimit64){ threads, threads };
	l[RLIMIT_MSGQUEUE] = (struct rlimit64){ MSGQUEUE_DEFAULT, MSGQUEUE_DEFAULT };
	l[RLIMIT_NICE] = (struct rlimit64){ 0, 0 };
	l[RLIMIT_RTPRIO] = (struct rlimit64){ 0, 0 };
}

u64 proc_limit(unsigned which)
{
	struct proc *p = current->proc;

	return p ? READ_ONCE(p->limits[which].rlim_cur) : RLIM64_INFINITY;
}

static u64 limit_for_mm(enum mm_limit which)
{
	static const u8 map[] = {
		[MM_LIMIT_AS] = RLIMIT_AS,
		[MM_LIMIT_DATA] = RLIMIT_DATA,
		[MM_LIMIT_STACK] = RLIMIT_STACK,
		[MM_LIMIT_MEMLOCK] = RLIMIT_MEMLOCK,
	};

	return proc_limit(map[which]);
}

static u64 limit_nofile(void)
{
	return INJECT("rlimit_nofile_ignored") ? NOFILE_HARD : proc_limit(RLIMIT_NOFILE);
}

static u64 limit_fsize(void)
{
	return proc_limit(RLIMIT_FSIZE);
}

void proc_limits_register(void)
{
	mm_limit = limit_for_mm;
	fd_limit = limit_nofile;
	fs_hooks.limit_fsize = limit_fsize;
}
