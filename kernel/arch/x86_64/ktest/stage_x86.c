/* Boot stages of x86_64 hardware: modes, descriptor tables, protection bits, system-call registers. */
#include <arch/cpu.h>
#include <arch/mmu.h>
#include <debug/stage.h>
#include <mm/pgtable.h>

struct table_register {
	u16 limit;
	u64 base;
} __packed;

extern const char syscall_entry[];

int stage_x86_long_mode(struct stage *s)
{
	u64 efer = rdmsr(MSR_EFER);

	STAGE_CHECK(s, read_cr0() & CR0_PG);
	STAGE_CHECK(s, read_cr4() & CR4_PAE);
	STAGE_CHECK(s, efer & EFER_LME);
	STAGE_CHECK(s, efer & BIT(10)); /* LMA: active */
	return 0;
}

int stage_x86_high_half(struct stage *s)
{
	uintptr_t here = (uintptr_t)stage_x86_high_half;
	int level;

	STAGE_CHECK(s, here >= KERNEL_BASE);
	STAGE_CHECK(s, !pgtable_lookup(kernel_root, here - KERNEL_BASE,
				       &level)); /* no identity map left */
	return 0;
}

int stage_x86_descriptor_tables(struct stage *s)
{
	struct table_register gdt, idt;
	u16 cs, ss, tr;

	asm volatile("sgdt %0" : "=m"(gdt));
	asm volatile("sidt %0" : "=m"(idt));
	asm volatile("mov %%cs, %0" : "=r"(cs));
	asm volatile("mov %%ss, %0" : "=r"(ss));
	asm volatile("str %0" : "=r"(tr));
	STAGE_CHECK(s, gdt.base >= DIRECT_MAP_BASE && gdt.limit >= 7 * 8 - 1);
	STAGE_CHECK(s, idt.base >= DIRECT_MAP_BASE && idt.limit == 256 * 16 - 1);
	STAGE_CHECK_EQ(s, cs & 3, 0);
	STAGE_CHECK(s, tr != 0 && tr < gdt.limit);
	return 0;
}

int stage_x86_protection_bits(struct stage *s)
{
	STAGE_CHECK(s, read_cr0() & CR0_WP);
	STAGE_CHECK(s, rdmsr(MSR_EFER) & EFER_NXE);
	return 0;
}

static int feature_bit(struct stage *s, unsigned leaf, unsigned reg, unsigned bit, u64 cr4)
{
	u32 r[4];

	cpuid(leaf, 0, r);
	if (!(r[reg] & BIT(bit)))
		return stage_skip(s, "this CPU does not have it");
	STAGE_CHECK(s, read_cr4() & cr4);
	return 0;
}

int stage_x86_smep(struct stage *s)
{
	return feature_bit(s, 7, 1, 7, CR4_SMEP);
}

int stage_x86_smap(struct stage *s)
{
	u64 flags;
	int result = feature_bit(s, 7, 1, 20, CR4_SMAP);

	if (result)
		return result;
	asm volatile("pushfq; pop %0" : "=r"(flags));
	STAGE_CHECK(s, !(flags & BIT(18))); /* AC off: user memory is out of reach */
	return 0;
}

int stage_x86_umip(struct stage *s)
{
	return feature_bit(s, 7, 2, 2, CR4_UMIP);
}

int stage_x86_fpu_enabled(struct stage *s)
{
	u64 cr0 = read_cr0(), cr4 = read_cr4();

	STAGE_CHECK(s, !(cr0 & CR0_EM) && (cr0 & CR0_MP) && (cr0 & CR0_NE));
	STAGE_CHECK(s, (cr4 & CR4_OSFXSR) && (cr4 & CR4_OSXMMEXCPT));
	if (cpu_features.xcr0) {
		STAGE_CHECK(s, cr4 & CR4_OSXSAVE);
		STAGE_CHECK(s, (cpu_features.xcr0 & 3) == 3);
		STAGE_CHECK(s, cpu_features.xsave_size >= 576);
	}
	return 0;
}

int stage_x86_syscall_registers(struct stage *s)
{
	u64 mask = rdmsr(MSR_SFMASK);

	STAGE_CHECK(s, rdmsr(MSR_EFER) & EFER_SCE);
	STAGE_CHECK(s, rdmsr(MSR_LSTAR) == (uintptr_t)syscall_entry);
	STAGE_CHECK(s, mask & BIT(9)); /* IF */
	STAGE_CHECK(s, mask & BIT(8)); /* TF */
	STAGE_CHECK(s, mask & BIT(10)); /* DF */
	STAGE_CHECK(s, mask & BIT(18)); /* AC */
	STAGE_CHECK(s, rdmsr(MSR_STAR) >> 32);
	return 0;
}
