/*
 * System calls that tell about and control the system as a whole, and a process's limits and usage.
 * Manual: uname(2), sysinfo(2), times(2), getrusage(2), prlimit(2), getrandom(2), syslog(2), reboot(2).
 */
#include <arch/uaccess.h>
#include <uapi/abi.h>
#include <core/rcu.h>
#include <core/time.h>
#include <debug/klog.h>
#include <fs/vfs.h>
#include <lib/errno.h>
#include <lib/format.h>
#include <lib/string.h>
#include <mm/mm.h>
#include <mm/page.h>
#include <mm/slab.h>
#include <proc/calls.h>
#include <proc/power.h>
#include <syscall/args.h>
#include <syscalls_gen.h>
#include <uapi/capability.h>
#include <uapi/times.h>
#include <uapi/utsname.h>

#define RELEASE "6.1.0-cairn"
#define RANDOM_CHUNK 256
#define NR_OPEN_MAX (1u << 20)

static struct spinlock uts_lock = SPINLOCK_INIT("uts", RANK_PID);
static char nodename[UTS_LEN + 1] = "cairn", domainname[UTS_LEN + 1] = "(none)"; /* [x] uts_lock */

/* --- names --- */

void uts_get(struct utsname *out)
{
	memset(out, 0, sizeof(*out));
	strscpy(out->sysname, "Linux", sizeof(out->sysname));
	strscpy(out->release, RELEASE, sizeof(out->release));
	snprintf(out->version, sizeof(out->version), "#1 SMP PREEMPT Cairn (%s)", VARIANT);
	strscpy(out->machine, UTS_MACHINE, sizeof(out->machine));
	spin_lock(&uts_lock);
	memcpy(out->nodename, nodename, sizeof(nodename));
	memcpy(out->domainname, domainname, sizeof(domainname));
	spin_unlock(&uts_lock);
}

long sys_uname(uptr_t buf)
{
	struct utsname u;

	uts_get(&u);
	return copy_obj_to_user(buf, &u);
}

static long set_name(char *which, uptr_t name, int len)
{
	char fresh[UTS_LEN + 1] = { 0 };

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (len < 0 || len > UTS_LEN)
		return -EINVAL;
	if (copy_from_user(fresh, name, (size_t)len))
		return -EFAULT;
	spin_lock(&uts_lock);
	memcpy(which, fresh, sizeof(fresh));
	spin_unlock(&uts_lock);
	return 0;
}

long sys_sethostname(uptr_t name, int len)
{
	return set_name(nodename, name, len);
}

long sys_setdomainname(uptr_t name, int len)
{
	return set_name(domainname, name, len);
}

/* --- usage and limits --- */

long sys_sysinfo(uptr_t buf)
{
	struct sysinfo si = { .mem_unit = 1 };
	struct mem_stats mem;
	u64 load[3];

	mem_stats(&mem);
	sched_load_avg(load);
	for (unsigned i = 0; i < 3; i++)
		si.loads[i] = load[i] << 5; /* 11 bits of fraction to 16 */
	si.uptime = (s64)(time_monotonic_ns() / NSEC_PER_SEC);
	si.totalram = mem.total_pages * PAGE_SIZE;
	si.freeram = mem.free_pages * PAGE_SIZE;
	si.procs = (u16)min(proc_thread_count(), 0xffffu);
	return copy_obj_to_user(buf, &si);
}

static s64 ticks(u64 ns)
{
	return (s64)(ns / (NSEC_PER_SEC / USER_HZ));
}

long sys_times(uptr_t buf)
{
	if (buf) {
		struct proc_usage self, children;
		struct tms t;

		proc_usage_self(current->proc, &self);
		proc_usage_children(current->proc, &children);
		t = (struct tms){ ticks(self.utime_ns), ticks(self.stime_ns),
				  ticks(children.utime_ns), ticks(children.stime_ns) };
		if (copy_obj_to_user(buf, &t))
			return -EFAULT;
	}
	return ticks(time_monotonic_ns());
}

