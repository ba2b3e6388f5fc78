/*
 * execve(2): a new program for the current process.
 *
 * The new address space is built completely beside the old one: strings copied, image, interpreter, stack
 * and vDSO mapped. All errors until then are returned and nothing has changed. Then the other threads are
 * made to end, the address space is exchanged, and what does not survive exec goes. Only the writing of
 * the new stack can still fail (no memory), and ends the process.
 *
 * A script (`#!`) names its interpreter, which is run in its place, five levels deep at most.
 */
#include "internal.h"
#include <arch/thread.h>
#include <arch/uaccess.h>
#include <core/rcu.h>
#include <proc/crash.h>
#include <debug/event.h>
#include <debug/inject.h>
#include <debug/klog.h>
#include <fs/vfs.h>
#include <lib/format.h>
#include <uapi/statfs.h>

#define SCRIPT_DEPTH 5

/* --- finding and opening --- */

static int open_path(const struct path *p, struct file **out, bool *unreadable)
{
	struct cred *mine = current->cred;
	int error;

	if (!inode_permission(p->dentry->inode, MAY_READ))
		return vfs_open_path(p, O_RDONLY, out);
	/* May be run though not read. */
	current->cred = &init_cred;
	error = vfs_open_path(p, O_RDONLY, out);
	current->cred = mine;
	if (unreadable)
		*unreadable = true;
	return error;
}

static int open_checked(const struct path *p, struct file **out, bool *unreadable)
{
	struct file *f;
	int error;

	if (!S_ISREG(p->dentry->inode->mode))
		return -EACCES;
	error = path_permission(p, MAY_EXEC);
	if (!error)
		error = open_path(p, &f, unreadable);
	if (error)
		return error;
	/* While the image is in use nobody writes to it. */
	error = inode_deny_write(f->inode);
	if (error) {
		file_put(f);
		return error;
	}
	f->mode |= FMODE_DENY_WRITE;
	*out = f;
	return 0;
}

int exec_open(int dirfd, const char *path, int at_flags, struct file **out, bool *unreadable)
{
	unsigned flags = at_flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW;
	struct path p;
	int error;

	if (at_flags & AT_EMPTY_PATH)
		flags |= LOOKUP_EMPTY;
	error = path_lookup_at(dirfd, path, flags, &p);
	if (error)
		return error;
	if ((at_flags & AT_SYMLINK_NOFOLLOW) && S_ISLNK(p.dentry->inode->mode))
		error = -ELOOP;
	else
		error = open_checked(&p, out, unreadable);
	path_put(&p);
	return error;
}

static int read_head(struct exec *e)
{
	ssize_t n = file_read_kernel(e->file, e->head, sizeof(e->head), 0);

	if (n < 0)
		return (int)n;
	e->head_len = (size_t)n;
	return 0;
}

/* --- scripts --- */

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Cuts "#! interp arg" in line into its words; arg may be NULL. -ENOEXEC. */
static int parse_script(char *line, char **interp, char **arg)
{
	char *end = strchr(line, '\n'), *p = line + 2;
	bool cut = !end;

	if (cut)
		end = line + strlen(line);
	while (end > p && blank(end[-1]))
		end--;
	*end = '\0';
	while (blank(*p))
		p++;
	if (!*p)
		return -ENOEXEC;
	*interp = p;
	while (*p && !blank(*p))
		p++;
	if (!*p) {
		*arg = NULL;
		return cut && end == line + EXEC_HEAD ? -ENOEXEC
						      : 0; /* the name itself is cut off */
	}
	*p++ = '\0';
	while (blank(*p))
		p++;
	*arg = *p ? p : NULL;
	return 0;
}

static int follow_script(struct exec *e)
{
	char line[EXEC_HEAD + 1], *interp, *arg;
	struct file *f;
	int error;

	memcpy(line, e->head, e->head_len);
	line[e->head_len] = '\0';
	error = parse_script(line, &interp, &arg);
	if (!error)
		error = exec_args_script(e, interp, arg, e->script ? e->script : e->path);
	if (!error)
		error = exec_open(AT_FDCWD, interp, 0, &f, &e->unreadable);
	if (error)
		return error;
	file_put(e->file);
	e->file = f;
	/* An interpreter that is a script itself becomes an argument in turn. */
	kfree(e->script);
	e->script = kstrdup(interp);
	return e->script ? read_head(e) : -ENOMEM;
}

static int find_image(struct exec *e)
{
	int error = read_head(e);

	for (int depth = 0; !error && e->head_len >= 2 && e->head[0] == '#' && e->head[1] == '!';
	     depth++) {
		if (depth == SCRIPT_DEPTH)
			return -ELOOP;
		error = follow_script(e);
	}
	return error;
}

/* --- credentials --- */

