/*
 * Entries of /proc that say something about the machine and the kernel. Manual: proc(5).
 */
#include <arch/cpu.h>
#include <arch/irq.h>
#include <core/irq.h>
#include <core/param.h>
#include <core/time.h>
#include <fs/pipe.h>
#include <fs/procfs.h>
#include <lib/parse.h>
#include <mm/page.h>
#include <mm/slab.h>
#include <sched/thread.h>
#include <uapi/statfs.h>
#include "../internal.h"
#include "../mount.h"
#include "static.h"

static int show_meminfo(struct seq *s)
{
	struct mem_stats m;

	mem_stats(&m);
	seq_printf(
		s,
		"MemTotal:       %8llu kB\nMemFree:        %8llu kB\nMemAvailable:   %8llu kB\n"
		"Buffers:               0 kB\nCached:         %8llu kB\nSwapCached:            0 kB\n"
		"AnonPages:      %8llu kB\nShmem:          %8llu kB\nSlab:           %8llu kB\n"
		"KernelStack:    %8llu kB\nPageTables:     %8llu kB\n"
		"SwapTotal:             0 kB\nSwapFree:              0 kB\nHugePages_Total:       0\n"
		"HugePages_Free:        0\nHugepagesize:       2048 kB\n",
		m.total_pages * 4, m.free_pages * 4, m.free_pages * 4, m.cached_pages * 4,
		m.anon_pages * 4, m.cached_pages * 4, m.slab_pages * 4, m.kernel_stack_pages * 4,
		m.table_pages * 4);
	return 0;
}

static int show_cpuinfo(struct seq *s)
{
	char *buf = kmalloc(PAGE_SIZE, 0);

	if (!buf)
		return -ENOMEM;
	for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++) {
		int n;

		if (!(cpu_online_mask & BIT(cpu)))
			continue;
		n = arch_cpuinfo(cpu, buf, PAGE_SIZE);
		if (n > 0)
			seq_write(s, buf, (size_t)n);
		seq_putc(s, '\n');
	}
	kfree(buf);
	return 0;
}

static int show_uptime(struct seq *s)
{
	u64 now = time_monotonic_ns(), idle = 0;

	for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++) {
		if (cpu_online_mask & BIT(cpu) && sched_idle_thread(cpu))
			idle += sched_runtime_ns(sched_idle_thread(cpu));
	}
	seq_printf(s, "%llu.%02llu %llu.%02llu\n", now / NSEC_PER_SEC,
		   now % NSEC_PER_SEC / 10000000, idle / NSEC_PER_SEC,
		   idle % NSEC_PER_SEC / 10000000);
	return 0;
}

#define TICKS(ns) ((ns) / (NSEC_PER_SEC / 100))

struct cpu_times {
	u64 user, system, switches;
	unsigned running;
};

static bool add_times(struct thread *t, void *arg)
{
	struct cpu_times *ct = arg;

	ct->user += t->utime_ns;
	ct->system += t->stime_ns;
	ct->switches += t->nvcsw + t->nivcsw;
	if (READ_ONCE(t->state) == TS_RUNNING && t->tid)
		ct->running++;
	return true;
}

static int show_stat(struct seq *s)
{
	struct cpu_times ct = {};
	u64 irqs = 0, idle = 0;

	thread_for_each(add_times, &ct);
	for (unsigned i = 0; i < NR_IRQS; i++)
		irqs += irq_count(i);
	for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++) {
		if (cpu_online_mask & BIT(cpu) && sched_idle_thread(cpu))
			idle += sched_runtime_ns(sched_idle_thread(cpu));
	}
	seq_printf(s, "cpu  %llu 0 %llu %llu 0 0 0 0 0 0\n", TICKS(ct.user), TICKS(ct.system),
		   TICKS(idle));
	for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++) {
		if (cpu_online_mask & BIT(cpu))
			seq_printf(s, "cpu%u %llu 0 %llu %llu 0 0 0 0 0 0\n", cpu,
				   TICKS(ct.user) / nr_cpus_online,
				   TICKS(ct.system) / nr_cpus_online, TICKS(idle) / nr_cpus_online);
	}
	seq_printf(s, "intr %llu\nctxt %llu\nbtime %llu\n", irqs, ct.switches,
		   (u64)time_realtime_offset() / NSEC_PER_SEC);
	seq_printf(s, "procs_running %u\nprocs_blocked 0\n", ct.running);
	return 0;
}

static int show_version(struct seq *s)
{
	seq_puts(s, "Linux version 6.1.0-cairn (cairn@cairn) (" __VERSION__ ") #1 SMP PREEMPT\n");
	return 0;
}

static int show_cmdline(struct seq *s)
{
	seq_printf(s, "%s\n", kparam_public_cmdline());
	return 0;
}

