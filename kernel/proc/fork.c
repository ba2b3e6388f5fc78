/*
 * New threads and processes: clone(2) in all its forms, and those that the kernel starts itself.
 *
 * Everything that can fail is done before the child is attached to the tables; what was made until then
 * is undone in reverse order. The child is started last; with CLONE_VFORK the parent then sleeps until
 * the child has left the address space. Manual: clone(2), fork(2), vfork(2).
 */
#include "internal.h"
#include <arch/thread.h>
#include <arch/uaccess.h>
#include <core/rcu.h>
#include <debug/event.h>
#include <fs/vfs.h>

/* Flags that are accepted and mean nothing here. */
#define CLONE_IGNORED (CLONE_PTRACE | CLONE_SYSVSEM | CLONE_DETACHED | CLONE_UNTRACED | CLONE_IO)
#define CLONE_KNOWN                                                                                \
	(CLONE_IGNORED | CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_VFORK |         \
	 CLONE_PARENT | CLONE_THREAD | CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID | \
	 CLONE_CHILD_SETTID | CLONE_CLEAR_SIGHAND)

static int check_flags(const struct clone_request *r)
{
	u64 f = r->flags;

	if ((f & CLONE_NEWNS) && (f & CLONE_FS))
		return -EINVAL;
	if ((f & CLONE_NEWUSER) && (f & CLONE_FS))
		return -EINVAL;
	if ((f & CLONE_THREAD) && !(f & CLONE_SIGHAND))
		return -EINVAL;
	if ((f & CLONE_SIGHAND) && !(f & CLONE_VM))
		return -EINVAL;
	if ((f & CLONE_SIGHAND) && (f & CLONE_CLEAR_SIGHAND))
		return -EINVAL;
	if ((f & CLONE_THREAD) && (f & (CLONE_NEWUSER | CLONE_NEWPID)))
		return -EINVAL;
	if ((f & CLONE_PARENT) && current->proc->unkillable)
		return -EINVAL;
	if (f & CLONE_NAMESPACES)
		return capable(CAP_SYS_ADMIN) ? -EINVAL : -EPERM; /* none are built in */
	if (f & ~(CLONE_KNOWN | CSIGNAL))
		return -EINVAL;
	return 0;
}

static bool over_nproc(void)
{
	const struct cred *c = current->cred;

	return (u64)atomic_read(&c->user->threads) >= proc_limit(RLIMIT_NPROC) && c->user->uid &&
	       !capable(CAP_SYS_RESOURCE) && !capable(CAP_SYS_ADMIN);
}

/* --- the parts of a thread, each with its undoing --- */

static int copy_mm(struct thread *t, u64 flags)
{
	struct mm *mm = current->mm;
	int error;

	if (!mm)
		return 0;
	if (flags & CLONE_VM) {
		mm_user_get(mm);
	} else {
		error = mm_fork(mm, &mm);
		if (error)
			return error;
	}
	t->mm = t->active_mm = mm;
	return 0;
}

static void undo_mm(struct thread *t)
{
	struct mm *mm = t->mm;

	t->mm = t->active_mm = NULL;
	if (mm)
		mm_user_put(mm);
}

static int copy_files(struct thread *t, u64 flags)
{
	if (flags & CLONE_FILES) {
		files_get(current->files);
		t->files = current->files;
		return 0;
	}
	return files_fork(current->files, &t->files);
}

static int copy_fs(struct thread *t, u64 flags)
{
	if (flags & CLONE_FS) {
		fs_context_get(current->fs);
		t->fs = current->fs;
		return 0;
	}
	return fs_context_fork(current->fs, &t->fs);
}

/* CLONE_CLEAR_SIGHAND: handlers go, what is ignored stays ignored. */
static void clear_handlers(struct sighand *sh)
{
	for (unsigned i = 0; i < NSIG; i++)
		if (sh->action[i].handler != SIG_IGN)
			sh->action[i] = (struct ksigaction){ 0 };
}

static int copy_sighand(struct proc *p, u64 flags)
{
	struct sighand *old = current->proc->sighand;
	int error;

	if (flags & CLONE_SIGHAND) {
		refcount_inc(&old->refs);
		p->sighand = old;
		return 0;
	}
	error = sighand_copy(old, &p->sighand);
	if (!error && (flags & CLONE_CLEAR_SIGHAND))
		clear_handlers(p->sighand);
	return error;
}

