/* x86_64: idling, port I/O, control and model-specific registers, CPU features. */
#pragma once
#include <lib/types.h>

static inline void cpu_relax(void)
{
	asm volatile("pause" : : : "memory");
}

static inline void arch_cpu_idle(void)
{
	asm volatile("sti; hlt" : : : "memory");
}

static inline void outb(u16 port, u8 v)
{
	asm volatile("outb %0, %1" : : "a"(v), "Nd"(port));
}
static inline void outw(u16 port, u16 v)
{
	asm volatile("outw %0, %1" : : "a"(v), "Nd"(port));
}
static inline void outl(u16 port, u32 v)
{
	asm volatile("outl %0, %1" : : "a"(v), "Nd"(port));
}
static inline u8 inb(u16 port)
{
	u8 v;

	asm volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}
static inline u16 inw(u16 port)
{
	u16 v;

	asm volatile("inw %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}
static inline u32 inl(u16 port)
{
	u32 v;

	asm volatile("inl %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline u64 rdmsr(u32 msr)
{
	u32 lo, hi;

	asm volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr) : "memory");
	return (u64)hi << 32 | lo;
}
static inline void wrmsr(u32 msr, u64 v)
{
	asm volatile("wrmsr" : : "c"(msr), "a"((u32)v), "d"((u32)(v >> 32)) : "memory");
}

static inline u64 read_cr0(void)
{
	u64 v;

	asm volatile("mov %%cr0, %0" : "=r"(v));
	return v;
}
static inline void write_cr0(u64 v)
{
	asm volatile("mov %0, %%cr0" : : "r"(v) : "memory");
}
static inline u64 read_cr2(void)
{
	u64 v;

	asm volatile("mov %%cr2, %0" : "=r"(v));
	return v;
}
static inline u64 read_cr3(void)
{
	u64 v;

	asm volatile("mov %%cr3, %0" : "=r"(v) : : "memory");
	return v;
}
static inline void write_cr3(u64 v)
{
	asm volatile("mov %0, %%cr3" : : "r"(v) : "memory");
}
static inline u64 read_cr4(void)
{
	u64 v;

	asm volatile("mov %%cr4, %0" : "=r"(v) : : "memory");
	return v;
}
static inline void write_cr4(u64 v)
{
	asm volatile("mov %0, %%cr4" : : "r"(v) : "memory");
}

static inline void cpuid(u32 leaf, u32 sub, u32 out[4])
{
	asm volatile("cpuid"
		     : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
		     : "a"(leaf), "c"(sub));
}

#define MSR_APIC_BASE 0x1b
#define MSR_TSC_DEADLINE 0x6e0
#define MSR_X2APIC 0x800 /* + register >> 4 */
#define MSR_PAT 0x277
#define MSR_EFER 0xc0000080
#define MSR_STAR 0xc0000081
#define MSR_LSTAR 0xc0000082
#define MSR_CSTAR 0xc0000083
#define MSR_SFMASK 0xc0000084
#define MSR_FS_BASE 0xc0000100
#define MSR_GS_BASE 0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102
#define MSR_TSC_AUX 0xc0000103

#define EFER_SCE 0x001
#define EFER_LME 0x100
#define EFER_NXE 0x800

#define CR0_MP 0x2
#define CR0_EM 0x4
#define CR0_TS 0x8
#define CR0_NE 0x20
#define CR0_WP 0x10000
#define CR0_PG 0x80000000

#define CR4_PAE 0x20
#define CR4_PGE 0x80
#define CR4_OSFXSR 0x200
#define CR4_OSXMMEXCPT 0x400
#define CR4_UMIP 0x800
#define CR4_FSGSBASE 0x10000
#define CR4_OSXSAVE 0x40000
#define CR4_SMEP 0x100000
#define CR4_SMAP 0x200000

/* What the kernel asks of a CPU; the bit is set when the feature is there and switched on. */
enum cpu_feature {
	CPUF_NX,
	CPUF_PGE,
	CPUF_GBPAGES, /* 1 GiB pages */
	CPUF_SMEP,
	CPUF_SMAP,
	CPUF_UMIP,
	CPUF_FSGSBASE,
	CPUF_XSAVE,
	CPUF_XSAVEOPT,
	CPUF_XSAVEC,
	CPUF_PCID,
	CPUF_INVPCID,
	CPUF_RDTSCP,
	CPUF_RDPID,
	CPUF_TSC_DEADLINE,
	CPUF_X2APIC,
	CPUF_RDRAND,
	CPUF_RDSEED,
	CPUF_ERMS, /* fast rep movsb */
	CPUF_FSRM,
	CPUF_HYPERVISOR,
	CPUF_INVARIANT_TSC,
	CPUF_ARAT, /* the local timer runs in deep idle */
};
struct cpu_features {
	u64 bits; /* BIT(enum cpu_feature) */
	u64 xcr0; /* states enabled in XCR0; 0 without XSAVE */
	u32 xsave_size; /* bytes of the XSAVE area for xcr0 (512 without XSAVE) */
	u32 hwcap; /* CPUID 1, EDX */
	u32 phys_bits;
	u32 family, model, stepping;
	u32 tsc_khz_hint, apic_khz_hint; /* from CPUID; 0: unknown */
	u8 clflush_size;
	char vendor[13];
	char brand[49];
};
extern struct cpu_features cpu_features; /* [I] the boot CPU's, after arch_cpu_init_boot() */
static inline bool cpu_has(enum cpu_feature f)
{
	return cpu_features.bits >> f & 1;
}