static void usage_of_thread(struct proc_usage *u)
{
	const struct thread *t = current;

	*u = (struct proc_usage){ .min_flt = t->tp->min_flt,
				  .maj_flt = t->tp->maj_flt,
				  .nvcsw = t->nvcsw,
				  .nivcsw = t->nivcsw };
	thread_times(t, &u->utime_ns, &u->stime_ns);
	if (t->mm)
		u->maxrss = t->mm->hiwater_rss * (PAGE_SIZE / 1024);
}

long sys_getrusage(int who, uptr_t ru)
{
	struct proc_usage u;
	struct rusage r;

	switch (who) {
	case RUSAGE_SELF: proc_usage_self(current->proc, &u); break;
	case RUSAGE_CHILDREN: proc_usage_children(current->proc, &u); break;
	case RUSAGE_THREAD: usage_of_thread(&u); break;
	default: return -EINVAL;
	}
	rusage_fill(&r, &u);
	return copy_obj_to_user(ru, &r);
}

static int check_limit(const struct rlimit64 *l, const struct rlimit64 *old, unsigned which)
{
	if (l->rlim_cur > l->rlim_max)
		return -EINVAL;
	if (which == RLIMIT_NOFILE && l->rlim_max > NR_OPEN_MAX)
		return -EPERM;
	if (l->rlim_max > old->rlim_max && !capable(CAP_SYS_RESOURCE))
		return -EPERM;
	return 0;
}

static int limit_exchange(struct proc *p, unsigned which, const struct rlimit64 *fresh,
			  struct rlimit64 *old)
{
	int error = 0;

	if (which >= RLIM_NLIMITS)
		return -EINVAL;
	*old = p->limits[which];
	if (!fresh)
		return 0;
	error = check_limit(fresh, old, which);
	if (error)
		return error;
	p->limits[which] = *fresh;
	if (which == RLIMIT_CPU)
		itimer_cpu_limit_changed(p);
	return 0;
}

long sys_getrlimit(int resource, uptr_t rlim)
{
	struct rlimit64 old;
	int error = limit_exchange(current->proc, (unsigned)resource, NULL, &old);

	return error ? error : copy_obj_to_user(rlim, &old);
}

long sys_setrlimit(int resource, uptr_t rlim)
{
	struct rlimit64 fresh, old;

	if (copy_obj_from_user(&fresh, rlim))
		return -EFAULT;
	return limit_exchange(current->proc, (unsigned)resource, &fresh, &old);
}

static bool may_limit(struct proc *p)
{
	const struct cred *me = current->cred, *c;
	bool ok;

	if (p == current->proc || capable(CAP_SYS_RESOURCE))
		return true;
	rcu_read_lock();
	c = p->leader ? rcu_dereference(p->leader->cred) : NULL;
	ok = c && me->uid == c->uid && me->uid == c->euid && me->uid == c->suid &&
	     me->gid == c->gid && me->gid == c->egid && me->gid == c->sgid;
	rcu_read_unlock();
	return ok;
}

long sys_prlimit64(int pid, unsigned int resource, uptr_t unew, uptr_t uold)
{
	struct rlimit64 fresh, old;
	struct proc *p;
	int error;

	if (unew && copy_obj_from_user(&fresh, unew))
		return -EFAULT;
	p = proc_get_by_pid(pid ? pid : current->proc->pid);
	if (!p)
		return -ESRCH;
	error = may_limit(p) ? limit_exchange(p, resource, unew ? &fresh : NULL, &old) : -EPERM;
	proc_put(p);
	if (!error && uold && copy_obj_to_user(uold, &old))
		return -EFAULT;
	return error;
}

/* --- random numbers --- */

long sys_getrandom(uptr_t buf, size_t len, unsigned int flags)
{
	u8 chunk[RANDOM_CHUNK];
	size_t done = 0;

	if (flags & ~(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE) ||
	    (flags & (GRND_RANDOM | GRND_INSECURE)) == (GRND_RANDOM | GRND_INSECURE))
		return -EINVAL;
	len = min(len, (size_t)INT32_MAX);
	while (done < len) {
		size_t n = min(len - done, sizeof(chunk));

		random_bytes(chunk, n);
		if (copy_to_user(buf + done, chunk, n))
			return done ? (long)done : -EFAULT;
		done += n;
		if (n == sizeof(chunk) && signal_pending())
			break;
		sched_point();
	}
	return (long)done;
}

