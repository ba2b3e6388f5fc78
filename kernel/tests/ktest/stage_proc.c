/* Stages of processes: numbers, credentials, limits, groups, children. */
#include "proc_test.h"
#include <core/rcu.h>
#include <core/time.h>
#include <stages_gen.h>

#define MANY 500

int stage_pid_unique(struct stage *s)
{
	static struct pid *pids[MANY];
	unsigned made = 0, repeated = 0;

	for (; made < MANY; made++)
		if (pid_alloc(0, &pids[made]))
			break;
	for (unsigned i = 1; i < made; i++)
		repeated += pids[i]->nr == pids[i - 1]->nr;
	for (unsigned i = 0; i < made; i++) {
		struct pid *found = pid_get_nr(pids[i]->nr);

		repeated += found != pids[i];
		pid_put(found);
	}
	for (unsigned i = 0; i < made; i++)
		pid_put(pids[i]);
	STAGE_CHECK_EQ(s, made, MANY);
	STAGE_CHECK_EQ(s, repeated, 0);
	return 0;
}

int stage_pid_cyclic(struct stage *s)
{
	struct pid *first, *second, *again;
	s32 nr;

	STAGE_CHECK_EQ(s, pid_alloc(0, &first), 0);
	nr = first->nr;
	pid_put(first);
	STAGE_CHECK(s, !pid_get_nr(nr));
	STAGE_CHECK_EQ(s, pid_alloc(0, &second), 0);
	again = second;
	nr = second->nr - nr;
	pid_put(second);
	STAGE_CHECK(s, nr == 1 || again->nr >= PID_RESERVED);
	return 0;
}

int stage_pid_wraps(struct stage *s)
{
	s32 max = pid_max, highest = 0, after = 0;
	struct pid *p;

	STAGE_CHECK_EQ(s, pid_alloc(0, &p), 0);
	pid_max = p->nr + 3;
	pid_put(p);
	for (unsigned i = 0; i < 4 && !after; i++) {
		if (pid_alloc(0, &p))
			break;
		if (p->nr < highest)
			after = p->nr;
		highest = max(highest, p->nr);
		pid_put(p);
	}
	pid_max = max;
	STAGE_CHECK(s, after > 0);
	STAGE_CHECK(s, highest < pid_max);
	STAGE_CHECK_EQ(s, pid_alloc(after, &p), 0);
	STAGE_CHECK_EQ(s, pid_alloc(after, &p), -EEXIST);
	pid_put(pid_get_nr(after)); /* the reference just taken */
	p = pid_get_nr(after);
	pid_put(p);
	pid_put(p);
	STAGE_CHECK(s, !pid_get_nr(after));
	return 0;
}

static int cred_copies(struct stage *s)
{
	struct cred *before = current->cred, *c;

	STAGE_CHECK_EQ(s, cred_copy(&c), 0);
	STAGE_CHECK(s, c != before && c->uid == before->uid && c->user == before->user);
	c->uid = c->euid = c->suid = c->fsuid = 1000;
	STAGE_CHECK_EQ(s, before->uid, 0);
	cred_publish(c);
	STAGE_CHECK(s, current->cred == c);
	STAGE_CHECK_EQ(s, c->user->uid, 1000);
	STAGE_CHECK_EQ(s, atomic_read(&c->user->threads), 1);
	STAGE_CHECK(s, !current->proc->dumpable);
	return 0;
}

int stage_cred_copy(struct stage *s)
{
	return proc_test_in_process(s, cred_copies);
}

static int groups_found(struct stage *s)
{
	static const u32 ids[] = { 5, 10, 4000000000u };
	struct cred *c;

	STAGE_CHECK_EQ(s, cred_copy(&c), 0);
	c->groups = kmalloc(sizeof(ids), 0);
	STAGE_CHECK(s, c->groups);
	memcpy(c->groups, ids, sizeof(ids));
	c->ngroups = ARRAY_SIZE(ids);
	c->fsgid = 77;
	cred_publish(c);
	for (unsigned i = 0; i < ARRAY_SIZE(ids); i++)
		STAGE_CHECK(s, cred_in_group(c, ids[i]));
	STAGE_CHECK(s, cred_in_group(c, 77));
	STAGE_CHECK(s, !cred_in_group(c, 6) && !cred_in_group(c, 0) && !cred_in_group(c, ~0u));
	return 0;
}

int stage_cred_groups(struct stage *s)
{
	return proc_test_in_process(s, groups_found);
}

