/* Entries of /proc that are not about one process but need kernel/proc. Manual: proc(5). */
#include <lib/parse.h>
#include <proc/proc.h>
#include <sched/thread.h>
#include <uapi/utsname.h>
#include "procfs_pid.h"

static int show_hostname(struct seq *s)
{
	struct utsname u;

	uts_get(&u);
	seq_printf(s, "%s\n", u.nodename);
	return 0;
}

static int show_domainname(struct seq *s)
{
	struct utsname u;

	uts_get(&u);
	seq_printf(s, "%s\n", u.domainname);
	return 0;
}

static int show_pid_max(struct seq *s)
{
	seq_printf(s, "%d\n", pid_max);
	return 0;
}

static int show_threads_max(struct seq *s)
{
	seq_printf(s, "%u\n", proc_max_threads);
	return 0;
}

/* A random UUID of version 4 as text. */
static void put_uuid(struct seq *s, const u8 *b)
{
	for (unsigned i = 0; i < 16; i++)
		seq_printf(s, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", b[i]);
	seq_putc(s, '\n');
}

static void make_uuid(u8 *b)
{
	random_bytes(b, 16);
	b[6] = (b[6] & 0x0f) | 0x40;
	b[8] = (b[8] & 0x3f) | 0x80;
}

static int show_uuid(struct seq *s)
{
	u8 b[16];

	make_uuid(b);
	put_uuid(s, b);
	return 0;
}

static int show_boot_id(struct seq *s)
{
	static struct spinlock lock = SPINLOCK_INIT("boot id", RANK_FILES);
	static u8 id[16];
	static bool made; /* [x] lock */
	u8 fresh[16];

	make_uuid(fresh);
	spin_lock(&lock);
	if (!made)
		memcpy(id, fresh, sizeof(id));
	made = true;
	spin_unlock(&lock);
	put_uuid(s, id);
	return 0;
}

static int show_entropy(struct seq *s)
{
	seq_puts(s, "256\n");
	return 0;
}

static bool count_running(struct thread *t, void *arg)
{
	if (t->tid && READ_ONCE(t->state) == TS_RUNNING)
		++*(unsigned *)arg;
	return true;
}

static int show_loadavg(struct seq *s)
{
	unsigned running = 0;
	u64 avg[3];

	sched_load_avg(avg);
	thread_for_each(count_running, &running);
	for (int i = 0; i < 3; i++)
		seq_printf(s, "%llu.%02llu ", avg[i] >> 11, (avg[i] & 2047) * 100 >> 11);
	seq_printf(s, "%u/%u %d\n", running, proc_thread_count(), current->tid);
	return 0;
}

void procfs_register_sys(void)
{
	procfs_add_seq("loadavg", 0444, show_loadavg);
	procfs_add_seq("sys/kernel/hostname", 0444, show_hostname);
	procfs_add_seq("sys/kernel/domainname", 0444, show_domainname);
	procfs_add_seq("sys/kernel/pid_max", 0444, show_pid_max);
	procfs_add_seq("sys/kernel/threads-max", 0444, show_threads_max);
	procfs_add_seq("sys/kernel/random/uuid", 0444, show_uuid);
	procfs_add_seq("sys/kernel/random/boot_id", 0444, show_boot_id);
	procfs_add_seq("sys/kernel/random/entropy_avail", 0444, show_entropy);
}
