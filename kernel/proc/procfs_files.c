/*
 * The files of /proc/PID that say something about a process: stat, status, cmdline, limits and so on; and
 * the tables of names. Manual: proc(5).
 */
#include <core/irq.h>
#include <core/time.h>
#include <debug/symbols.h>
#include <lib/parse.h>
#include <sched/thread.h>
#include "internal.h"
#include "procfs_pid.h"

#define TICKS(ns) ((ns) / (NSEC_PER_SEC / 100))

/* --- identity and state --- */

static int show_comm(struct seq *s, const struct pid_view *v)
{
	seq_printf(s, "%s\n", v->t->comm);
	return 0;
}

static ssize_t write_comm(const struct pid_view *v, const char *text)
{
	if (v->p != current->proc)
		return -EINVAL;
	strscpy(v->t->comm, text, sizeof(v->t->comm));
	return 0;
}

static char state_of(const struct pid_view *v)
{
	if (v->p->state != PROC_ALIVE && v->t == v->p->leader)
		return 'Z';
	return proc_state_char(v->t);
}

static const char *state_name(char c)
{
	switch (c) {
	case 'R': return "R (running)";
	case 'S': return "S (sleeping)";
	case 'D': return "D (disk sleep)";
	case 'T': return "T (stopped)";
	case 'Z': return "Z (zombie)";
	default: return "? (unknown)";
	}
}

static s32 parent_pid(const struct proc *p)
{
	s32 pid = 0;

	spin_lock(&proc_tree_lock);
	if (p->parent)
		pid = p->parent->pid;
	spin_unlock(&proc_tree_lock);
	return pid;
}

struct sig_sets {
	u64 pending, shared, blocked, ignored, caught;
	unsigned threads;
};

static void get_signals(const struct pid_view *v, struct sig_sets *out)
{
	struct sighand *sh;
	irqflags_t flags;

	memset(out, 0, sizeof(*out));
	if (v->p->state != PROC_ALIVE)
		return;
	sh = sighand_lock(v->p, &flags);
	if (!sh)
		return;
	if (v->t->tp) {
		out->pending = v->t->tp->pending.set;
		out->blocked = v->t->tp->sigmask;
	}
	out->shared = v->p->shared_pending.set;
	out->threads = v->p->nr_threads;
	for (unsigned i = 0; i < 64; i++) {
		uptr_t h = (uptr_t)sh->action[i].handler;

		if (h == (uptr_t)SIG_IGN)
			out->ignored |= BIT(i);
		else if (h != (uptr_t)SIG_DFL)
			out->caught |= BIT(i);
	}
	sighand_unlock(sh, flags);
}

static int show_stat(struct seq *s, const struct pid_view *v)
{
	struct proc *p = v->p;
	struct mm *mm = proc_get_mm(p);
	struct proc_usage self, children;
	struct sig_sets sig;

	proc_usage_self(p, &self);
	proc_usage_children(p, &children);
	get_signals(v, &sig);
	seq_printf(s, "%d (%s) %c %d %d %d %d %d %u", v->t->tid, v->t->comm, state_of(v),
		   parent_pid(p), proc_pgrp_id(p), proc_session_id(p),
		   p->tty ? (s32)MKDEV(5, 1) : 0, -1, 0x400000u);
	seq_printf(s, " %llu %llu %llu %llu %llu %llu %llu %llu", self.min_flt, children.min_flt,
		   self.maj_flt, children.maj_flt, TICKS(self.utime_ns), TICKS(self.stime_ns),
		   TICKS(children.utime_ns), TICKS(children.stime_ns));
	seq_printf(s, " %d %d %u 0 %llu",
		   v->t->se.rt_priority ? -1 - v->t->se.rt_priority : 20 + v->t->se.nice,
		   v->t->se.nice, sig.threads, TICKS(p->start_ns));
	seq_printf(s, " %llu %llu %llu", mm ? mm->total_vm * 4096 : 0,
		   mm ? mm->rss_anon + mm->rss_file : 0, p->limits[RLIMIT_RSS].rlim_cur);
	seq_printf(s, " %lu %lu %lu 0 0 %llu %llu %llu %llu 0 0 0", mm ? mm->code_start : 0,
		   mm ? mm->code_end : 0, mm ? mm->stack_start : 0, sig.pending & 0x7fffffff,
		   sig.blocked & 0x7fffffff, sig.ignored & 0x7fffffff, sig.caught & 0x7fffffff);
	seq_printf(s, " %d %u %u %u 0 0 0", p->exit_signal, v->t->cpu, v->t->se.rt_priority,
		   v->t->se.policy);
	seq_printf(s, " %lu %lu %lu %lu %lu %lu %lu %u\n", mm ? mm->data_start : 0,
		   mm ? mm->data_end : 0, mm ? mm->brk_start : 0, mm ? mm->arg_start : 0,
		   mm ? mm->arg_end : 0, mm ? mm->env_start : 0, mm ? mm->env_end : 0,
		   p->exit_status);
	if (mm)
		mm_put(mm);
	return 0;
}