static int limits_inherited(struct stage *s)
{
	STAGE_CHECK_EQ(s, proc_limit(RLIMIT_NOFILE), 123);
	STAGE_CHECK_EQ(s, fd_limit(), 123);
	STAGE_CHECK_EQ(s, mm_limit(MM_LIMIT_STACK), kernel_proc.limits[RLIMIT_STACK].rlim_cur);
	current->proc->limits[RLIMIT_NOFILE].rlim_cur = 5;
	return 0;
}

int stage_rlimit_inherit(struct stage *s)
{
	struct rlimit64 before = kernel_proc.limits[RLIMIT_NOFILE];
	u64 after;
	int result;

	kernel_proc.limits[RLIMIT_NOFILE].rlim_cur = 123;
	result = proc_test_in_process(s, limits_inherited);
	after = kernel_proc.limits[RLIMIT_NOFILE].rlim_cur;
	kernel_proc.limits[RLIMIT_NOFILE] = before;
	if (result)
		return result;
	STAGE_CHECK_EQ(s, after, 123); /* a child's change is its own */
	return 0;
}

static int groups_and_sessions(struct stage *s)
{
	struct proc *p = current->proc;

	/* The kernel's children lead a session each. */
	STAGE_CHECK_EQ(s, proc_pgrp_id(p), p->pid);
	STAGE_CHECK_EQ(s, proc_session_id(p), p->pid);
	STAGE_CHECK_EQ(s, proc_new_session(), -EPERM);
	STAGE_CHECK_EQ(s, proc_set_pgrp_of(0, 0), -EPERM);
	STAGE_CHECK_EQ(s, proc_set_pgrp_of(p->pid, -1), -EINVAL);
	STAGE_CHECK_EQ(s, proc_set_pgrp_of(1, 0), -ESRCH);
	return 0;
}

int stage_session_rules(struct stage *s)
{
	return proc_test_in_process(s, groups_and_sessions);
}

int stage_wait_right_child(struct stage *s)
{
	struct proc *spin, *other;
	struct wait_result r;
	u32 status;
	long waited;

	STAGE_CHECK_EQ(s, PROC_TEST_START(spin, &spin), 0);
	STAGE_CHECK_EQ(s, PROC_TEST_START(exit42, &other), 0);
	waited = proc_wait_kernel(&kernel_proc, other->pid, time_monotonic_ns() + 5 * NSEC_PER_SEC,
				  &r);
	STAGE_CHECK_EQ(s, waited, other->pid);
	STAGE_CHECK_EQ(s, r.status, WSTATUS_EXIT(42));
	STAGE_CHECK_EQ(s, r.code, CLD_EXITED);
	STAGE_CHECK_EQ(s, proc_wait_kernel(&kernel_proc, other->pid, TIME_NEVER, &r), -ECHILD);
	proc_put(other);
	waited = proc_wait_kernel(&kernel_proc, spin->pid, time_monotonic_ns() + 20 * NSEC_PER_MSEC,
				  &r);
	status = proc_test_end(spin);
	STAGE_CHECK_EQ(s, waited, -ETIMEDOUT);
	STAGE_CHECK_EQ(s, status, SIGKILL);
	return 0;
}

int stage_proc_iterates(struct stage *s)
{
	struct proc *a, *b, *p;
	unsigned seen = 0;
	s32 last = 0;

	STAGE_CHECK_EQ(s, PROC_TEST_START(spin, &a), 0);
	STAGE_CHECK_EQ(s, PROC_TEST_START(spin, &b), 0);
	for (s32 pid = 1; (p = proc_next(&pid)); pid++) {
		if (p->pid <= last || p->pid != pid)
			seen = 100;
		last = p->pid;
		seen += p == a || p == b;
		proc_put(p);
	}
	proc_test_end(a);
	proc_test_end(b);
	STAGE_CHECK_EQ(s, seen, 2);
	return 0;
}

int stage_random_bytes(struct stage *s)
{
	static u8 a[300], b[300];
	unsigned zeroes = 0, same = 0;

	random_bytes(a, sizeof(a));
	random_bytes(b, sizeof(b));
	for (unsigned i = 0; i < sizeof(a); i++) {
		zeroes += !a[i];
		same += a[i] == b[i];
	}
	/* About 1.2 of each are to be expected. */
	STAGE_CHECK(s, zeroes < 20 && same < 20);
	return 0;
}
