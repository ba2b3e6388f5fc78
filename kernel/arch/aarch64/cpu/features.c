/*
 * What the CPU can do, and switching it on. The other CPUs are taken to be like the boot CPU.
 *
 * HWCAP bits are those of Linux, for what programs may use: what needs the kernel's help and does not get it
 * (SVE, pointer authentication's keys, BTI, MTE) is left out. Manual: Arm ARM, D17.2 (ID registers);
 * getauxval(3), the Linux kernel's arm64 elf_hwcaps document.
 */
#include <arch/cpu.h>
#include <asm/cpu.h>
#include <asm/entry.h>
#include "features.h"

struct cpu_features cpu_features;

enum id { ISAR0, ISAR1, PFR0, PFR1, MMFR0, MMFR1, MMFR2, ID_COUNT };
static u64 ids[ID_COUNT]; /* [I] */

/* A field of four bits at `shift` that is at least `value`; 15 in the FPU's fields means: none. */
static const struct hwcap_row {
	u8 id, shift, value, bit; /* bit: in hwcap; from 64 on, in hwcap2 */
	const char *name;
} hwcap_rows[] = {
	{ PFR0, 16, 0, 0, "fp" },          { PFR0, 20, 0, 1, "asimd" },
	{ ISAR0, 4, 1, 3, "aes" },         { ISAR0, 4, 2, 4, "pmull" },
	{ ISAR0, 8, 1, 5, "sha1" },        { ISAR0, 12, 1, 6, "sha2" },
	{ ISAR0, 16, 1, 7, "crc32" },      { ISAR0, 20, 2, 8, "atomics" },
	{ PFR0, 16, 1, 9, "fphp" },        { PFR0, 20, 1, 10, "asimdhp" },
	{ ISAR0, 28, 1, 12, "asimdrdm" },  { ISAR1, 12, 1, 13, "jscvt" },
	{ ISAR1, 16, 1, 14, "fcma" },      { ISAR1, 20, 1, 15, "lrcpc" },
	{ ISAR1, 0, 1, 16, "dcpop" },      { ISAR0, 32, 1, 17, "sha3" },
	{ ISAR0, 36, 1, 18, "sm3" },       { ISAR0, 40, 1, 19, "sm4" },
	{ ISAR0, 44, 1, 20, "asimddp" },   { ISAR0, 12, 2, 21, "sha512" },
	{ ISAR0, 48, 1, 23, "asimdfhm" },  { PFR0, 48, 1, 24, "dit" },
	{ MMFR2, 32, 1, 25, "uscat" },     { ISAR1, 20, 2, 26, "ilrcpc" },
	{ ISAR0, 52, 1, 27, "flagm" },     { ISAR1, 36, 1, 29, "sb" },
	{ ISAR1, 0, 2, 64 + 0, "dcpodp" }, { ISAR0, 52, 2, 64 + 7, "flagm2" },
	{ ISAR1, 32, 1, 64 + 8, "frint" }, { ISAR1, 52, 1, 64 + 13, "i8mm" },
	{ ISAR1, 44, 1, 64 + 14, "bf16" }, { ISAR0, 60, 1, 64 + 16, "rng" },
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
	ids[PFR1] = read_sysreg(id_aa64pfr1_el1);
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
