/*
 * What the CPU can do, and switching it on. The other CPUs are taken to be like the boot CPU.
 *
 * HWCAP bits are those of Linux, for what programs may use: what needs the kernel's help and does not get it
 * (SVE, pointer authentication's keys, BTI, MTE) is left out. Programs' reads of the ID registers trap, and are given
 * the same fields: HWCAP_CPUID. Manual: Arm ARM, D17.2 (ID registers), C5.1.3 (their encoding); getauxval(3), the
 * Linux kernel's arm64 documents elf_hwcaps and cpu-feature-registers.
 */
#include <arch/cpu.h>
#include <arch/uaccess.h>
#include <asm/cpu.h>
#include <asm/entry.h>
#include "features.h"

#define MRS_ID 0xd5380000u /* MRS of op0 3, op1 0, CRn 0; CRm, op2 and the register vary */
#define MRS_ID_MASK 0xfffff000u

struct cpu_features cpu_features;

enum id { ISAR0, ISAR1, PFR0, MMFR0, MMFR1, MMFR2, NONE, ID_COUNT };
static u64 ids[ID_COUNT]; /* [I]; of NONE, which always is, zero */
static u64 shown[ID_COUNT]; /* [I] the fields of each that programs see */

/* A field of four bits at `shift` that is at least `value`; 15 in the FPU's fields means: none. */
static const struct hwcap_row {
	u8 id, shift, value, bit; /* bit: in hwcap; from 64 on, in hwcap2 */
	const char *name;
} hwcap_rows[] = {
	{ PFR0, 16, 0, 0, "fp" },           { PFR0, 20, 0, 1, "asimd" },
	{ ISAR0, 4, 1, 3, "aes" },          { ISAR0, 4, 2, 4, "pmull" },
	{ ISAR0, 8, 1, 5, "sha1" },         { ISAR0, 12, 1, 6, "sha2" },
	{ ISAR0, 16, 1, 7, "crc32" },       { ISAR0, 20, 2, 8, "atomics" },
	{ PFR0, 16, 1, 9, "fphp" },         { PFR0, 20, 1, 10, "asimdhp" },
	{ NONE, 0, 0, 11, "cpuid" },        { ISAR0, 28, 1, 12, "asimdrdm" },
	{ ISAR1, 12, 1, 13, "jscvt" },      { ISAR1, 16, 1, 14, "fcma" },
	{ ISAR1, 20, 1, 15, "lrcpc" },      { ISAR1, 0, 1, 16, "dcpop" },
	{ ISAR0, 32, 1, 17, "sha3" },       { ISAR0, 36, 1, 18, "sm3" },
	{ ISAR0, 40, 1, 19, "sm4" },        { ISAR0, 44, 1, 20, "asimddp" },
	{ ISAR0, 12, 2, 21, "sha512" },     { ISAR0, 48, 1, 23, "asimdfhm" },
	{ PFR0, 48, 1, 24, "dit" },         { MMFR2, 32, 1, 25, "uscat" },
	{ ISAR1, 20, 2, 26, "ilrcpc" },     { ISAR0, 52, 1, 27, "flagm" },
	{ ISAR1, 36, 1, 29, "sb" },         { ISAR1, 0, 2, 64 + 0, "dcpodp" },
	{ ISAR0, 52, 2, 64 + 7, "flagm2" }, { ISAR1, 32, 1, 64 + 8, "frint" },
	{ ISAR1, 52, 1, 64 + 13, "i8mm" },  { ISAR1, 44, 1, 64 + 14, "bf16" },
	{ ISAR1, 48, 1, 64 + 15, "dgh" },   { ISAR0, 60, 1, 64 + 16, "rng" },
};

static unsigned field(enum id id, unsigned shift)
{
	return ids[id] >> shift & 15;
}

static bool row_present(const struct hwcap_row *row)
{
	unsigned v = field(row->id, row->shift);

	if (row->id == PFR0 && row->shift <= 20 && v == 15)
		return false;
	return v >= row->value;
}

