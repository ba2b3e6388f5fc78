/*
 * Boot stages that are programs: runs `/stages/stagetest ID` as a process of the kernel's.
 *
 * The program's output goes to the log line by line, for people, and its last line is kept as the
 * stage's detail. Its result is its wait status, taken by the kernel; past the deadline everything it
 * started is killed. Afterwards nothing of it may be left: all processes are killed and waited for, so
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
	char line[LINE_MAX], last[LINE_MAX]; /* [x] lock: the one being written, the last complete one */
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

struct start {
	const char *const *argv;
	struct capture *capture;
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
	struct start s = *(struct start *)arg;
	char *const envp[] = { (char *)"PATH=/bin:/sbin:/usr/bin:/usr/sbin", (char *)"HOME=/", NULL };
	int error = open_input();

	if (!error)
		error = open_output(s.capture);
	if (!error)
		error = open_output(s.capture);
	if (!error)
		error = proc_exec(s.argv[0], (char *const *)s.argv, envp);
	if (!error)
		arch_enter_user();
	log_err("stage: %s: cannot be executed (%d)", s.argv[0], error);
	proc_exit_group(WSTATUS_EXIT(127));
}

static int start_program(struct start *s, struct proc **out)
{
	struct files *files;
	int error = files_create(&files);

	if (error)
		return error;
	error = proc_spawn(0, "stage", run_program, s, files, out);
	if (error)
		files_put(files);
	return error;
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

/* No process is left when this returns true. */
static bool sweep(void)
{
	u64 until = time_monotonic_ns() + SWEEP_NS;

	while (kill_everything()) {
		if (time_monotonic_ns() > until)
			return false;
		sched_sleep_until(time_monotonic_ns() + NSEC_PER_MSEC, false);
	}
	return true;
}

static int judge(struct stage *s, const struct wait_result *r, struct capture *c)
{
	char last[LINE_MAX];
	u32 sig = r->status & 0x7f;

	spin_lock(&c->lock);
	end_line(c);
	memcpy(last, c->last, sizeof(last));
	spin_unlock(&c->lock);
	if (!r->status)
		return 0;
	if (sig)
		return stage_fail(s, "ended by %s%s%s", signal_name((int)sig), *last ? ": " : "", last);
	if (r->status == WSTATUS_EXIT(EXIT_SKIP))
		return stage_skip(s, "%s", *last ? last : "skipped by the program");
	return stage_fail(s, "exit %u%s%s", r->status >> 8, *last ? ": " : "", last);
}

static int wait_and_judge(struct stage *s, s32 pid, u64 deadline_ns, struct capture *c)
{
	struct wait_result r;
	long error = proc_wait_kernel(pid, deadline_ns, &r);

	if (error == -ETIMEDOUT) {
		kill_everything();
		proc_wait_kernel(pid, TIME_NEVER, &r);
		spin_lock(&c->lock);
		end_line(c);
		spin_unlock(&c->lock);
		return stage_fail(s, "no end within %u ms%s%s", s->deadline_ms,
				  *c->last ? "; last line: " : "", c->last);
	}
	if (error < 0)
		return stage_fail(s, "waiting for the program: error %ld", error);
	return judge(s, &r, c);
}

static int run_user_stage(struct stage *s)
{
	const char *argv[] = { PROGRAM, s->id, NULL };
	/* The runner's own watch must not fire first. */
	u64 deadline_ns = time_monotonic_ns() + s->deadline_ms * NSEC_PER_MSEC * 9 / 10;
	struct capture *c = kzalloc(sizeof(*c));
	struct start start = { argv, c };
	struct proc *p;
	int result;

	if (!c)
		return stage_fail(s, "no memory");
	spin_init(&c->lock, "stage", RANK_PID);
	refcount_init(&c->refs, 1);
	result = start_program(&start, &p);
	if (result) {
		capture_put(c);
		return stage_fail(s, "no process for the program: error %d", result);
	}
	result = wait_and_judge(s, p->pid, deadline_ns, c);
	proc_put(p);
	if (!sweep() && !result)
		result = stage_fail(s, "processes that were left behind did not end");
	capture_put(c);
	return result;
}

void stage_run_init(void)
{
	stage_run_user = run_user_stage;
}

/* --- for stages that start programs of their own --- */

int stage_run_program(const char *const *argv, u64 timeout_ns, u32 *status)
{
	struct capture *c = kzalloc(sizeof(*c));
	struct start start = { argv, c };
	struct wait_result r;
	struct proc *p;
	long error;

	if (!c)
		return -ENOMEM;
	spin_init(&c->lock, "stage", RANK_PID);
	refcount_init(&c->refs, 1);
	error = start_program(&start, &p);
	if (error)
		goto out;
	error = proc_wait_kernel(p->pid, time_monotonic_ns() + timeout_ns, &r);
	if (error == -ETIMEDOUT) {
		struct wait_result dead;

		kill_everything();
		proc_wait_kernel(p->pid, TIME_NEVER, &dead);
	}
	proc_put(p);
	sweep();
	if (error > 0) {
		*status = r.status;
		error = 0;
	}
out:
	capture_put(c);
	return (int)error;
}
