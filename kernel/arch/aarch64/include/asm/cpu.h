/* aarch64: idling, system registers, CPU features. */
#pragma once
#include <lib/types.h>

static inline void cpu_relax(void)
{
	asm volatile("yield" : : : "memory");
}

/* WFI ends with a pending interrupt even while those are masked, which closes the window. */
static inline void arch_cpu_idle(void)
{
	asm volatile("dsb sy; wfi; msr daifclr, #2" : : : "memory");
}

#define read_sysreg(name)                                                                          \
	({                                                                                         \
		u64 v_;                                                                            \
		asm volatile("mrs %0, " #name : "=r"(v_));                                         \
		v_;                                                                                \
	})
#define write_sysreg(name, value) asm volatile("msr " #name ", %x0" : : "rZ"((u64)(value)))
#define isb() asm volatile("isb" : : : "memory")
#define dsb(domain) asm volatile("dsb " #domain : : : "memory")

/* Registers of devices: accesses to one device stay in order among themselves (Device-nGnRE), and with a
 * barrier against what lies in memory. */
static inline u32 mmio_read32(const volatile void *reg)
{
	u32 v = *(const volatile u32 *)reg;

	asm volatile("dmb oshld" : : : "memory");
	return v;
}
static inline void mmio_write32(volatile void *reg, u32 v)
{
	asm volatile("dmb oshst" : : : "memory");
	*(volatile u32 *)reg = v;
}

static inline u64 mmio_read64(const volatile void *reg)
{
	u64 v = *(const volatile u64 *)reg;

	asm volatile("dmb oshld" : : : "memory");
	return v;
}
static inline void mmio_write64(volatile void *reg, u64 v)
{
	asm volatile("dmb oshst" : : : "memory");
	*(volatile u64 *)reg = v;
}

/* What the kernel asks of a CPU; the bit is set when the feature is there and switched on. */
enum cpu_feature {
	CPUF_PAN, /* privileged access never */
	CPUF_ASID16, /* address-space identifiers of 16 bits */
	CPUF_RNDR, /* random numbers */
	CPUF_GICV3, /* the interrupt controller's system registers */
};
struct cpu_features {
	u64 bits; /* BIT(enum cpu_feature) */
	u64 midr;
	u64 hwcap, hwcap2;
	u32 zva; /* bytes that DC ZVA zeroes; 0: not to be used */
	u32 dline, iline; /* smallest cache lines, bytes */
};
extern struct cpu_features cpu_features; /* [I] the boot CPU's, after arch_cpu_init_boot() */
static inline bool cpu_has(enum cpu_feature f)
{
	return cpu_features.bits >> f & 1;
}

/* If a program's instruction reads an ID register, does so with what AT_HWCAP says, and goes on behind it. Interrupts
 * on: the program's memory is read. */
struct regs;
bool cpu_emulate_id_read(struct regs *regs);