/* --- the kernel log --- */

enum {
	SYSLOG_READ_ALL = 3,
	SYSLOG_READ_CLEAR = 4,
	SYSLOG_CLEAR = 5,
	SYSLOG_CONSOLE_OFF = 6,
	SYSLOG_CONSOLE_LEVEL = 8,
	SYSLOG_SIZE_UNREAD = 9,
	SYSLOG_SIZE_BUFFER = 10
};
#define SYSLOG_SIZE (64 * 1024)

static u64 syslog_cleared; /* [a] position that SYSLOG_CLEAR set */

/* The last `len` bytes of the log. */
static long read_log(uptr_t buf, int len, bool clear)
{
	char *text = kmalloc(SYSLOG_SIZE, 0);
	u64 pos = READ_ONCE(syslog_cleared);
	size_t n, kept = 0;
	long result;

	if (!text)
		return -ENOMEM;
	while ((n = klog_read(&pos, text + kept, SYSLOG_SIZE - kept)) != 0) {
		kept += n;
		if (kept > SYSLOG_SIZE / 2) {
			memmove(text, text + kept - SYSLOG_SIZE / 2, SYSLOG_SIZE / 2);
			kept = SYSLOG_SIZE / 2;
		}
	}
	n = min(kept, (size_t)len);
	result = copy_to_user(buf, text + kept - n, n) ? -EFAULT : (long)n;
	if (clear)
		WRITE_ONCE(syslog_cleared, pos);
	kfree(text);
	return result;
}

long sys_syslog(int type, uptr_t buf, int len)
{
	if (type < 0 || type > SYSLOG_SIZE_BUFFER)
		return -EINVAL;
	if (type != SYSLOG_READ_ALL && type != SYSLOG_SIZE_BUFFER && !capable(CAP_SYSLOG))
		return -EPERM;
	switch (type) {
	case SYSLOG_READ_ALL:
	case SYSLOG_READ_CLEAR:
		if (!buf || len < 0)
			return -EINVAL;
		return read_log(buf, len, type == SYSLOG_READ_CLEAR);
	case SYSLOG_CLEAR: {
		char skip[128];
		u64 pos = READ_ONCE(syslog_cleared);

		while (klog_read(&pos, skip, sizeof(skip)))
			;
		WRITE_ONCE(syslog_cleared, pos);
		return 0;
	}
	case SYSLOG_SIZE_BUFFER: return SYSLOG_SIZE / 2;
	case SYSLOG_CONSOLE_LEVEL: return len < 1 || len > 8 ? -EINVAL : 0;
	default: /* reading as it comes is /dev/kmsg's; the console is not switched from here */
		return type == 2 ? -EINVAL : 0;
	}
}

/* --- the machine --- */

static bool known_magic(u32 magic)
{
	return magic == LINUX_REBOOT_MAGIC2 || magic == LINUX_REBOOT_MAGIC2A ||
	       magic == LINUX_REBOOT_MAGIC2B || magic == LINUX_REBOOT_MAGIC2C;
}

long sys_reboot(unsigned int magic1, unsigned int magic2, unsigned int cmd, uptr_t arg)
{
	if (!capable(CAP_SYS_BOOT))
		return -EPERM;
	if (magic1 != LINUX_REBOOT_MAGIC1 || !known_magic(magic2))
		return -EINVAL;
	switch (cmd) {
	case LINUX_REBOOT_CMD_RESTART:
	case LINUX_REBOOT_CMD_RESTART2: log_info("reboot: restarting"); machine_reboot();
	case LINUX_REBOOT_CMD_POWER_OFF: log_info("reboot: power off"); machine_poweroff();
	case LINUX_REBOOT_CMD_HALT: log_info("reboot: halted"); machine_halt();
	case LINUX_REBOOT_CMD_CAD_ON:
	case LINUX_REBOOT_CMD_CAD_OFF: return 0;
	default: return -EINVAL;
	}
}
