/*
 * The watchdog: CPUs that take no interrupts, or do not let others run.
 *
 * Each CPU has a timer that beats once a second. A beat looks whether the next CPU has beaten since the last
 * time, and whether this CPU has switched threads since somebody asked for it. What has not changed for LIMIT
 * beats is the end: the panic's report has the registers of the CPU that hangs. Beats are counted, not seconds,
 * so that a machine that was stopped wakes up in peace. `watchdog=off` turns it off, `watchdog=N` sets LIMIT.
 *
 * A CPU that hangs alone with interrupts off is not found: nobody is left to look.
 */
#include "sched.h"
#include <arch/regs.h>
#include <debug/panic.h>
#include <debug/param.h>
#include <lib/parse.h>
#include <lib/string.h>

#define BEAT_NS NSEC_PER_SEC

struct heart {
	struct ktimer timer;
	u64 beats; /* [a] */
	/* [o] */
	u64 neighbour_beats, switches;
	unsigned silent, stuck; /* beats without a change */
} __aligned(64);

static struct heart hearts[MAX_CPUS];
static unsigned limit = 10; /* [I] after boot; 0: off */

static unsigned next_online(unsigned cpu)
{
	unsigned long online = READ_ONCE(cpu_online_mask);

	do
		cpu = (cpu + 1) % MAX_CPUS;
	while (!(online & BIT(cpu)));
	return cpu;
}

/* Does the next CPU still take interrupts? */
static void check_neighbour(struct heart *h, unsigned me)
{
	unsigned other = next_online(me);
	u64 beats = READ_ONCE(hearts[other].beats);

	if (other == me || !beats || beats != h->neighbour_beats) {
		h->neighbour_beats = beats;
		h->silent = 0;
	} else if (++h->silent >= limit) {
		panic("lockup: cpu %u has taken no timer interrupt for %u s", other, limit);
	}
}

/* Does this CPU still let others run? */
static void check_switches(struct heart *h, const struct regs *regs)
{
	const struct rq *rq = this_rq();

	if (!regs || regs_user_mode(regs) || rq->switches != h->switches ||
	    !thread_test_flag(rq->curr, TF_NEED_RESCHED)) {
		h->switches = rq->switches;
		h->stuck = 0;
	} else if (++h->stuck >= limit) {
		panic_regs(regs, "lockup: cpu %u was to switch threads and has not for %u s",
			   rq->cpu, limit);
	}
}

static void beat(struct ktimer *t)
{
	unsigned me = this_cpu();
	struct heart *h = &hearts[me];

	WRITE_ONCE(h->beats, h->beats + 1);
	if (!panic_in_progress()) {
		check_neighbour(h, me);
		check_switches(h, this_cpu_read(irq_regs));
	}
	ktimer_arm(t, arch_clock_ns() + BEAT_NS);
}

void watchdog_start_cpu(void)
{
	struct heart *h = &hearts[this_cpu()];

	if (!limit)
		return;
	h->beats = 1; /* 0: not yet one of those looked at */
	ktimer_init(&h->timer, beat);
	ktimer_arm(&h->timer, arch_clock_ns() + BEAT_NS);
}

static int set_watchdog(const char *value)
{
	u64 n;

	if (!strcmp(value, "off")) {
		limit = 0;
		return 0;
	}
	if (parse_u64(value, 0, &n) || n < 2 || n > 3600)
		return -1;
	limit = (unsigned)n;
	return 0;
}
KPARAM(watchdog, set_watchdog);
