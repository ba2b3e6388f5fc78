/* Local APIC: what entry code needs inline, and the rest of cpu/apic.c's interface. */
#pragma once
#include <arch/irq.h>
#include <asm/cpu.h>
#include <asm/vectors.h>

#define APIC_ID 0x020
#define APIC_VERSION 0x030
#define APIC_TPR 0x080
#define APIC_EOI 0x0b0
#define APIC_LDR 0x0d0
#define APIC_DFR 0x0e0
#define APIC_SPURIOUS 0x0f0
#define APIC_ESR 0x280
#define APIC_ICR 0x300
#define APIC_ICR_HIGH 0x310
#define APIC_LVT_TIMER 0x320
#define APIC_LVT_THERM 0x330
#define APIC_LVT_PERF 0x340
#define APIC_LVT_LINT0 0x350
#define APIC_LVT_LINT1 0x360
#define APIC_LVT_ERROR 0x370
#define APIC_TIMER_INIT 0x380
#define APIC_TIMER_CUR 0x390
#define APIC_TIMER_DIV 0x3e0

extern volatile char *apic_base; /* [I] mapped registers; NULL: x2APIC mode */

static inline void apic_write(unsigned reg, u32 v)
{
	if (likely(apic_base))
		*(volatile u32 *)(apic_base + reg) = v;
	else
		wrmsr(MSR_X2APIC + (reg >> 4), v);
}
static inline u32 apic_read(unsigned reg)
{
	if (likely(apic_base))
		return *(volatile u32 *)(apic_base + reg);
	return (u32)rdmsr(MSR_X2APIC + (reg >> 4));
}

/* End of interrupt: after the handler of every vector from VECTOR_IRQ_BASE to VECTOR_APIC_ERROR. */
static __always_inline void apic_eoi(void)
{
	apic_write(APIC_EOI, 0);
}

void apic_init_boot(paddr_t base); /* maps, enables, masks everything; interrupts off */
void apic_init_cpu(void); /* secondary CPUs */
u32 apic_id(void);
void apic_timer_calibrated(u64 hz); /* from cpu/tsc.c */
void apic_error(void); /* VECTOR_APIC_ERROR: counts and clears */
void apic_send_init(u32 dest);
void apic_send_startup(u32 dest, u8 page);
extern u32 cpu_apic_id[]; /* [I] by CPU number */
