/*
 * What the CPU can do, and switching it on.
 *
 * cpu_features_init() runs once on the boot CPU; the other CPUs are taken to be alike. A CPU without what
 * the kernel needs stops here with a message on the serial line. The features' CPUID words are kept for
 * /proc/cpuinfo. Manual: Intel SDM 2A CPUID; 3A 2.5 (control registers), 13 (XSAVE), 5.8.8 (SYSCALL).
 */
#include <arch/cpu.h>
#include <arch/debug.h>
#include <asm/cpu.h>
#include <asm/desc.h>
#include <core/irq.h>
#include <lib/format.h>
#include <lib/string.h>
#include "cpuid_names.h"
#include "features.h"

struct cpu_features cpu_features;
struct cpuid_words cpuid_words;

static const struct {
	u8 word, bit;
	enum cpu_feature feature;
} feature_bits[] = {
	{ CPUID_EXT1_EDX, 20, CPUF_NX },        { CPUID_1_EDX, 13, CPUF_PGE },
	{ CPUID_EXT1_EDX, 26, CPUF_GBPAGES },   { CPUID_7_EBX, 7, CPUF_SMEP },
	{ CPUID_7_EBX, 20, CPUF_SMAP },         { CPUID_7_ECX, 2, CPUF_UMIP },
	{ CPUID_7_EBX, 0, CPUF_FSGSBASE },      { CPUID_1_ECX, 26, CPUF_XSAVE },
	{ CPUID_D1_EAX, 0, CPUF_XSAVEOPT },     { CPUID_D1_EAX, 1, CPUF_XSAVEC },
	{ CPUID_1_ECX, 17, CPUF_PCID },         { CPUID_7_EBX, 10, CPUF_INVPCID },
	{ CPUID_EXT1_EDX, 27, CPUF_RDTSCP },    { CPUID_7_ECX, 22, CPUF_RDPID },
	{ CPUID_1_ECX, 24, CPUF_TSC_DEADLINE }, { CPUID_1_ECX, 21, CPUF_X2APIC },
	{ CPUID_1_ECX, 30, CPUF_RDRAND },       { CPUID_7_EBX, 18, CPUF_RDSEED },
	{ CPUID_7_EBX, 9, CPUF_ERMS },          { CPUID_7_EDX, 4, CPUF_FSRM },
	{ CPUID_1_ECX, 31, CPUF_HYPERVISOR },   { CPUID_EXT7_EDX, 8, CPUF_INVARIANT_TSC },
	{ CPUID_6_EAX, 2, CPUF_ARAT },
};

static const struct {
	u8 word, bit;
	const char *name;
} required[] = {
	{ CPUID_1_EDX, 0, "fpu" },    { CPUID_1_EDX, 4, "tsc" },
	{ CPUID_1_EDX, 5, "msr" },    { CPUID_1_EDX, 6, "pae" },
	{ CPUID_1_EDX, 8, "cx8" },    { CPUID_1_EDX, 9, "apic" },
	{ CPUID_1_EDX, 13, "pge" },   { CPUID_1_EDX, 15, "cmov" },
	{ CPUID_1_EDX, 16, "pat" },   { CPUID_1_EDX, 24, "fxsr" },
	{ CPUID_1_EDX, 26, "sse2" },  { CPUID_EXT1_EDX, 11, "syscall" },
	{ CPUID_EXT1_EDX, 20, "nx" }, { CPUID_1_ECX, 13, "cx16" },
};

static bool word_bit(unsigned word, unsigned bit)
{
	return cpuid_words.w[word] >> bit & 1;
}

__noreturn static void cpu_refuse(const char *what)
{
	const char *parts[] = { "cairn: this CPU lacks what the kernel needs: ", what, "\r\n" };

	for (unsigned i = 0; i < ARRAY_SIZE(parts); i++)
		for (const char *s = parts[i]; *s; s++)
			arch_debug_putc(*s);
	arch_cpu_halt();
}

static void read_words(void)
{
	u32 r[4], max, max_ext;

	cpuid(0, 0, r);
	max = r[0];
	memcpy(cpu_features.vendor, &r[1], 4);
	memcpy(cpu_features.vendor + 4, &r[3], 4);
	memcpy(cpu_features.vendor + 8, &r[2], 4);
	cpuid(0x80000000, 0, r);
	max_ext = r[0];
	for (unsigned i = 0; i < CPUID_WORDS; i++) {
		u32 leaf = cpuid_sources[i].leaf;

		if (leaf > (leaf >= 0x80000000 ? max_ext : max))
			continue;
		cpuid(leaf, cpuid_sources[i].sub, r);
		cpuid_words.w[i] = r[cpuid_sources[i].reg];
	}
	if (max_ext >= 0x80000004)
		for (unsigned i = 0; i < 3; i++) {
			cpuid(0x80000002 + i, 0, r);
			memcpy(cpu_features.brand + 16 * i, r, 16);
		}
	cpu_features.phys_bits = 36;
	if (max_ext >= 0x80000008) {
		cpuid(0x80000008, 0, r);
		cpu_features.phys_bits = r[0] & 0xff;
	}
}