static bool ids_from_file(const struct exec *e, const struct cred *c, u32 *euid, u32 *egid)
{
	const struct inode *inode = e->file->inode;

	*euid = c->euid;
	*egid = c->egid;
	if (current->proc->no_new_privs || !e->file->mount || (e->file->mount->flags & MS_NOSUID))
		return false;
	if (inode->mode & S_ISUID)
		*euid = inode->uid;
	if ((inode->mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
		*egid = inode->gid;
	return *euid != c->euid || *egid != c->egid;
}

static int new_cred(struct exec *e)
{
	const struct cred *c = current->cred;
	u64 permitted = c->cap_ambient, effective = c->cap_ambient;
	u32 euid, egid;
	bool gained = ids_from_file(e, c, &euid, &egid);
	int error;

	if ((c->uid == 0 || euid == 0) && !(c->securebits & SECBIT_NOROOT)) {
		permitted = c->cap_inheritable | c->cap_bounding;
		effective = euid == 0 ? permitted : c->cap_ambient;
	}
	e->secure = gained || euid != c->uid || egid != c->gid;
	if (!gained && permitted == c->cap_permitted && effective == c->cap_effective &&
	    c->suid == euid && c->fsuid == euid && c->sgid == egid && c->fsgid == egid &&
	    !(c->securebits & SECBIT_KEEP_CAPS))
		return 0;
	error = cred_copy(&e->cred);
	if (error)
		return error;
	e->cred->euid = e->cred->suid = e->cred->fsuid = euid;
	e->cred->egid = e->cred->sgid = e->cred->fsgid = egid;
	e->cred->cap_permitted = permitted;
	e->cred->cap_effective = effective;
	e->cred->securebits &= ~SECBIT_KEEP_CAPS;
	if (gained)
		e->cred->cap_ambient = 0;
	return 0;
}

/* --- the other threads --- */

/* This thread takes the number of the leader, which has exited. */
static void become_leader(struct proc *p)
{
	struct thread *t = current, *old = p->leader;
	struct thread_proc *old_tp = old->tp;
	struct cred *old_cred = old->cred;
	struct pid *mine = t->tp->pid;

	thread_get(t);
	spin_lock(&proc_tree_lock);
	rcu_assign(mine->thread, NULL);
	rcu_assign(old_tp->pid->thread, t);
	t->tp->pid = old_tp->pid;
	old_tp->pid = mine;
	t->tid = p->pid;
	p->leader = t;
	old->tp = NULL;
	rcu_assign(old->cred, NULL);
	spin_unlock(&proc_tree_lock);
	thread_proc_free(old_tp);
	cred_put(old_cred);
	thread_put(old);
}

/* Ends all other threads: 0, or -EAGAIN when the process is ending itself. */
static int become_single(struct proc *p)
{
	irqflags_t flags;
	struct sighand *sh;
	int error = 0;

	if (p->nr_threads == 1 && current == p->leader)
		return 0;
	sh = sighand_lock(p, &flags);
	if (p->group_exiting || p->exec_thread) {
		sighand_unlock(sh, flags);
		return -EAGAIN;
	}
	p->exec_thread = current;
	proc_kill_others(p);
	while (p->nr_threads > 1 && !error) {
		sched_prepare_sleep(SLEEP_KILLABLE);
		sighand_unlock(sh, flags);
		error = sched_sleep(TIME_NEVER);
		sh = sighand_lock(p, &flags);
	}
	p->exec_thread = NULL;
	if (p->nr_threads > 1)
		error = -EAGAIN;
	sighand_unlock(sh, flags);
	if (!error && current != p->leader)
		become_leader(p);
	return error;
}

/* --- the point of no return --- */

static void switch_mm(struct exec *e)
{
	struct thread *t = current;
	struct mm *old = t->mm;

	if (old) {
		proc_leave_user_memory();
		t->proc->maxrss = max(t->proc->maxrss, old->hiwater_rss * (PAGE_SIZE / 1024));
	}
	proc_switch_mm(e->mm);
	e->mm = NULL;
	vfork_release(t);
	if (old)
		mm_user_put(old);
}

/* Handlers are gone with the program; ignored signals stay ignored. */
static void reset_signals(struct proc *p, struct sighand *fresh)
{
	struct sighand *old = NULL, *sh;
	irqflags_t flags;

	sh = sighand_lock(p, &flags);
	if (fresh) {
		memcpy(fresh->action, sh->action, sizeof(fresh->action));
		old = sh;
		rcu_assign(p->sighand, fresh);
		sighand_unlock(old, flags);
		sh = sighand_lock(p, &flags);
	}
	for (unsigned i = 0; i < NSIG; i++) {
		struct ksigaction *a = &sh->action[i];

		if (a->handler != SIG_IGN && !INJECT("exec_keeps_handlers"))
			a->handler = SIG_DFL;
		a->flags = a->mask = a->restorer = 0;
	}
	sighand_unlock(sh, flags);
	if (old)
		sighand_put(old);
}

static void reset_thread(struct thread *t)
{
	struct thread_proc *tp = t->tp;

	tp->altstack_sp = 0;
	tp->altstack_size = 0; /* its flags stay, as on Linux */
	tp->robust_list = 0;
	tp->clear_child_tid = tp->set_child_tid = 0;
	tp->restart.fn = NULL;
}

static void set_names(struct exec *e)
{
	const char *base = strrchr(e->path, '/');
	struct proc *p = current->proc;

	strscpy(current->comm, base ? base + 1 : e->path, sizeof(current->comm));
	strscpy(p->exec_path, e->path, sizeof(p->exec_path));
}

/* Said while the strings are at hand and the old memory is there: what execve's record cannot show later. */
static void event_exec(const struct exec *e)
{
	const char *arg = e->args;
	struct event *ev;

	if (!event_on(EVC_PROCESS) && !event_on(EVC_SYSCALL))
		return;
	ev = kmalloc(sizeof(*ev), 0);
	if (!ev)
		return;
	event_begin(ev, "exec");
	event_s64(ev, "pid", current->proc->pid);
	event_s64(ev, "tid", current->tid);
	event_str(ev, "path", e->path);
	event_u64(ev, "argc", e->argc);
	event_u64(ev, "envc", e->envc);
	event_list_begin(ev, "argv");
	for (unsigned i = 0; i < e->argc; i++, arg += strlen(arg) + 1)
		event_item_str(ev, arg);
	event_list_end(ev);
	event_end(ev);
	kfree(ev);
}

static void become(struct exec *e, struct sighand *fresh)
{
	struct thread *t = current;
	struct proc *p = t->proc;

	event_exec(e);
	switch_mm(e);
	t->kernel = false;
	reset_thread(t);
	reset_signals(p, fresh);
	itimers_exec(p);
	files_close_on_exec(t->files);
	set_names(e);
	p->exec_done = true;
	p->personality = 0;
	p->exit_signal = SIGCHLD;
	p->dumpable = !e->secure && !e->unreadable;
	if (e->secure)
		t->tp->pdeath_signal = 0;
	if (e->cred) {
		cred_publish(e->cred);
		e->cred = NULL;
	}
}

/* The old program is gone and the new one cannot begin: the registers are still the old one's. */
__noreturn static void die_in_exec(const struct exec *e, int error)
{
	struct siginfo info = { .si_signo = SIGSEGV, .si_code = SI_KERNEL };
	struct crash_calls calls;
	char note[160];

	scnprintf(note, sizeof(note), "exec of %.100s failed past the point of no return: error %d",
		  e->path, error);
	crash_take_calls(&calls);
	crash_report(&info, note, &calls);
	proc_exit_group(WSTATUS_SIGNAL(SIGSEGV));
}

/* Everything is mapped: from here on errors end the process. */
static int enter(struct exec *e)
{
	struct proc *p = current->proc;
	struct sighand *fresh = NULL;
	uptr_t sp;
	int error = files_unshare();

	if (!error && refcount_read(&p->sighand->refs) > 1)
		error = sighand_create(&fresh);
	if (!error)
		error = become_single(p);
	if (error) {
		if (fresh)
			sighand_put(fresh);
		return error;
	}
	become(e, fresh);
	error = elf_build_stack(e, &sp);
	if (error) {
		die_in_exec(e, error);
	}
	arch_thread_exec(arch_thread_regs(current), e->start_ip, sp);
	return 0;
}

static int exec_file(struct exec *e)
{
	int error = find_image(e);

	if (!error)
		error = mm_create(&e->mm);
	if (!error)
		error = elf_load(e);
	if (!error)
		error = new_cred(e);
	return error ? error : enter(e);
}

static void exec_free(struct exec *e)
{
	exec_args_free(e);
	if (e->file)
		file_put(e->file);
	if (e->mm)
		mm_user_put(e->mm);
	cred_put(e->cred);
	kfree(e->script);
	kfree(e);
}

static int exec_at(int dirfd, const char *path, int at_flags, const char *shown,
		   const struct arg_source *argv, const struct arg_source *envp)
{
	struct exec *e;
	int error;

	e = kzalloc(sizeof(*e));
	if (!e)
		return -ENOMEM;
	e->path = shown;
	error = exec_open(dirfd, path, at_flags, &e->file, &e->unreadable);
	if (!error)
		error = exec_args_copy(e, argv, envp);
	if (!error)
		error = exec_file(e);
	exec_free(e);
	return error;
}

int proc_exec(const char *path, char *const argv[], char *const envp[])
{
	struct arg_source a = { .kernel = argv }, b = { .kernel = envp };

	return exec_at(AT_FDCWD, path, 0, path, &a, &b);
}

int proc_exec_user(int dirfd, uptr_t upath, uptr_t argv, uptr_t envp, int at_flags)
{
	struct arg_source a = { .user = argv }, b = { .user = envp };
	char *path = kmalloc(2 * PATH_MAX, 0), *shown;
	ssize_t n;
	int error;

	if (!path)
		return -ENOMEM;
	shown = path;
	n = copy_string_from_user(path, upath, PATH_MAX);
	if (n >= 0 && dirfd != AT_FDCWD && path[0] != '/') {
		shown = path + PATH_MAX;
		snprintf(shown, PATH_MAX, n ? "/dev/fd/%d/%s" : "/dev/fd/%d", dirfd, path);
	}
	if (n < 0)
		error = (int)n;
	else if (!n && !(at_flags & AT_EMPTY_PATH))
		error = -ENOENT;
	else
		error = exec_at(dirfd, path, at_flags, shown, &a, &b);
	kfree(path);
	return error;
}
