/*
 * Panic: the report on the log and the event channel, then the end.
 *
 * The first CPU that panics reports; another one that panics meanwhile just stops; a panic inside the
 * report prints one line and stops. All locks of the debug layer are broken open first.
 */
#include <arch/cpu.h>
#include <arch/debug.h>
#include <arch/irq.h>
#include <arch/percpu.h>
#include <arch/regs.h>
#include <debug/event.h>
#include <debug/klog.h>
#include <debug/panic.h>
#include <debug/symbols.h>
#include <debug/trace.h>
#include <lib/format.h>
#include <lib/string.h>

#define MAX_FRAMES 32
#define TRACES_SHOWN 24 /* of each CPU */

void (*panic_describe_current)(char *buf, size_t size);
static void (*sections[PANIC_SECTIONS])(struct event *); /* [I] after boot */
static int panic_cpu = -1; /* [a] */
static struct event report; /* only the panicking CPU */

static void report_frames(const char *of, uintptr_t pc, uintptr_t fp, const struct regs *regs)
{
	uintptr_t pcs[MAX_FRAMES];
	unsigned n = 0;
	char sym[96], line[128];
	const char *name;
	u64 value;

	if (pc)
		pcs[n++] = pc;
	n += arch_backtrace(fp, pcs + n, MAX_FRAMES - n);

	event_begin(&report, "backtrace");
	event_str(&report, "of", of);
	event_list_begin(&report, "frames");
	klog(LOG_EMERG, "backtrace of %s:", of);
	for (unsigned i = 0; i < n; i++) {
		scnprintf(line, sizeof(line), "0x%lx %s", (unsigned long)pcs[i],
			  symbol_format(pcs[i], sym, sizeof(sym)));
		klog(LOG_EMERG, "  %s", line);
		event_item_str(&report, line);
	}
	event_list_end(&report);
	if (regs) {
		event_object_begin(&report, "regs");
		for (unsigned i = 0; arch_regs_get(regs, i, &name, &value); i++)
			event_hex(&report, name, value);
		event_object_end(&report);
	} else if (pc) {
		/* It called panic(): what its other registers hold is this code's. */
		event_object_begin(&report, "regs");
		event_hex(&report, "ip", pc);
		event_hex(&report, "fp", fp);
		event_object_end(&report);
	}
	event_end(&report);
}

static void report_cpu_regs(const struct regs *regs)
{
	char text[768];

	if (!regs)
		return;
	arch_regs_format(regs, text, sizeof(text));
	klog(LOG_EMERG, "registers: %s", text);
}

static void report_others(void)
{
	for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++) {
		const struct regs *regs = cpu == this_cpu() ? NULL : arch_cpu_stopped_regs(cpu);
		char of[16];

		if (!regs)
			continue;
		scnprintf(of, sizeof(of), "cpu %u", cpu);
		report_cpu_regs(regs);
		if (regs_user_mode(regs))
			klog(LOG_EMERG, "%s was in user mode", of);
		report_frames(of, regs_ip(regs), regs_user_mode(regs) ? 0 : regs_fp(regs), regs);
	}
}

/* Claims the machine. Never returns on a CPU that comes second. */
static void panic_claim(const char *text)
{
	int none = -1, me = (int)this_cpu();

	arch_irq_disable();
	if (__atomic_compare_exchange_n(&panic_cpu, &none, me, false, __ATOMIC_SEQ_CST,
					__ATOMIC_SEQ_CST))
		return;
	if (none == me)
		klog(LOG_EMERG, "panic while reporting a panic: %s", text);
	arch_cpu_halt();
}

__noreturn static void panic_report(const struct regs *regs, uintptr_t pc, uintptr_t fp,
				    const char *text)
{
	char sym[96], who[96] = "", of[16];

	panic_claim(text);
	event_seize_lock(); /* no CPU is stopped with half a line written */
	klog_break_lock();
	arch_cpu_stop_others();
	event_break_lock();

	symbol_format(pc, sym, sizeof(sym));
	if (panic_describe_current)
		panic_describe_current(who, sizeof(who));
	klog(LOG_EMERG, "panic: %s", text);
	klog(LOG_EMERG, "at %s, cpu %u%s%s", sym, this_cpu(), *who ? ", " : "", who);
	event_begin(&report, "panic");
	event_str(&report, "reason", text);
	event_str(&report, "where", sym);
	event_str(&report, "text", who);
	event_end(&report);

	report_cpu_regs(regs);
	scnprintf(of, sizeof(of), "cpu %u", this_cpu());
	report_frames(of, pc, fp, regs);
	console_panic();
	report_others();
	for (unsigned i = 0; i < PANIC_SECTIONS && sections[i]; i++)
		sections[i](&report);
	trace_report(&report, TRACES_SHOWN);
	klog(LOG_EMERG, "the machine has stopped");
	event_simple("panic_end", NULL, NULL);
	arch_cpu_halt();
}

void panic_section_register(void (*section)(struct event *))
{
	unsigned i = 0;

	while (i < PANIC_SECTIONS && sections[i] && sections[i] != section)
		i++;
	BUG_ON(i == PANIC_SECTIONS);
	sections[i] = section;
}

void panic(const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vscnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	panic_report(NULL, (uintptr_t)__builtin_return_address(0), *(uintptr_t *)arch_current_fp(),
		     text);
}

void panic_regs(const struct regs *regs, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vscnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	panic_report(regs, regs_ip(regs), regs_user_mode(regs) ? 0 : regs_fp(regs), text);
}

bool panic_in_progress(void)
{
	return READ_ONCE(panic_cpu) >= 0;
}

void warn_report(const char *file, int line, const char *what)
{
	uintptr_t pcs[8];
	unsigned n = arch_backtrace(arch_current_fp(), pcs, ARRAY_SIZE(pcs));
	char sym[96];

	klog(LOG_ERR, "warning: %s:%d: %s", file, line, what);
	for (unsigned i = 0; i < n; i++)
		klog(LOG_ERR, "  %s", symbol_format(pcs[i], sym, sizeof(sym)));
}

/* lib/ reports a broken invariant here. */
void lib_bug(const char *what);
void lib_bug(const char *what)
{
	panic("%s", what);
}