static int show_statm(struct seq *s, const struct pid_view *v)
{
	struct mm *mm = proc_get_mm(v->p);

	if (!mm) {
		seq_puts(s, "0 0 0 0 0 0 0\n");
		return 0;
	}
	seq_printf(s, "%llu %llu %llu %lu 0 %llu 0\n", mm->total_vm, mm->rss_anon + mm->rss_file,
		   mm->rss_file, (mm->code_end - mm->code_start + 4095) / 4096,
		   mm->data_vm + mm->stack_vm);
	mm_put(mm);
	return 0;
}

static void show_ids(struct seq *s, const struct pid_view *v)
{
	struct cred *c;

	rcu_read_lock();
	c = rcu_dereference(v->t->cred);
	if (c && !refcount_inc_not_zero(&c->refs))
		c = NULL;
	rcu_read_unlock();
	if (!c)
		return;
	seq_printf(s, "Uid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\n", c->uid, c->euid, c->suid,
		   c->fsuid, c->gid, c->egid, c->sgid, c->fsgid);
	seq_puts(s, "Groups:\t");
	for (u32 i = 0; i < c->ngroups; i++)
		seq_printf(s, "%u ", c->groups[i]);
	seq_printf(
		s,
		"\nCapInh:\t%016llx\nCapPrm:\t%016llx\nCapEff:\t%016llx\nCapBnd:\t%016llx\nCapAmb:\t%016llx\n",
		c->cap_inheritable, c->cap_permitted, c->cap_effective, c->cap_bounding,
		c->cap_ambient);
	cred_put(c);
}

static void show_memory(struct seq *s, const struct pid_view *v)
{
	struct mm *mm = proc_get_mm(v->p);

	if (!mm)
		return;
	seq_printf(s,
		   "VmPeak:\t%8llu kB\nVmSize:\t%8llu kB\nVmLck:\t%8llu kB\nVmHWM:\t%8llu kB\n"
		   "VmRSS:\t%8llu kB\nRssAnon:\t%8llu kB\nRssFile:\t%8llu kB\nVmData:\t%8llu kB\n"
		   "VmStk:\t%8llu kB\nVmExe:\t%8lu kB\nVmSwap:\t       0 kB\n",
		   mm->total_vm * 4, mm->total_vm * 4, mm->locked_vm * 4, mm_rss_peak(mm) * 4,
		   (mm->rss_anon + mm->rss_file) * 4, mm->rss_anon * 4, mm->rss_file * 4,
		   mm->data_vm * 4, mm->stack_vm * 4, (mm->code_end - mm->code_start) / 1024);
	mm_put(mm);
}

static int show_status(struct seq *s, const struct pid_view *v)
{
	struct files *fs = files_get_of(&v->t->files);
	struct sig_sets sig;

	get_signals(v, &sig);
	seq_printf(
		s,
		"Name:\t%s\nUmask:\t%04o\nState:\t%s\nTgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\n",
		v->t->comm, v->t->fs ? v->t->fs->umask : 0, state_name(state_of(v)), v->p->pid,
		v->t->tid, parent_pid(v->p));
	seq_puts(s, "TracerPid:\t0\n");
	show_ids(s, v);
	seq_printf(s, "FDSize:\t%u\n", fs ? files_table_size(fs) : 0);
	if (fs)
		files_put(fs);
	seq_printf(s, "NStgid:\t%d\nNSpid:\t%d\nNSpgid:\t%d\nNSsid:\t%d\n", v->p->pid, v->t->tid,
		   proc_pgrp_id(v->p), proc_session_id(v->p));
	show_memory(s, v);
	seq_printf(
		s,
		"Threads:\t%u\nSigQ:\t0/%llu\nSigPnd:\t%016llx\nShdPnd:\t%016llx\nSigBlk:\t%016llx\n",
		sig.threads, v->p->limits[RLIMIT_SIGPENDING].rlim_cur, sig.pending, sig.shared,
		sig.blocked);
	seq_printf(s, "SigIgn:\t%016llx\nSigCgt:\t%016llx\nNoNewPrivs:\t%d\nSeccomp:\t0\n",
		   sig.ignored, sig.caught, v->p->no_new_privs);
	seq_printf(
		s,
		"Cpus_allowed:\t%llx\nvoluntary_ctxt_switches:\t%llu\nnonvoluntary_ctxt_switches:\t%llu\n",
		v->t->affinity & cpu_online_mask, v->t->nvcsw, v->t->nivcsw);
	return 0;
}

