/*
 * Boot stages that are programs: runs `/stages/stagetest ID` as a process of the kernel's.
 *
 * The program's output goes to the log line by line, for people, and its last line is kept as the
 * stage's detail. Its parent is a process that never leaves the kernel and stands where a shell would:
 * leader of the session, reaper of orphans, with the program in a group of its own. It takes the wait
 * status; past the deadline everything is killed. Afterwards nothing of it may be left: all processes are killed and waited for, so
 * that no stage can disturb the next. (No other processes exist before PID 1 is started.)
 */
#include "internal.h"
#include <arch/thread.h>
#include <core/time.h>
#include <debug/klog.h>
#include <debug/stage.h>
#include <lib/format.h>
#include <uapi/fcntl.h>

#define PROGRAM "/stages/stagetest"
#define EXIT_SKIP 4
#define LINE_MAX 200
#define SWEEP_NS (5 * NSEC_PER_SEC)

/* What one stage's program wrote. */
struct capture {
	struct spinlock lock;
	char line[LINE_MAX],
		last[LINE_MAX]; /* [x] lock: the one being written, the last complete one */
	size_t len;
	struct refcount refs; /* open files, and the runner */
};

static void capture_put(struct capture *c)
{
	if (refcount_dec_and_test(&c->refs))
		kfree(c);
}

static void end_line(struct capture *c)
{
	char text[LINE_MAX];
	bool any = c->len > 0;

	if (any) {
		memcpy(c->last, c->line, c->len);
		c->last[c->len] = '\0';
		memcpy(text, c->last, c->len + 1);
	}
	c->len = 0;
	if (any)
		log_info("stagetest: %s", text);
}

static void add_char(struct capture *c, char ch)
{
	if (ch == '\n')
		end_line(c);
	else if (c->len < LINE_MAX - 1)
		c->line[c->len++] = ch >= ' ' && ch < 127 ? ch : '?';
}

static ssize_t capture_write(struct file *f, struct uio *from, loff_t *pos)
{
	struct capture *c = f->private;
	size_t done = 0;
	char buf[128];

	while (from->resid) {
		size_t n = uio_copy_from(from, buf, min(from->resid, sizeof(buf)));

		if (!n)
			return done ? (ssize_t)done : -EFAULT;
		spin_lock(&c->lock);
		for (size_t i = 0; i < n; i++)
			add_char(c, buf[i]);
		spin_unlock(&c->lock);
		done += n;
	}
	return (ssize_t)done;
}

static void capture_release(struct file *f)
{
	capture_put(f->private);
}

static ssize_t nothing_read(struct file *f, struct uio *to, loff_t *pos)
{
	return 0;
}

static const struct file_ops nothing_ops = { .read = nothing_read };
static const struct file_ops capture_ops = { .write = capture_write, .release = capture_release };

/* --- the process --- */

/* A program's run: what the parent is to do, and what came of it. */
struct run {
	const char *const *argv;
	struct capture *capture;
	u64 deadline_ns;
	u32 status; /* wait status, if error is 0 */
	int error; /* -ETIMEDOUT, -EXXX */
};

static int open_output(struct capture *c)
{
	struct file *f;
	int error = file_create_anon(&capture_ops, c, O_WRONLY, "anon_inode:[stage]", &f);

	if (error)
		return error;
	refcount_inc(&c->refs);
	error = fd_alloc_install(f, false);
	if (error < 0)
		file_put(f);
	return error < 0 ? error : 0;
}

static int open_input(void)
{
	struct file *f;
	int error = file_open("/dev/null", O_RDONLY, 0, &f);

	if (error) /* no /dev yet: end of file all the same */
		error = file_create_anon(&nothing_ops, NULL, O_RDONLY, "anon_inode:[none]", &f);
	if (error)
		return error;
	error = fd_alloc_install(f, false);
	return error < 0 ? error : 0;
}

static void run_program(void *arg)
{
	const struct run *r = arg;
	char *const envp[] = { (char *)"PATH=/bin:/sbin:/usr/bin:/usr/sbin", (char *)"HOME=/",
			       NULL };
	int error = proc_set_pgrp_of(0, 0);

	if (!error)
		error = open_input();
	if (!error)
		error = open_output(r->capture);
	if (!error)
		error = open_output(r->capture);
	if (!error)
		error = proc_exec(r->argv[0], (char *const *)r->argv, envp);
	if (!error)
		arch_enter_user();
	log_err("stage: %s: cannot be executed (%d)", r->argv[0], error);
	proc_exit_group(WSTATUS_EXIT(127));
}

static int start_process(struct proc *parent, const char *name, void (*fn)(void *), void *arg,
			 struct proc **out)
{
	struct files *files;
	int error = files_create(&files);

