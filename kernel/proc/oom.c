/*
 * Out of memory: the process that uses most is killed, weighted with oom_score_adj, and a report of the
 * largest ones goes to the log. PID 1 and those with -1000 are spared; while one victim has not ended,
 * no other is chosen. Manual: oom_score_adj in proc(5).
 */
#include "internal.h"
#include <core/time.h>
#include <debug/klog.h>

#define OOM_PATIENCE_NS (2 * NSEC_PER_SEC) /* a victim that has not ended by then gets company */

static struct spinlock oom_lock = SPINLOCK_INIT("oom", RANK_PROC_TREE);
static s32 victim_pid; /* [x] oom_lock */
static u64 victim_since_ns; /* [x] oom_lock */

/* Pages, shifted by the adjustment in thousandths of memory; negative: never. */
static s64 badness(struct proc *p, u64 *rss)
{
	struct mm *mm;
	s64 points;

	*rss = 0;
	if (p == proc_init_proc || p->state != PROC_ALIVE || p->oom_score_adj == -1000 ||
	    p->group_exiting)
		return -1;
	mm = proc_get_mm(p);
	if (!mm)
		return -1;
	*rss = mm->rss_anon + mm->rss_file;
	mm_put(mm);
	points = (s64)*rss + p->oom_score_adj * (s64)(mem_total_pages / 1000);
	return max_t(s64, points, 1);
}

static struct proc *choose(u64 *victim_rss)
{
	struct proc *p, *best = NULL;
	s64 most = 0;

	for (s32 pid = 1; (p = proc_next(&pid)); pid++) {
		u64 rss;
		s64 points = badness(p, &rss);

		if (rss)
			log_info("oom: %6d %-16s %8llu KiB", p->pid,
				 p->leader ? p->leader->comm : "?",
				 (unsigned long long)rss * (PAGE_SIZE / 1024));
		if (points > most) {
			if (best)
				proc_put(best);
			best = p;
			most = points;
			*victim_rss = rss;
		} else {
			proc_put(p);
		}
	}
	return best;
}

/* True while the last victim has not let go of its memory. */
static bool victim_pending(void)
{
	struct proc *p = victim_pid ? proc_get_by_pid(victim_pid) : NULL;
	bool pending = p && p->state == PROC_ALIVE &&
		       time_monotonic_ns() - victim_since_ns < OOM_PATIENCE_NS;

	if (p)
		proc_put(p);
	return pending;
}

static bool oom_kill(void)
{
	struct proc *p;
	u64 rss = 0;

	if (victim_pending())
		return true;
	log_warn("oom: out of memory in %s[%d]", current->comm, current->tid);
	p = choose(&rss);
	if (!p)
		return false;
	log_warn("oom: killing %d (%s), %llu KiB", p->pid, p->leader ? p->leader->comm : "?",
		 (unsigned long long)rss * (PAGE_SIZE / 1024));
	spin_lock(&oom_lock);
	victim_pid = p->pid;
	victim_since_ns = time_monotonic_ns();
	spin_unlock(&oom_lock);
	signal_send_kernel(p, SIGKILL);
	proc_put(p);
	return true;
}

void oom_init(void)
{
	mm_oom_kill = oom_kill;
}