static void inherit(struct proc *p, const struct proc *from)
{
	memcpy(p->limits, from->limits, sizeof(p->limits));
	memcpy(p->exec_path, from->exec_path, sizeof(p->exec_path));
	p->oom_score_adj = from->oom_score_adj;
	p->personality = from->personality;
	p->dumpable = from->dumpable;
	p->no_new_privs = from->no_new_privs;
}

static int copy_proc(struct thread *t, const struct clone_request *r)
{
	struct proc *p;
	int error;

	if (r->flags & CLONE_THREAD) {
		t->proc = current->proc;
		return 0;
	}
	error = proc_alloc(&p);
	if (error)
		return error;
	error = copy_sighand(p, r->flags);
	if (error) {
		proc_put(p);
		return error;
	}
	inherit(p, current->proc);
	p->exit_signal = r->exit_signal;
	t->proc = p;
	return 0;
}

static void undo_proc(struct thread *t, u64 flags)
{
	struct proc *p = t->proc;

	t->proc = NULL;
	if (!(flags & CLONE_THREAD))
		proc_put(p);
}

static void copy_thread_state(struct thread *t, const struct clone_request *r)
{
	const struct thread_proc *from = current->tp;
	struct thread_proc *tp = t->tp;

	tp->sigmask = from->sigmask;
	/* A child with the same stacks would clobber the parent's alternate one. */
	if (!(r->flags & CLONE_VM) || (r->flags & CLONE_VFORK)) {
		tp->altstack_sp = from->altstack_sp;
		tp->altstack_size = from->altstack_size;
		tp->altstack_flags = from->altstack_flags;
	}
	if (r->flags & CLONE_CHILD_CLEARTID)
		tp->clear_child_tid = r->child_tid;
	if (r->flags & CLONE_CHILD_SETTID) {
		tp->set_child_tid = r->child_tid;
		tp->child_settid = true;
		thread_set_flag(t, TF_NOTIFY);
	}
}

/* Everything of the new thread but its place in the tables. */
static int copy_all(struct thread *t, const struct clone_request *r)
{
	int error = thread_proc_alloc(t);

	if (error)
		return error;
	error = copy_files(t, r->flags);
	if (error)
		goto out_tp;
	error = copy_fs(t, r->flags);
	if (error)
		goto out_files;
	error = copy_proc(t, r);
	if (error)
		goto out_fs;
	error = copy_mm(t, r->flags);
	if (error)
		goto out_proc;
	error = pid_alloc(0, &t->tp->pid);
	if (error)
		goto out_mm;
	t->tid = t->tp->pid->nr;
	t->cred = cred_get(current->cred);
	copy_thread_state(t, r);
	return 0;
out_mm:
	undo_mm(t);
out_proc:
	undo_proc(t, r->flags);
out_fs:
	fs_context_put(t->fs);
	t->fs = NULL;
out_files:
	files_put(t->files);
	t->files = NULL;
out_tp:
	thread_proc_free(t->tp);
	t->tp = NULL;
	return error;
}

static void undo_all(struct thread *t, const struct clone_request *r)
{
	struct thread_proc *tp = t->tp;

	cred_put(t->cred);
	t->cred = NULL;
	undo_mm(t);
	undo_proc(t, r->flags);
	fs_context_put(t->fs);
	t->fs = NULL;
	files_put(t->files);
	t->files = NULL;
	t->tp = NULL;
	thread_proc_free(tp);
}

/* --- into the tables --- */

/* A signal that arrived during the fork must not be missed by the child's group; -ERESTARTNOINTR then:
 * the fork is done again after it was handled. */
static int attach(struct thread *t, const struct clone_request *r)
{
	bool new_proc = !(r->flags & CLONE_THREAD);
	struct proc *me = current->proc, *parent = me;
	irqflags_t flags;
	struct sighand *sh;
	int error = 0;

	spin_lock(&proc_tree_lock);
	if (r->flags & CLONE_PARENT) {
		parent = me->parent;
		t->proc->exit_signal = new_proc ? me->exit_signal : t->proc->exit_signal;
	}
	sh = sighand_lock(me, &flags);
	if (signal_pending()) {
		signal_recalc(current);
		if (signal_pending())
			error = -ERESTARTNOINTR;
	}
	if (!error) {
		proc_attach(t, parent, new_proc);
		atomic_inc(&t->cred->user->threads);
	}
	sighand_unlock(sh, flags);
	spin_unlock(&proc_tree_lock);
	return error;
}

static void event_fork(const struct thread *t, u64 flags)
{
	struct event *e;

	if (!event_on(EVC_PROCESS))
		return;
	e = kmalloc(sizeof(*e), 0);
	if (!e)
		return;
	event_begin(e, "fork");
	event_s64(e, "pid", t->proc->pid);
	event_s64(e, "tid", t->tid);
	event_s64(e, "parent", current->tid);
	event_hex(e, "flags", flags);
	event_end(e);
	kfree(e);
}

