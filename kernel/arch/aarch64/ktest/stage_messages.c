/* A boot stage of the interrupt controller: messages reach the CPU they are routed to, and no handler when they should
 * not. They are raised by the controller's own means, so that no device is needed. */
#include <arch/cpu.h>
#include <arch/time.h>
#include <asm/gic.h>
#include <core/irq.h>
#include <debug/stage.h>
#include <lib/errno.h>

#define WAIT_NS 200000000
#define QUIET_US 2000

struct taken {
	unsigned calls; /* [a] */
	unsigned cpu; /* [a] of the last */
};

static bool message_handler(unsigned irq, void *arg)
{
	struct taken *t = arg;

	(void)irq;
	WRITE_ONCE(t->cpu, this_cpu());
	__atomic_fetch_add(&t->calls, 1, __ATOMIC_RELEASE);
	return true;
}

/* How often it was called when that is `calls`, or time is up. */
static unsigned wait_calls(struct taken *t, unsigned calls)
{
	u64 end = arch_clock_ns() + WAIT_NS;

	while (__atomic_load_n(&t->calls, __ATOMIC_ACQUIRE) < calls && arch_clock_ns() < end)
		cpu_relax();
	arch_delay_us(QUIET_US); /* nor more often */
	return __atomic_load_n(&t->calls, __ATOMIC_ACQUIRE);
}

static int each_cpu_takes(struct stage *s, unsigned irq, struct taken *t)
{
	for (unsigned cpu = 0; cpu < arch_cpu_count(); cpu++) {
		unsigned before = t->calls;

		if (!(READ_ONCE(cpu_online_mask) >> cpu & 1))
			continue;
		STAGE_CHECK_EQ(s, gic_route(irq, cpu), 0);
		gic_raise(irq);
		STAGE_CHECK_EQ(s, wait_calls(t, before + 1), before + 1);
		STAGE_CHECK_EQ(s, t->cpu, cpu);
	}
	STAGE_CHECK_EQ(s, gic_route(irq, MAX_CPUS), -EINVAL);
	STAGE_CHECK_EQ(s, gic_route(NR_IRQS, 0), -EINVAL);
	STAGE_CHECK_EQ(s, gic_route(0, 0), -EINVAL); /* a CPU's own */
	STAGE_CHECK_EQ(s, gic_route(irq, 0), 0);
	return 0;
}

/* What comes while it is masked waits, and goes where it is moved to. */
static int mask_holds_back(struct stage *s, unsigned irq, struct taken *t)
{
	unsigned before = t->calls, last = nr_cpus_online - 1;

	arch_irq_mask(irq);
	gic_raise(irq);
	STAGE_CHECK_EQ(s, wait_calls(t, before), before);
	STAGE_CHECK_EQ(s, gic_route(irq, last), 0);
	arch_irq_unmask(irq);
	STAGE_CHECK_EQ(s, wait_calls(t, before + 1), before + 1);
	STAGE_CHECK_EQ(s, t->cpu, last);
	return 0;
}

/* What is pending of a number that is given back does not come to its next owner. */
static int freed_is_gone(struct stage *s, struct arch_msi *msi, struct taken *t)
{
	unsigned before = t->calls, irq = msi->irq;

	STAGE_CHECK_EQ(s, gic_route(irq, 0), 0);
	arch_irq_mask(irq);
	gic_raise(irq);
	irq_free(irq, t);
	arch_msi_free(irq);
	STAGE_CHECK_EQ(s, arch_msi_alloc(MSI_NO_DEVICE, msi), 0);
	STAGE_CHECK_EQ(s, msi->irq, irq);
	STAGE_CHECK_EQ(s, irq_request(irq, message_handler, t, "test"), 0);
	STAGE_CHECK_EQ(s, wait_calls(t, before), before);
	gic_raise(irq);
	STAGE_CHECK_EQ(s, wait_calls(t, before + 1), before + 1);
	STAGE_CHECK_EQ(s, t->cpu, 0);
	return 0;
}

/* Numbers of messages that nobody was given, here or on a machine without any. */
static int unused_numbers(struct stage *s)
{
	static struct taken t;

	STAGE_CHECK_EQ(s, irq_request(NR_IRQS - 1, message_handler, &t, "test"), 0);
	gic_raise(NR_IRQS - 1);
	STAGE_CHECK_EQ(s, wait_calls(&t, 0), 0);
	irq_free(NR_IRQS - 1, &t);
	return 0;
}

int stage_arm64_messages(struct stage *s)
{
	static struct taken t;
	struct arch_msi msi;
	int error = arch_msi_alloc(MSI_NO_DEVICE, &msi);

	if (error == -ENOSPC)
		return stage_skip(s, "the interrupt controller takes no messages");
	STAGE_CHECK_EQ(s, error, 0);
	t = (struct taken){};
	STAGE_CHECK_EQ(s, irq_request(msi.irq, message_handler, &t, "test"), 0);
	error = each_cpu_takes(s, msi.irq, &t);
	if (!error)
		error = mask_holds_back(s, msi.irq, &t);
	if (!error)
		error = freed_is_gone(s, &msi, &t);
	if (!error)
		error = unused_numbers(s);
	irq_free(msi.irq, &t);
	arch_msi_free(msi.irq);
	return error;
}
