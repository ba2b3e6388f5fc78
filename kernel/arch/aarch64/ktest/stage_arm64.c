/* Boot stages of aarch64 hardware: exception level, translation, protection bits, what programs may reach. */
#include <arch/cpu.h>
#include <arch/mmu.h>
#include <arch/percpu.h>
#include <asm/entry.h>
#include <core/preempt.h>
#include <debug/stage.h>
#include <mm/page.h>
#include <mm/pgtable.h>

#define SCTLR_M BIT(0)
#define SCTLR_A BIT(1)
#define SCTLR_C BIT(2)
#define SCTLR_SA BIT(3)
#define SCTLR_SA0 BIT(4)
#define SCTLR_I BIT(12)
#define SCTLR_DZE BIT(14)
#define SCTLR_UCT BIT(15)
#define SCTLR_SPAN BIT(23)
#define SCTLR_UCI BIT(26)
#define TCR_TBI0 BIT(37)
#define TCR_TBI1 BIT(38)

int stage_arm64_exception_level(struct stage *s)
{
	u64 sctlr = read_sysreg(sctlr_el1);

	STAGE_CHECK_EQ(s, read_sysreg(CurrentEL) >> 2, 1);
	STAGE_CHECK_EQ(s, read_sysreg(SPSel), 1);
	STAGE_CHECK_EQ(s, sctlr & (SCTLR_M | SCTLR_C | SCTLR_I), SCTLR_M | SCTLR_C | SCTLR_I);
	STAGE_CHECK_EQ(s, read_sysreg(vbar_el1), (uintptr_t)exception_vectors);
	STAGE_CHECK(s, !((uintptr_t)exception_vectors & 2047));
	return 0;
}

int stage_arm64_high_half(struct stage *s)
{
	uintptr_t here = (uintptr_t)stage_arm64_high_half;
	const u64 *low = phys_to_virt(read_sysreg(ttbr0_el1) & 0x0000fffffffff000ull);
	int level;

	STAGE_CHECK(s, here >= KERNEL_BASE);
	STAGE_CHECK(s, pgtable_lookup(kernel_root, here, &level));
	for (unsigned i = 0; i < PT_ENTRIES; i++)
		STAGE_CHECK_EQ(s, low[i], 0); /* no identity map left */
	return 0;
}

int stage_arm64_alignment(struct stage *s)
{
	u64 sctlr = read_sysreg(sctlr_el1);

	STAGE_CHECK(s, !(sctlr & SCTLR_A));
	STAGE_CHECK(s, (sctlr & SCTLR_SA) && (sctlr & SCTLR_SA0));
	return 0;
}

int stage_arm64_pan(struct stage *s)
{
	u64 pan;

	if (!(read_sysreg(id_aa64mmfr1_el1) >> 20 & 15))
		return stage_skip(s, "this CPU does not have it");
	STAGE_CHECK(s, cpu_has(CPUF_PAN));
	STAGE_CHECK(s, !(read_sysreg(sctlr_el1) & SCTLR_SPAN)); /* set by every exception */
	asm volatile("mrs %0, S3_0_C4_C2_3" : "=r"(pan));
	STAGE_CHECK(s, pan >> 22 & 1);
	return 0;
}

/* Vector registers work at EL0 and here; SVE and SME trap (their state is not saved). */
int stage_arm64_fpu_enabled(struct stage *s)
{
	u64 cpacr = read_sysreg(cpacr_el1);

	STAGE_CHECK_EQ(s, cpacr >> 20 & 3, 3);
	STAGE_CHECK_EQ(s, cpacr >> 16 & 3, 0);
	STAGE_CHECK_EQ(s, cpacr >> 24 & 3, 0);
	STAGE_CHECK(s, !(arch_hwcap() & BIT(22))); /* SVE is not announced */
	return 0;
}

/* What the ABI promises to programs, and the top byte of their addresses. */
int stage_arm64_user_access(struct stage *s)
{
	u64 sctlr = read_sysreg(sctlr_el1), tcr = read_sysreg(tcr_el1);

	STAGE_CHECK(s, (sctlr & SCTLR_UCT) && (sctlr & SCTLR_UCI));
	STAGE_CHECK(s, sctlr & SCTLR_DZE);
	STAGE_CHECK_EQ(s, read_sysreg(cntkctl_el1) & 3, 2); /* the virtual counter alone */
	STAGE_CHECK(s, (tcr & TCR_TBI0) && !(tcr & TCR_TBI1));
	STAGE_CHECK_EQ(s, read_sysreg(tpidrro_el0), 0);
	return 0;
}

/* x18 is the per-CPU area's address, and TPIDR_EL1 has the copy that entry from EL0 takes. */
int stage_arm64_percpu_register(struct stage *s)
{
	u64 x18;

	preempt_disable();
	asm volatile("mov %0, x18" : "=r"(x18));
	preempt_enable();
	STAGE_CHECK(s, x18 == (uintptr_t)__percpu_start + percpu_offset[this_cpu()]);
	STAGE_CHECK(s, x18 == read_sysreg(tpidr_el1));
	return 0;
}

int stage_arm64_code_pages(struct stage *s)
{
	struct page *p = page_alloc(0, ALLOC_KERNEL | ALLOC_ZERO);
	pte_t slot = { 0 };

	STAGE_CHECK(s, p);
	pte_write(&slot, pte_make(page_to_phys(p), PT_USER | PT_READ | PT_WRITE));
	STAGE_CHECK(s, !(p->flags & PG_CODE));
	pte_write(&slot, pte_make(page_to_phys(p), PT_USER | PT_READ | PT_EXEC));
	STAGE_CHECK(s, p->flags & PG_CODE);
	page_written(p);
	STAGE_CHECK(s, !(p->flags & PG_CODE));
	pte_write(&slot, pte_make(page_to_phys(p), PT_USER | PT_READ | PT_EXEC));
	STAGE_CHECK(s, p->flags & PG_CODE);
	page_put(p);
	p = page_alloc(0, ALLOC_KERNEL);
	STAGE_CHECK(s, p && !(p->flags & PG_CODE));
	page_put(p);
	return 0;
}