/* --- vfork --- */

static void vfork_wait(struct thread *child, struct completion *done)
{
	if (completion_wait_killable(done)) {
		/* Dying: the child must not touch this stack any more. */
		spin_lock(&proc_tree_lock);
		if (child->tp)
			child->tp->vfork_done = NULL;
		spin_unlock(&proc_tree_lock);
		return;
	}
	spin_lock(&proc_tree_lock); /* until the waker is through */
	spin_unlock(&proc_tree_lock);
}

static int create(struct thread **out, const struct clone_request *r)
{
	struct thread *t;
	int error;

	if (over_nproc())
		return -EAGAIN;
	if (!thread_count_take())
		return -EAGAIN;
	error = thread_create(&t, current->comm);
	if (error)
		goto out_count;
	error = copy_all(t, r);
	if (error)
		goto out_thread;
	error = arch_thread_fork(t, t->stack, arch_thread_regs(current), r->stack, r->tls,
				 r->flags & CLONE_SETTLS);
	if (error)
		goto out_all;
	if ((r->flags & CLONE_PARENT_SETTID) && put_user_u32(r->parent_tid, (u32)t->tid)) {
		/* As the ABI has it: not an error. */
	}
	error = attach(t, r);
	if (error)
		goto out_arch;
	*out = t;
	return 0;
out_arch:
	arch_thread_fini(t);
out_all:
	undo_all(t, r);
out_thread:
	thread_put(t);
out_count:
	thread_count_drop();
	return error;
}

long proc_clone(const struct clone_request *r)
{
	struct completion vfork_done;
	struct thread *t;
	int error = check_flags(r);
	long tid;

	if (error)
		return error;
	error = create(&t, r);
	if (error)
		return error;
	tid = t->tid;
	if (r->flags & CLONE_VFORK) {
		completion_init(&vfork_done);
		t->tp->vfork_done = &vfork_done;
		thread_get(t);
	}
	if (!(r->flags & CLONE_THREAD) &&
	    unlikely(t->proc->limits[RLIMIT_CPU].rlim_cur != RLIM64_INFINITY))
		itimer_cpu_limit_changed(t->proc);
	event_fork(t, r->flags);
	thread_start(t);
	if (r->flags & CLONE_VFORK) {
		vfork_wait(t, &vfork_done);
		thread_put(t);
	}
	return tid;
}

/* --- processes of the kernel's making --- */

static int spawn_parts(struct thread *t, s32 nr, struct files *files)
{
	struct proc *p;
	int error = thread_proc_alloc(t);

	if (error)
		return error;
	error = proc_alloc(&p);
	if (error)
		goto out_tp;
	error = sighand_create(&p->sighand);
	if (error)
		goto out_proc;
	error = fs_context_fork(&init_fs_context, &t->fs);
	if (error)
		goto out_proc;
	error = pid_alloc(nr, &t->tp->pid);
	if (error)
		goto out_fs;
	inherit(p, &kernel_proc);
	p->dumpable = true;
	t->proc = p;
	t->tid = t->tp->pid->nr;
	t->cred = cred_get(&init_cred);
	t->files = files;
	return 0;
out_fs:
	fs_context_put(t->fs);
	t->fs = NULL;
out_proc:
	proc_put(p);
out_tp:
	thread_proc_free(t->tp);
	t->tp = NULL;
	return error;
}

int proc_spawn(struct proc *parent, s32 nr, const char *name, void (*fn)(void *), void *arg,
	       struct files *files, struct proc **out)
{
	struct thread *t;
	int error;

	if (!thread_count_take())
		return -EAGAIN;
	error = thread_create(&t, name);
	if (error)
		goto out_count;
	error = spawn_parts(t, nr, files);
	if (error)
		goto out_thread;
	arch_thread_init(t, t->stack, fn, arg);
	if (out) {
		t->proc->kernel_waits = parent == &kernel_proc;
		proc_get(t->proc);
		*out = t->proc;
	}
	spin_lock(&proc_tree_lock);
	if (nr == 1) {
		proc_init_proc = t->proc;
		t->proc->unkillable = true;
	}
	proc_attach(t, parent, true);
	atomic_inc(&t->cred->user->threads);
	spin_unlock(&proc_tree_lock);
	thread_start(t);
	return 0;
out_thread:
	thread_put(t);
out_count:
	thread_count_drop();
	return error;
}