static void read_identity(void)
{
	u32 r[4];

	cpuid(1, 0, r);
	cpu_features.family = r[0] >> 8 & 0xf;
	cpu_features.model = r[0] >> 4 & 0xf;
	cpu_features.stepping = r[0] & 0xf;
	if (cpu_features.family == 6 || cpu_features.family == 15)
		cpu_features.model |= r[0] >> 12 & 0xf0;
	if (cpu_features.family == 15)
		cpu_features.family += r[0] >> 20 & 0xff;
	cpu_features.clflush_size = (u8)((r[1] >> 8 & 0xff) * 8);
	cpu_features.hwcap = r[3];
}

/* x87, SSE, AVX, AVX-512: what user programs may use and signal frames carry. */
#define XCR0_WANTED (BIT(0) | BIT(1) | BIT(2) | BIT(5) | BIT(6) | BIT(7))

static void read_xsave(void)
{
	u32 r[4];

	cpu_features.xsave_size = 512;
	if (!cpu_has(CPUF_XSAVE))
		return;
	cpuid(0xd, 0, r);
	cpu_features.xcr0 = ((u64)r[3] << 32 | r[0]) & XCR0_WANTED;
	if ((cpu_features.xcr0 & 0xe0) != 0xe0 || !(cpu_features.xcr0 & BIT(2)))
		cpu_features.xcr0 &= 7;
}

/* Frequencies, where CPUID tells: Intel's leaf 15h, and the hypervisors' 40000010h. */
static void read_frequencies(void)
{
	u32 r[4];

	cpuid(0, 0, r);
	if (r[0] >= 0x15) {
		cpuid(0x15, 0, r);
		if (r[0] && r[1] && r[2])
			cpu_features.tsc_khz_hint = (u32)((u64)r[2] * r[1] / r[0] / 1000);
	}
	if (!cpu_has(CPUF_HYPERVISOR))
		return;
	cpuid(0x40000000, 0, r);
	if (r[0] >= 0x40000010 && r[0] < 0x40010000) {
		cpuid(0x40000010, 0, r);
		cpu_features.tsc_khz_hint = r[0];
		cpu_features.apic_khz_hint = r[1];
	}
}

/* Without SMAP its instructions are undefined: no-ops in their place. The text is still writable. */
static void patch_smap_sites(void)
{
	extern const u64 __smap_sites_start[], __smap_sites_end[];
	static const u8 nop3[3] = { 0x0f, 0x1f, 0x00 };

	if (cpu_has(CPUF_SMAP))
		return;
	write_cr0(read_cr0() & ~(u64)CR0_WP);
	for (const u64 *site = __smap_sites_start; site < __smap_sites_end; site++)
		memcpy((void *)*site, nop3, sizeof(nop3));
	write_cr0(read_cr0() | CR0_WP);
}

void cpu_features_init(void)
{
	read_words();
	for (unsigned i = 0; i < ARRAY_SIZE(required); i++)
		if (!word_bit(required[i].word, required[i].bit))
			cpu_refuse(required[i].name);
	for (unsigned i = 0; i < ARRAY_SIZE(feature_bits); i++)
		if (word_bit(feature_bits[i].word, feature_bits[i].bit))
			cpu_features.bits |= BIT(feature_bits[i].feature);
	read_identity();
	read_xsave();
	read_frequencies();
	patch_smap_sites();
}

static void enable_xsave(void)
{
	u32 r[4];

	asm volatile("xsetbv"
		     :
		     : "c"(0), "a"((u32)cpu_features.xcr0), "d"((u32)(cpu_features.xcr0 >> 32)));
	cpuid(0xd, 0, r);
	cpu_features.xsave_size = r[1];
}

/*
 * SYSCALL: CS and SS for the kernel from STAR[47:32], for SYSRET from STAR[63:48]. The flags it clears:
 * trap, interrupt, direction, I/O privilege, nested task, alignment check (SMAP's), ID.
 */
static void enable_syscall(void)
{
	wrmsr(MSR_STAR, (u64)USER32_CS << 48 | (u64)KERNEL_CS << 32);
	wrmsr(MSR_LSTAR, (uintptr_t)syscall_entry);
	wrmsr(MSR_CSTAR, (uintptr_t)syscall_entry_compat);
	wrmsr(MSR_SFMASK, 0x247700);
}

void cpu_features_enable(void)
{
	u64 cr4 = read_cr4() | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT;

	if (cpu_has(CPUF_SMEP))
		cr4 |= CR4_SMEP;
	if (cpu_has(CPUF_SMAP))
		cr4 |= CR4_SMAP;
	if (cpu_has(CPUF_UMIP))
		cr4 |= CR4_UMIP;
	if (cpu_has(CPUF_FSGSBASE))
		cr4 |= CR4_FSGSBASE;
	if (cpu_has(CPUF_XSAVE))
		cr4 |= CR4_OSXSAVE;
	write_cr4(cr4);
	write_cr0((read_cr0() | CR0_WP | CR0_NE | CR0_MP) & ~(u64)(CR0_EM | CR0_TS));
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE | EFER_NXE);
	if (cpu_has(CPUF_XSAVE))
		enable_xsave();
	if (cpu_has(CPUF_RDTSCP) || cpu_has(CPUF_RDPID))
		wrmsr(MSR_TSC_AUX, this_cpu());
	enable_syscall();
}

u64 arch_hwcap(void)
{
	return cpu_features.hwcap;
}

u64 arch_hwcap2(void)
{
	return cpu_has(CPUF_FSGSBASE) ? BIT(1) : 0;
}

const char *arch_platform(void)
{
	return "x86_64";
}