/* --- memory of the process --- */

static int show_user_range(struct seq *s, const struct pid_view *v, bool env)
{
	struct mm *mm = proc_get_mm(v->p);
	char *buf = kmalloc(PAGE_SIZE, 0);
	uptr_t at, end;

	if (mm && buf) {
		at = env ? mm->env_start : mm->arg_start;
		end = env ? mm->env_end : mm->arg_end;
		while (at < end) {
			size_t n = mm_access(mm, at, buf, min(end - at, PAGE_SIZE), false);

			if (!n)
				break;
			seq_write(s, buf, n);
			at += n;
		}
	}
	kfree(buf);
	if (mm)
		mm_put(mm);
	return 0;
}

static int show_cmdline(struct seq *s, const struct pid_view *v)
{
	return show_user_range(s, v, false);
}
static int show_environ(struct seq *s, const struct pid_view *v)
{
	return show_user_range(s, v, true);
}

static int show_auxv(struct seq *s, const struct pid_view *v)
{
	struct mm *mm = proc_get_mm(v->p);
	unsigned n = 0;

	if (!mm)
		return 0;
	while (n + 2 <= ARRAY_SIZE(mm->auxv) && mm->auxv[n])
		n += 2;
	seq_write(s, mm->auxv, min((n + 2) * sizeof(u64), sizeof(mm->auxv)));
	mm_put(mm);
	return 0;
}

/* --- limits and the like --- */

static const struct {
	const char *name, *unit;
} limit_names[RLIM_NLIMITS] = {
	[RLIMIT_CPU] = { "Max cpu time", "seconds" },
	[RLIMIT_FSIZE] = { "Max file size", "bytes" },
	[RLIMIT_DATA] = { "Max data size", "bytes" },
	[RLIMIT_STACK] = { "Max stack size", "bytes" },
	[RLIMIT_CORE] = { "Max core file size", "bytes" },
	[RLIMIT_RSS] = { "Max resident set", "bytes" },
	[RLIMIT_NPROC] = { "Max processes", "processes" },
	[RLIMIT_NOFILE] = { "Max open files", "files" },
	[RLIMIT_MEMLOCK] = { "Max locked memory", "bytes" },
	[RLIMIT_AS] = { "Max address space", "bytes" },
	[RLIMIT_LOCKS] = { "Max file locks", "locks" },
	[RLIMIT_SIGPENDING] = { "Max pending signals", "signals" },
	[RLIMIT_MSGQUEUE] = { "Max msgqueue size", "bytes" },
	[RLIMIT_NICE] = { "Max nice priority", "" },
	[RLIMIT_RTPRIO] = { "Max realtime priority", "" },
	[RLIMIT_RTTIME] = { "Max realtime timeout", "us" },
};

static void show_limit(struct seq *s, u64 v)
{
	if (v == ~0ull)
		seq_printf(s, "%-20s ", "unlimited");
	else
		seq_printf(s, "%-20llu ", v);
}

