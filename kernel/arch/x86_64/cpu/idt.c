/*
 * The interrupt descriptor table: one for all CPUs, every vector a gate to the entry layer's stub for it.
 *
 * All are interrupt gates (interrupts off at entry). User mode may raise only breakpoint and overflow by
 * instruction. Read-only after idt_init(), though not mapped so. Manual: Intel SDM 3A, 6.10.
 */
#include <arch/pte.h>
#include <asm/cpu.h>
#include <asm/desc.h>

struct gate {
	u16 offset_low, selector;
	u8 ist, type;
	u16 offset_mid;
	u32 offset_high, reserved;
};
#define GATE_INTERRUPT 0x8e
#define GATE_DPL3 0x60

static struct gate idt[256] __aligned(PAGE_SIZE) __section(".bss.page_aligned");

static void gate_set(unsigned vector, u64 handler, unsigned ist, u8 type)
{
	idt[vector] = (struct gate){
		.offset_low = (u16)handler,
		.selector = KERNEL_CS,
		.ist = (u8)ist,
		.type = type,
		.offset_mid = (u16)(handler >> 16),
		.offset_high = (u32)(handler >> 32),
	};
}

static unsigned vector_ist(unsigned vector)
{
	switch (vector) {
	case 1: return IST_DB;
	case 2: return IST_NMI;
	case 8: return IST_DF;
	case 18: return IST_MC;
	default: return 0;
	}
}

void idt_init(void)
{
	for (unsigned v = 0; v < 256; v++) {
		u8 type = GATE_INTERRUPT | (v == 3 || v == 4 ? GATE_DPL3 : 0);

		gate_set(v, exception_stubs[v], vector_ist(v), type);
	}
	idt_load();
}

void idt_load(void)
{
	struct {
		u16 limit;
		u64 base;
	} __packed ptr = { sizeof(idt) - 1, (uintptr_t)idt };

	asm volatile("lidt %0" : : "m"(ptr));
}