	if (error)
		return error;
	error = proc_spawn(parent, 0, name, fn, arg, files, out);
	if (error)
		files_put(files);
	return error;
}

static void run_parent(void *arg)
{
	struct run *r = arg;
	struct wait_result w;
	struct proc *p;
	long pid;

	current->proc->unkillable = true; /* kill(-1) of a test is not for it */
	current->proc->is_subreaper = true;
	r->error = start_process(current->proc, "stage", run_program, r, &p);
	if (!r->error) {
		pid = proc_wait_kernel(current->proc, p->pid, r->deadline_ns, &w);
		r->status = w.status;
		r->error = pid < 0 ? (int)pid : 0;
		if (pid < 0)
			signal_send_kernel(p, SIGKILL);
		proc_put(p);
	}
	proc_exit_group(WSTATUS_EXIT(0));
}

/* --- afterwards --- */

static unsigned kill_everything(void)
{
	struct proc *p;
	unsigned n = 0;

	for (s32 pid = 1; (p = proc_next(&pid)); pid++) {
		if (p != proc_init_proc) {
			signal_send_kernel(p, SIGKILL);
			n++;
		}
		proc_put(p);
	}
	return n;
}

static void log_left(void)
{
	struct proc *p;

	for (s32 pid = 1; (p = proc_next(&pid)); pid++) {
		struct thread *t = p->leader;

		if (t)
			log_warn(
				"stage: left behind: %d (%s), state %d, %u threads, leader %c flags 0x%x",
				p->pid, t->comm, (int)p->state, p->nr_threads, proc_state_char(t),
				t->flags);
		proc_put(p);
	}
}

/* No process is left when this returns true. */
static bool sweep(void)
{
	u64 until = time_monotonic_ns() + SWEEP_NS;

	while (kill_everything()) {
		if (time_monotonic_ns() > until) {
			log_left();
			return false;
		}
		sched_sleep_until(time_monotonic_ns() + NSEC_PER_MSEC, false);
	}
	return true;
}

static int judge(struct stage *s, const struct run *r, const char *last)
{
	u32 sig = r->status & 0x7f;

	if (r->error == -ETIMEDOUT)
		return stage_fail(s, "no end within %u ms%s%s", s->deadline_ms,
				  *last ? "; last line: " : "", last);
	if (r->error)
		return stage_fail(s, "no process for the program: error %d", r->error);
	if (!r->status)
		return 0;
	if (sig)
		return stage_fail(s, "ended by %s%s%s", signal_name((int)sig), *last ? ": " : "",
				  last);
	if (r->status == WSTATUS_EXIT(EXIT_SKIP))
		return stage_skip(s, "%s", *last ? last : "skipped by the program");
	return stage_fail(s, "exit %u%s%s", r->status >> 8, *last ? ": " : "", last);
}

/* Runs r's program to its end or deadline, and everything else it started to its end. -EBUSY: some of it
 * is still there. */
static int run_to_end(struct run *r, char *last)
{
	struct capture *c = kzalloc(sizeof(*c));
	struct wait_result w;
	struct proc *p;
	int error;

	if (!c)
		return -ENOMEM;
	spin_init(&c->lock, "stage", RANK_PID);
	refcount_init(&c->refs, 1);
	r->capture = c;
	error = start_process(&kernel_proc, "stage_parent", run_parent, r, &p);
	if (!error) {
		proc_wait_kernel(&kernel_proc, p->pid, TIME_NEVER, &w);
		proc_put(p);
		if (!sweep())
			error = -EBUSY;
	}
	spin_lock(&c->lock);
	end_line(c);
	memcpy(last, c->last, LINE_MAX);
	spin_unlock(&c->lock);
	capture_put(c);
	return error;
}

static int run_user_stage(struct stage *s)
{
	const char *argv[] = { PROGRAM, s->id, NULL };
	/* The runner's own watch must not fire first. */
	struct run r = { .argv = argv,
			 .deadline_ns =
				 time_monotonic_ns() + s->deadline_ms * NSEC_PER_MSEC * 9 / 10 };
	char last[LINE_MAX];
	int error = run_to_end(&r, last), result;

	if (error && error != -EBUSY)
		return stage_fail(s, "no process to run the program: error %d", error);
	result = judge(s, &r, last);
	if (error && !result)
		result = stage_fail(s, "processes that were left behind did not end");
	return result;
}

void stage_run_init(void)
{
	stage_run_user = run_user_stage;
}

int stage_run_program(const char *const *argv, u64 timeout_ns, u32 *status)
{
	struct run r = { .argv = argv, .deadline_ns = time_monotonic_ns() + timeout_ns };
	char last[LINE_MAX];
	int error = run_to_end(&r, last);

	*status = r.status;
	return error ? error : r.error;
}