static void read_ids(void)
{
	ids[ISAR0] = read_sysreg(id_aa64isar0_el1);
	ids[ISAR1] = read_sysreg(id_aa64isar1_el1);
	ids[PFR0] = read_sysreg(id_aa64pfr0_el1);
	ids[MMFR0] = read_sysreg(id_aa64mmfr0_el1);
	ids[MMFR1] = read_sysreg(id_aa64mmfr1_el1);
	ids[MMFR2] = read_sysreg(id_aa64mmfr2_el1);
}

void cpu_features_init(void)
{
	struct cpu_features *f = &cpu_features;
	u64 ctr = read_sysreg(ctr_el0), zva = read_sysreg(dczid_el0);

	read_ids();
	f->midr = read_sysreg(midr_el1);
	f->iline = 4u << (ctr & 15);
	f->dline = 4u << (ctr >> 16 & 15);
	f->zva = zva & 16 ? 0 : 4u << (zva & 15);
	if (field(MMFR1, 20))
		f->bits |= BIT(CPUF_PAN);
	if (field(MMFR0, 4) == 2)
		f->bits |= BIT(CPUF_ASID16);
	if (field(ISAR0, 60))
		f->bits |= BIT(CPUF_RNDR);
	if (field(PFR0, 24))
		f->bits |= BIT(CPUF_GICV3);
	for (unsigned i = 0; i < ARRAY_SIZE(hwcap_rows); i++) {
		const struct hwcap_row *row = &hwcap_rows[i];

		shown[row->id] |= 15ull << row->shift;
		if (row_present(row))
			*(row->bit < 64 ? &f->hwcap : &f->hwcap2) |= BIT(row->bit & 63);
	}
}

void cpu_features_enable(void)
{
	write_sysreg(vbar_el1, (uintptr_t)exception_vectors);
	isb();
	if (cpu_has(CPUF_PAN))
		asm volatile(".inst 0xd500419f" : : : "memory"); /* MSR PAN, #1 */
}

const char *cpu_feature_name(unsigned i)
{
	for (unsigned n = 0; n < ARRAY_SIZE(hwcap_rows); n++)
		if (row_present(&hwcap_rows[n]) && !i--)
			return hwcap_rows[n].name;
	return NULL;
}

/* Registers of which programs see more than zeroes: fields that hwcap_rows names, and what Linux shows in those that
 * are the kernel's alone: 64-bit code only, no size of granules, a debug architecture of 6. */
static const struct id_register {
	u8 crm, op2;
	enum id id;
	u64 fixed;
} id_registers[] = {
	{ 4, 0, PFR0, 0x11 },           { 5, 0, NONE, 0x6 }, { 6, 0, ISAR0, 0 }, { 6, 1, ISAR1, 0 },
	{ 7, 0, MMFR0, 0x111ff000000 }, { 7, 2, MMFR2, 0 },
};

/* CRm 0: the CPU's name, without a place in the machine; CRm 1: 32-bit code's, which there is none of. */
static bool id_value(unsigned crm, unsigned op2, u64 *value)
{
	*value = 0;
	for (unsigned i = 0; i < ARRAY_SIZE(id_registers); i++) {
		const struct id_register *r = &id_registers[i];

		if (r->crm == crm && r->op2 == op2)
			*value = (ids[r->id] & shown[r->id]) | r->fixed;
	}
	if (crm == 0 && op2 == 0)
		*value = cpu_features.midr;
	if (crm == 0 && op2 == 5)
		*value = BIT(31);
	return crm == 0 ? op2 == 0 || op2 == 5 || op2 == 6 : crm != 1;
}

bool cpu_emulate_id_read(struct regs *regs)
{
	u64 value;
	u32 insn;

	if (get_user_u32(&insn, regs->pc) || (insn & MRS_ID_MASK) != MRS_ID ||
	    !id_value(insn >> 8 & 15, insn >> 5 & 7, &value))
		return false;
	if ((insn & 31) != 31)
		regs->x[insn & 31] = value;
	regs->pc += 4;
	regs->pstate &= ~PSR_BTYPE;
	return true;
}

u64 arch_hwcap(void)
{
	return cpu_features.hwcap;
}

u64 arch_hwcap2(void)
{
	return cpu_features.hwcap2;
}

const char *arch_platform(void)
{
	return "aarch64";
}
