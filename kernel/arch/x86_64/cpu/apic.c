/*
 * Local interrupt controllers and their timers.
 *
 * Registers are reached through memory (xAPIC), or as MSRs (x2APIC) where the CPU has that mode. The timer
 * is one-shot: by deadline of the time-stamp counter where that exists, else by a countdown calibrated
 * together with the counter (tsc.c). Only this CPU's registers are touched, with interrupts off; no locks.
 * Manual: Intel SDM 3A, chapter 10.
 */
#include <arch/cpu.h>
#include <arch/mmu.h>
#include <arch/time.h>
#include <asm/apic.h>
#include <core/irq.h>
#include <debug/later.h>
#include <debug/panic.h>
#include <mm/vmalloc.h>
#include "../../common/clock.h"

volatile char *apic_base;
u32 cpu_apic_id[MAX_CPUS];
static bool use_deadline;
static u64 apic_per_ns; /* [I] fixed point */
static u64 error_count; /* [a] */

#define RATE_SHIFT 28
#define APIC_BASE_ENABLE 0x800
#define APIC_BASE_X2 0x400
#define SPURIOUS_ENABLE 0x100
#define LVT_MASKED 0x10000
#define LVT_NMI 0x400
#define LVT_TSC_DEADLINE 0x40000
#define TIMER_DIVIDE_1 0xb
#define ICR_INIT 0x4500 /* assert */
#define ICR_STARTUP 0x4600
#define ICR_FIXED 0x4000
#define ICR_NMI 0x4400
#define ICR_PENDING 0x1000

static void apic_setup_registers(void)
{
	if (apic_base) {
		apic_write(APIC_DFR, 0xffffffff);
		apic_write(APIC_LDR, 0);
	}
	apic_write(APIC_TPR, 0);
	apic_write(APIC_LVT_LINT0, LVT_MASKED);
	apic_write(APIC_LVT_LINT1, LVT_NMI);
	apic_write(APIC_LVT_ERROR, VECTOR_APIC_ERROR);
	apic_write(APIC_TIMER_DIV, TIMER_DIVIDE_1);
	apic_write(APIC_LVT_TIMER, VECTOR_TIMER | (use_deadline ? LVT_TSC_DEADLINE : 0));
	apic_write(APIC_SPURIOUS, SPURIOUS_ENABLE | VECTOR_SPURIOUS);
	asm volatile("mfence" : : : "memory"); /* the mode, before the first deadline */
}

static void apic_enable(void)
{
	u64 base = rdmsr(MSR_APIC_BASE);

	wrmsr(MSR_APIC_BASE, base | APIC_BASE_ENABLE);
	if (!apic_base)
		wrmsr(MSR_APIC_BASE, base | APIC_BASE_ENABLE | APIC_BASE_X2);
}

void apic_init_boot(paddr_t base)
{
	use_deadline = cpu_has(CPUF_TSC_DEADLINE);
	if (!cpu_has(CPUF_X2APIC)) {
		apic_base = mmio_map(base, PAGE_SIZE);
		if (!apic_base)
			panic("apic: no memory to map the registers");
	}
	apic_init_cpu();
}

void apic_init_cpu(void)
{
	apic_enable();
	apic_setup_registers();
	cpu_apic_id[this_cpu()] = apic_id();
}

u32 apic_id(void)
{
	return apic_base ? apic_read(APIC_ID) >> 24 : apic_read(APIC_ID);
}

void apic_timer_calibrated(u64 hz)
{
	apic_per_ns = (hz << RATE_SHIFT) / 1000000000;
}

static u64 apic_ticks(u64 ns)
{
	return (u64)(((unsigned __int128)ns * apic_per_ns) >> RATE_SHIFT);
}

void arch_timer_arm(u64 deadline_ns)
{
	u64 now, ticks;

	if (use_deadline) {
		wrmsr(MSR_TSC_DEADLINE, deadline_ns == ~0ull ? 0 : clock_count_at(deadline_ns));
		return;
	}
	if (deadline_ns == ~0ull) {
		apic_write(APIC_TIMER_INIT, 0);
		return;
	}
	now = arch_clock_ns();
	ticks = deadline_ns > now ? apic_ticks(deadline_ns - now) : 0;
	apic_write(APIC_TIMER_INIT, (u32)clamp(ticks + 1, 1ull, 0xffffffffull));
}

static void apic_send(u32 dest, u32 command)
{
	irqflags_t flags;

	if (!apic_base) {
		asm volatile("mfence; lfence" : : : "memory");
		wrmsr(MSR_X2APIC + (APIC_ICR >> 4), (u64)dest << 32 | command);
		return;
	}
	flags = arch_irq_save();
	apic_write(APIC_ICR_HIGH, dest << 24);
	apic_write(APIC_ICR, command);
	for (unsigned i = 0; i < 100000 && apic_read(APIC_ICR) & ICR_PENDING; i++)
		cpu_relax();
	arch_irq_restore(flags);
}

void apic_send_init(u32 dest)
{
	apic_send(dest, ICR_INIT);
}

void apic_send_startup(u32 dest, u8 page)
{
	apic_send(dest, ICR_STARTUP | page);
}

void arch_ipi_send(unsigned cpu, enum ipi_kind kind)
{
	static const u32 commands[IPI_KINDS] = {
		[IPI_RESCHEDULE] = ICR_FIXED | VECTOR_RESCHEDULE,
		[IPI_CALL] = ICR_FIXED | VECTOR_CALL,
		[IPI_STOP] = ICR_NMI,
	};

	apic_send(cpu_apic_id[cpu], commands[kind]);
}

void apic_error(void)
{
	u32 status;

	apic_write(APIC_ESR, 0);
	status = apic_read(APIC_ESR);
	if (__atomic_fetch_add(&error_count, 1, __ATOMIC_RELAXED) == 0)
		log_later(LOG_ERR, "%s: CPU %lu%s: error status %#lx", "apic", this_cpu(), "",
			  status);
}