static int show_limits(struct seq *s, const struct pid_view *v)
{
	seq_printf(s, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
	for (unsigned i = 0; i < RLIM_NLIMITS; i++) {
		seq_printf(s, "%-25s ", limit_names[i].name);
		show_limit(s, v->p->limits[i].rlim_cur);
		show_limit(s, v->p->limits[i].rlim_max);
		seq_printf(s, "%-10s\n", limit_names[i].unit);
	}
	return 0;
}

static int show_oom_adj(struct seq *s, const struct pid_view *v)
{
	seq_printf(s, "%d\n", v->p->oom_score_adj);
	return 0;
}

static ssize_t write_oom_adj(const struct pid_view *v, const char *text)
{
	s64 n;

	if (parse_s64(text, 10, &n) || n < -1000 || n > 1000)
		return -EINVAL;
	if (n < v->p->oom_score_adj && !fs_capable(CAP_SYS_RESOURCE))
		return -EACCES;
	v->p->oom_score_adj = (s32)n;
	return 0;
}

static int show_oom_score(struct seq *s, const struct pid_view *v)
{
	struct mm *mm = proc_get_mm(v->p);
	s64 score =
		mm ? (s64)((mm->rss_anon + mm->rss_file) * 1000 / max(mem_total_pages, 1ull)) : 0;

	if (mm)
		mm_put(mm);
	score += v->p->oom_score_adj;
	seq_printf(s, "%lld\n", max_t(s64, score, 0));
	return 0;
}

static int show_wchan(struct seq *s, const struct pid_view *v)
{
	(void)v;
	seq_puts(s, "0");
	return 0;
}

static int show_io(struct seq *s, const struct pid_view *v)
{
	(void)v;
	seq_puts(s, "rchar: 0\nwchar: 0\nsyscr: 0\nsyscw: 0\nread_bytes: 0\nwrite_bytes: 0\n"
		    "cancelled_write_bytes: 0\n");
	return 0;
}

static int show_cgroup(struct seq *s, const struct pid_view *v)
{
	(void)v;
	seq_puts(s, "0::/\n");
	return 0;
}

static int show_personality(struct seq *s, const struct pid_view *v)
{
	seq_printf(s, "%08x\n", v->p->personality);
	return 0;
}

/* --- links --- */

static int exe_path(const struct pid_view *v, const struct pid_node *n, struct path *out)
{
	struct mm *mm = proc_get_mm(v->p);
	int err = -ENOENT;

	(void)n;
	if (!mm)
		return -ENOENT;
	rwsem_read_lock(&mm->lock);
	if (mm->exe)
		err = file_get_path(mm->exe, out);
	rwsem_read_unlock(&mm->lock);
	mm_put(mm);
	return err;
}

static int context_path(const struct pid_view *v, bool root, struct path *out)
{
	struct fs_context *c = fs_context_get_of(&v->t->fs);
	struct path r, cwd;

	if (!c)
		return -ENOENT;
	fs_context_paths(c, &r, &cwd);
	fs_context_put(c);
	*out = root ? r : cwd;
	path_put(root ? &cwd : &r);
	return 0;
}

static int cwd_path(const struct pid_view *v, const struct pid_node *n, struct path *out)
{
	(void)n;
	return context_path(v, false, out);
}
static int root_path(const struct pid_view *v, const struct pid_node *n, struct path *out)
{
	(void)n;
	return context_path(v, true, out);
}

/* --- tables --- */

#define FILE(fname, fmode, fn)                                                                     \
	{                                                                                          \
		.name = fname, .mode = S_IFREG | (fmode), .show = (fn)                             \
	}
#define FILE_RW(fname, fmode, fn, wr)                                                              \
	{                                                                                          \
		.name = fname, .mode = S_IFREG | (fmode), .show = (fn), .write = (wr)              \
	}
#define LINK(fname, fn)                                                                            \
	{                                                                                          \
		.name = fname, .mode = S_IFLNK | 0777, .path = (fn)                                \
	}
#define DIR(fname, fmode, look, iter)                                                              \
	{                                                                                          \
		.name = fname, .mode = S_IFDIR | (fmode), .lookup = (look), .iterate = (iter)      \
	}

#define COMMON                                                                                     \
	DIR("fd", 0500, pid_fd_lookup, pid_fd_iterate),                                            \
		DIR("fdinfo", 0555, pid_fdinfo_lookup, pid_fdinfo_iterate),                        \
		FILE("environ", 0400, show_environ), FILE("auxv", 0400, show_auxv),                \
		FILE("status", 0444, show_status), FILE("personality", 0400, show_personality),    \
		FILE("limits", 0444, show_limits), FILE_RW("comm", 0644, show_comm, write_comm),   \
		FILE("cmdline", 0444, show_cmdline), FILE("stat", 0444, show_stat),                \
		FILE("statm", 0444, show_statm), FILE("maps", 0444, pid_show_maps),                \
		{ .name = "mem", .mode = S_IFREG | 0600, .fops = &pid_mem_fops },                  \
		LINK("cwd", cwd_path), LINK("root", root_path), LINK("exe", exe_path),             \
		FILE("mounts", 0444, pid_show_mounts),                                             \
		FILE("mountinfo", 0444, pid_show_mountinfo), FILE("smaps", 0444, pid_show_smaps),  \
		FILE("wchan", 0444, show_wchan), FILE("cgroup", 0444, show_cgroup),                \
		FILE("oom_score", 0444, show_oom_score),                                           \
		FILE_RW("oom_score_adj", 0644, show_oom_adj, write_oom_adj),                       \
		FILE("io", 0400, show_io)

const struct pid_entry pid_entries[] = {
	DIR("task", 0555, pid_task_lookup, pid_task_iterate),
	COMMON,
	{ .name = NULL },
};
const struct pid_entry task_entries[] = { COMMON, { .name = NULL } };
