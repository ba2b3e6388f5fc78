/*
 * Per-CPU areas.
 *
 * The boot CPU works on the template itself (offset 0) for ever. The other CPUs get copies of the
 * template as it was at link time, which percpu_save_template() keeps before anything has changed it.
 *
 * Locks: none; boot CPU only, before the others run. [I] afterwards.
 */
#include <core/irq.h>
#include <core/preempt.h>
#include <core/spinlock.h>
#include <debug/panic.h>
#include <lib/string.h>

#define TEMPLATE_MAX (32 * 1024ul)

DEFINE_PER_CPU(unsigned, cpu_number) = 0;
DEFINE_PER_CPU(struct regs *, irq_regs) = NULL;
DEFINE_PER_CPU(u32, preempt_count) = PREEMPT_NO_RESCHED | 1;

uintptr_t percpu_offset[MAX_CPUS];
unsigned long cpu_online_mask = 1;
unsigned nr_cpus_online = 1;

static char template[TEMPLATE_MAX] __aligned(64);
static bool template_saved;

static size_t area_size(void)
{
	return (size_t)(__percpu_end - __percpu_start);
}

void percpu_save_template(void)
{
	if (area_size() > TEMPLATE_MAX)
		panic("per-CPU data of %zu bytes: raise TEMPLATE_MAX", area_size());
	memcpy(template, __percpu_start, area_size());
	template_saved = true;
}

void percpu_init(unsigned cpus)
{
	/* Whole pages, so that the copies are aligned as the template is and share no cache line. */
	size_t size = (area_size() + 3 * 4096) & ~4095ul;

	if (!template_saved)
		panic("percpu_init() without percpu_save_template()");
	for (unsigned cpu = 1; cpu < cpus && cpu < MAX_CPUS; cpu++) {
		char *area = kzalloc(size);

		if (!area)
			panic("no memory for the per-CPU data of cpu %u", cpu);
		memcpy(area, template, area_size());
		percpu_offset[cpu] = (uintptr_t)area - (uintptr_t)__percpu_start;
		*per_cpu_ptr(cpu, cpu_number) = cpu;
		*per_cpu_ptr(cpu, spin_token) = (u8)(cpu + 1);
	}
}

void cpu_set_online(unsigned cpu)
{
	unsigned long bit = 1ul << cpu;

	if (!(__atomic_fetch_or(&cpu_online_mask, bit, __ATOMIC_SEQ_CST) & bit))
		__atomic_fetch_add(&nr_cpus_online, 1, __ATOMIC_SEQ_CST);
}