static int show_filesystems(struct seq *s)
{
	for (struct fs_type *t = fs_type_next(NULL); t; t = fs_type_next(t))
		seq_printf(s, "%s\t%s\n", t->needs_device ? "" : "nodev", t->name);
	return 0;
}

static int show_interrupts(struct seq *s)
{
	for (unsigned i = 0; i < NR_IRQS; i++) {
		if (irq_name(i))
			seq_printf(s, "%3u: %10llu   %s\n", i, irq_count(i), irq_name(i));
	}
	return 0;
}

static int show_slabinfo(struct seq *s)
{
	struct kcache_info info;

	seq_puts(s, "slabinfo - version: 2.1\n# name <active_objs> <num_objs> <objsize> <slabs>\n");
	for (unsigned i = 0; kcache_info(i, &info); i++)
		seq_printf(s, "%-20s %6llu %6llu %6zu %6llu\n", info.name, info.active, info.total,
			   info.object_size, info.slabs);
	return 0;
}

static int show_devices(struct seq *s)
{
	seq_puts(
		s,
		"Character devices:\n  1 mem\n  5 /dev/tty\n136 pts\n\nBlock devices:\n254 virtblk\n");
	return 0;
}

/* --- sys/ --- */

static int show_u64(struct seq *s, u64 v)
{
	seq_printf(s, "%llu\n", v);
	return 0;
}

static int set_u64(const char *text, u64 lo, u64 hi, u64 *out)
{
	u64 v;

	if (parse_u64(text, 10, &v) || v < lo || v > hi)
		return -EINVAL;
	*out = v;
	return 0;
}

static int show_osrelease(struct seq *s)
{
	seq_puts(s, "6.1.0-cairn\n");
	return 0;
}
static int show_ostype(struct seq *s)
{
	seq_puts(s, "Linux\n");
	return 0;
}
static int show_ngroups(struct seq *s)
{
	return show_u64(s, 65536);
}
static int show_cap_last(struct seq *s)
{
	return show_u64(s, CAP_LAST_CAP);
}
static int show_zero(struct seq *s)
{
	return show_u64(s, 0);
}
static int show_map_count(struct seq *s)
{
	return show_u64(s, 65530);
}
static int show_nr_open(struct seq *s)
{
	return show_u64(s, FD_NR_MAX);
}
static int show_file_max(struct seq *s)
{
	return show_u64(s, files_max);
}
static int set_file_max(const char *text)
{
	return set_u64(text, 64, ~0ull >> 1, &files_max);
}
static int show_file_nr(struct seq *s)
{
	seq_printf(s, "%llu\t0\t%llu\n", files_open_count(), files_max);
	return 0;
}
static int show_pipe_max(struct seq *s)
{
	return show_u64(s, pipe_max_size);
}
static int set_pipe_max(const char *text)
{
	u64 v;
	int err = set_u64(text, PAGE_SIZE, 1u << 30, &v);

	if (!err)
		pipe_max_size = (unsigned)pow2_up(v);
	return err;
}

static ssize_t link_mounts(char *buf, size_t size)
{
	static const char text[] = "self/mounts";
	size_t n = min(sizeof(text) - 1, size);

	memcpy(buf, text, n);
	return (ssize_t)n;
}

void procfs_register_static(void)
{
	procfs_add_seq("meminfo", 0444, show_meminfo);
	procfs_add_seq("cpuinfo", 0444, show_cpuinfo);
	procfs_add_seq("uptime", 0444, show_uptime);
	procfs_add_seq("stat", 0444, show_stat);
	procfs_add_seq("version", 0444, show_version);
	procfs_add_seq("cmdline", 0444, show_cmdline);
	procfs_add_seq("filesystems", 0444, show_filesystems);
	procfs_add_seq("interrupts", 0444, show_interrupts);
	procfs_add_seq("slabinfo", 0400, show_slabinfo);
	procfs_add_seq("devices", 0444, show_devices);
	procfs_add_link("mounts", link_mounts);
	procfs_add_seq("sys/kernel/osrelease", 0444, show_osrelease);
	procfs_add_seq("sys/kernel/ostype", 0444, show_ostype);
	procfs_add_seq("sys/kernel/ngroups_max", 0444, show_ngroups);
	procfs_add_seq("sys/kernel/cap_last_cap", 0444, show_cap_last);
	procfs_add_seq("sys/kernel/randomize_va_space", 0444, show_zero);
	procfs_add_seq("sys/vm/overcommit_memory", 0444, show_zero);
	procfs_add_seq("sys/vm/max_map_count", 0444, show_map_count);
	procfs_add_seq("sys/fs/nr_open", 0444, show_nr_open);
	procfs_add_seq("sys/fs/file-nr", 0444, show_file_nr);
	procfs_add_value("sys/fs/file-max", 0644, show_file_max, set_file_max);
	procfs_add_value("sys/fs/pipe-max-size", 0644, show_pipe_max, set_pipe_max);
}
