/*
 * The clock: time-stamp counter, scaled to nanoseconds.
 *
 * Counter and local APIC timer are measured together against a clock of known rate: what CPUID says,
 * otherwise the HPET, the ACPI timer or the PIT, whichever there is. Each end of the window is sampled
 * several times and the sample with the tightest bracket kept, so that a short window is enough. The
 * counters of all CPUs are taken to be in step. Manual: Intel SDM 3B, 17.17; HPET 1.0a; 8254.
 */
#include <arch/mmu.h>
#include <arch/time.h>
#include <asm/apic.h>
#include <asm/cpu.h>
#include <debug/klog.h>
#include <mm/vmalloc.h>
#include "../../common/clock.h"
#include "acpi.h"
#include "tsc.h"

static u64 hz; /* [I] */

struct reference {
	const char *name;
	u64 (*read)(void); /* counts up */
	u64 mask, rate_hz;
	u32 window_us;
};

#define PIT_HZ 1193182
#define PM_TIMER_HZ 3579545

static volatile char *hpet_regs;

static u64 hpet_read(void)
{
	return *(volatile u32 *)(hpet_regs + 0xf0);
}

static u64 pm_timer_read(void)
{
	return inl((u16)acpi_info.fadt.pm_timer);
}

/* Channel 0 counts down from 65536 with the rate generator; latched, then read. */
static u64 pit_read(void)
{
	u8 lo;

	outb(0x43, 0);
	lo = inb(0x40);
	return 0xffff - (lo | (u64)inb(0x40) << 8);
}

static bool hpet_start(struct reference *ref)
{
	u32 period_fs;

	hpet_regs = acpi_info.hpet ? mmio_map(acpi_info.hpet, 1024) : NULL;
	if (!hpet_regs)
		return false;
	period_fs = *(volatile u32 *)(hpet_regs + 4);
	if (!period_fs || period_fs > 100000000)
		return false;
	*(volatile u32 *)(hpet_regs + 0x10) |= 1; /* count */
	*ref = (struct reference){ "hpet", hpet_read, 0xffffffff, 1000000000000000ull / period_fs,
				   1000 };
	return true;
}

static void reference_choose(struct reference *ref)
{
	if (hpet_start(ref))
		return;
	if (acpi_info.has_fadt && acpi_info.fadt.pm_timer) {
		*ref = (struct reference){ "acpi-pm", pm_timer_read, 0xffffff, PM_TIMER_HZ, 2000 };
		return;
	}
	outb(0x43, 0x34); /* channel 0, both bytes, rate generator */
	outb(0x40, 0);
	outb(0x40, 0);
	*ref = (struct reference){ "pit", pit_read, 0xffff, PIT_HZ, 4000 };
}

struct sample {
	u64 ref, tsc, apic;
};

/* Reads all three at (nearly) one instant. */
static struct sample take_sample(const struct reference *ref)
{
	struct sample best = { 0, 0, 0 };
	u64 best_width = ~0ull;

	for (unsigned i = 0; i < 5; i++) {
		u64 before = tsc_read();
		u64 count = ref->read();
		u64 apic = apic_read(APIC_TIMER_CUR);
		u64 after = tsc_read();

		if (after - before >= best_width)
			continue;
		best_width = after - before;
		best = (struct sample){ count, before + (after - before) / 2, apic };
	}
	return best;
}

static void measure(const struct reference *ref, u64 *tsc_rate, u64 *apic_rate)
{
	u64 want = ref->rate_hz * ref->window_us / 1000000, passed;
	struct sample a, b;

	apic_write(APIC_LVT_TIMER, 0x10000 | VECTOR_TIMER); /* masked, one-shot */
	apic_write(APIC_TIMER_INIT, 0xffffffff);
	a = take_sample(ref);
	while (((ref->read() - a.ref) & ref->mask) < want)
		cpu_relax();
	b = take_sample(ref);
	passed = (b.ref - a.ref) & ref->mask;
	*tsc_rate = (b.tsc - a.tsc) * ref->rate_hz / passed;
	*apic_rate = (a.apic - b.apic) * ref->rate_hz / passed;
	apic_write(APIC_TIMER_INIT, 0);
}

void tsc_start(void)
{
	arch_clock_params.base = tsc_read();
}

void tsc_init(void)
{
	u64 apic_rate = (u64)cpu_features.apic_khz_hint * 1000;
	const char *source = "cpuid";

	hz = (u64)cpu_features.tsc_khz_hint * 1000;
	if (!hz || (!apic_rate && !cpu_has(CPUF_TSC_DEADLINE))) {
		struct reference ref;

		reference_choose(&ref);
		measure(&ref, &hz, &apic_rate);
		source = ref.name;
	}
	clock_set_rate(hz);
	apic_timer_calibrated(apic_rate);
	apic_init_cpu(); /* the timer's mode again */
	log_info("clock: tsc %llu kHz, local timer %llu kHz (%s)", hz / 1000, apic_rate / 1000,
		 source);
}

u64 tsc_hz(void)
{
	return hz;
}
