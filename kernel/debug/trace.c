/*
 * The trace rings of the CPUs: writing, turning records into events, showing the last ones in a panic.
 *
 * Locks: none for writing. Draining is for one caller at a time, the drain thread or who stands in for it.
 */
#include <arch/cpu.h>
#include <arch/irq.h>
#include <arch/percpu.h>
#include <arch/time.h>
#include <debug/klog.h>
#include <debug/trace.h>
#include <lib/format.h>

struct trace_ring trace_rings[MAX_CPUS];
static u64 drained[MAX_CPUS]; /* [x] by the drain: next place of each ring */
static struct event line; /* [x] by the drain */

struct trace_layout {
	const char *name;
	enum event_category category;
	struct {
		const char *name;
		char kind; /* u, s, x */
	} field[TRACE_ARGS];
};

#define FIELD(fname, fkind) { .name = fname, .kind = fkind },
#define ROW(tname, fields)                                                                         \
	[TRACE_##tname] = { .name = #tname,                                                        \
			    .category = TRACE_CATEGORY_##tname,                                    \
			    .field = { fields } },
static const struct trace_layout types[TRACE_TYPES] = { TRACE_ROWS(ROW, FIELD) };

void trace_init(void)
{
	for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++)
		trace_ring_init(&trace_rings[cpu]);
}

void trace_put(u16 type, u64 a, u64 b, u64 c, u64 d)
{
	struct trace_record rec = { .type = type, .arg = { a, b, c, d } };
	irqflags_t flags = arch_irq_save();

	rec.ns = arch_clock_ns();
	rec.cpu = (u16)this_cpu();
	trace_current_ids(&rec.pid, &rec.tid);
	trace_ring_put(&trace_rings[rec.cpu], &rec);
	arch_irq_restore(flags);
}

static void put_field(struct event *e, const char *name, char kind, u64 value)
{
	if (kind == 'x')
		event_hex(e, name, value);
	else if (kind == 's')
		event_s64(e, name, (s64)value);
	else
		event_u64(e, name, value);
}

void trace_event(const struct trace_record *rec)
{
	const struct trace_layout *type = &types[rec->type];

	if (rec->type >= TRACE_TYPES || !event_on(type->category))
		return;
	event_begin(&line, type->name);
	event_s64(&line, "pid", rec->pid);
	event_s64(&line, "tid", rec->tid);
	for (unsigned i = 0; i < TRACE_ARGS && type->field[i].name; i++)
		put_field(&line, type->field[i].name, type->field[i].kind, rec->arg[i]);
	event_end_at(&line, rec->ns, rec->cpu);
}

static void say_lost(unsigned cpu, u64 count)
{
	event_begin(&line, "trace_lost");
	event_u64(&line, "of_cpu", cpu);
	event_u64(&line, "count", count);
	event_end(&line);
}

/* In the order of time within a CPU; between CPUs the lines' ns say. */
void trace_drain(void)
{
	struct trace_record rec;

	for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++) {
		u64 end = READ_ONCE(trace_rings[cpu].head), lost = 0;

		if (!READ_ONCE(event_mask))
			drained[cpu] = end; /* nobody wants them: not a loss */
		while (drained[cpu] < end &&
		       trace_ring_next(&trace_rings[cpu], &drained[cpu], &lost, &rec)) {
			if (lost)
				say_lost(cpu, lost);
			lost = 0;
			trace_event(&rec);
		}
		if (lost)
			say_lost(cpu, lost);
	}
}

static void report_one(struct event *e, const struct trace_record *rec)
{
	const struct trace_layout *type = &types[rec->type];
	char text[200];
	int n;

	if (rec->type >= TRACE_TYPES)
		return;
	n = scnprintf(text, sizeof(text), "%llu.%06llu tid %d: %s",
		      (unsigned long long)(rec->ns / 1000000000),
		      (unsigned long long)(rec->ns / 1000 % 1000000), rec->tid, type->name);
	for (unsigned i = 0; i < TRACE_ARGS && type->field[i].name; i++) {
		const char *format = type->field[i].kind == 'x'   ? " %s=0x%llx"
				     : type->field[i].kind == 's' ? " %s=%lld"
								  : " %s=%llu";
		n += scnprintf(text + n, sizeof(text) - (size_t)n, format, type->field[i].name,
			       (unsigned long long)rec->arg[i]);
	}
	klog(LOG_EMERG, "  %s", text);
	event_item_str(e, text);
}

void trace_report(struct event *e, unsigned count)
{
	struct trace_record rec;
	char of[16];

	for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++) {
		u64 end = READ_ONCE(trace_rings[cpu].head);
		u64 at = end > count ? end - count : 0;

		if (at == end)
			continue;
		klog(LOG_EMERG, "last trace records of cpu %u (%llu in all):", cpu,
		     (unsigned long long)end);
		scnprintf(of, sizeof(of), "cpu %u", cpu);
		event_begin(e, "panic_trace");
		event_str(e, "of", of);
		event_list_begin(e, "records");
		for (; at < end; at++)
			if (trace_ring_get(&trace_rings[cpu], at, &rec) > 0)
				report_one(e, &rec);
		event_list_end(e);
		event_end(e);
	}
}
