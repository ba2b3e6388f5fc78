/*
 * Entry of the boot CPU by the Linux boot protocol (Image), and of the others by PSCI.
 *
 * The loader enters image_header at any multiple of 2 MiB, in EL2 or EL1, translation and data caches off, X0
 * the physical address of the device tree. Here: down to EL1, boot tables that show the image where it is
 * (TTBR0) and at KERNEL_BASE (TTBR1), translation on, a jump to the linked address, and away with the lower
 * map: boot_init() and kernel_main() run on the upper half alone. What C needs of RAM besides is mapped by
 * boot_init(). The boot tables allow everything; arch_mmu_init() replaces them. Manual: Arm ARM (DDI 0487)
 * D17 (registers), D8 (translation).
 */
#include <asm/mmu.h>

#define KSTACK_SIZE 16384

#define TABLE 0x3
#define BLOCK_CODE 0x701 /* valid, read-write, inner shareable, accessed, normal memory */
#define BLOCK_IDMAP 0x781 /* the same, read-only */

#define MAIR 0x04ff /* 0: normal, write-back; 1: device, nGnRE */
/* 48 bits each, 4 KiB, walks cacheable and shareable, tags ignored below (TBI0). */
#define TCR 0x20b5103510
#define SCTLR_RES1 0x30500800
/* M C SA SA0 I DZE UCT nTWI nTWE UCI */
#define SCTLR_ON (SCTLR_RES1 | 0x1 | 0x4 | 0x8 | 0x10 | 0x1000 | 0x4000 | 0x8000 | 0x10000 | 0x40000 | 0x4000000)
#define SCTLR_SPAN 0x800000

	.section .head.text, "ax"
	.globl image_header
image_header:
	b start
	.long 0
	.quad 0 /* from a multiple of 2 MiB */
	.quad __image_size
	.quad 0xa /* little endian, 4 KiB pages, anywhere */
	.quad 0, 0, 0
	.ascii "ARM\x64"
	.long 0

/* Leaves EL2, if that is where it is, for EL1. Clobbers x9, x10. */
	.type leave_el2, @function
leave_el2:
	mrs x9, CurrentEL
	cmp x9, #8
	b.eq 1f
	ret
1:	mov x9, #(1 << 31) /* EL1 is AArch64 */
	msr hcr_el2, x9
	isb
	mov x9, #3 /* counters and timers are EL1's */
	msr cnthctl_el2, x9
	msr cntvoff_el2, xzr
	mrs x9, midr_el1
	msr vpidr_el2, x9
	mrs x9, mpidr_el1
	msr vmpidr_el2, x9
	mov x9, #0x33ff /* nothing of the FPU traps */
	msr cptr_el2, x9
	msr hstr_el2, xzr
	msr vttbr_el2, xzr
	mrs x9, id_aa64pfr0_el1
	ubfx x9, x9, #24, #4 /* the interrupt controller's registers */
	cbz x9, 2f
	mrs x9, S3_4_C12_C9_5 /* ICC_SRE_EL2: SRE, Enable */
	mov x10, #9
	orr x9, x9, x10
	msr S3_4_C12_C9_5, x9
	isb
	msr S3_4_C12_C11_0, xzr /* ICH_HCR_EL2 */
2:	ldr x9, =SCTLR_RES1
	msr sctlr_el1, x9
	mov x9, #0x3c5 /* EL1 on its own stack, all masked */
	msr spsr_el2, x9
	msr elr_el2, x30
	eret
	.size leave_el2, . - leave_el2

/* System registers up to, and without, switching translation on. out: x0 for SCTLR_EL1. Clobbers x9, x10. */
	.type cpu_setup, @function
cpu_setup:
	msr daifset, #15
	ldr x9, =MAIR
	msr mair_el1, x9
	ldr x9, =TCR
	mrs x10, id_aa64mmfr0_el1
	ubfx x0, x10, #0, #4 /* size of physical addresses, at most 48 bits */
	cmp x0, #5
	mov x10, #5
	csel x0, x0, x10, ls
	bfi x9, x0, #32, #3
	mrs x10, id_aa64mmfr0_el1
	ubfx x10, x10, #4, #4 /* identifiers of 16 bits */
	cmp x10, #2
	b.ne 1f
	orr x9, x9, #(1 << 36)
1:	msr tcr_el1, x9
	mov x9, #(3 << 20) /* FPU for everybody, SVE and SME for nobody */
	msr cpacr_el1, x9
	msr mdscr_el1, xzr
	mov x9, #2 /* programs may read the virtual counter */
	msr cntkctl_el1, x9
	msr tpidr_el0, xzr
	msr tpidrro_el0, xzr
	mrs x9, id_aa64dfr0_el1
	ubfx x9, x9, #8, #4
	sub x9, x9, #1
	cmp x9, #14 /* 0 and 15: no counters that programs could read */
	b.hs 2f
	msr pmuserenr_el0, xzr
2:	ldr x0, =SCTLR_ON
	mrs x9, id_aa64mmfr1_el1
	ubfx x9, x9, #20, #4 /* PAN: set on every exception, where there is it */
	cbnz x9, 3f
	orr x0, x0, #SCTLR_SPAN
3:	tlbi vmalle1
	ic iallu
	dsb nsh
	isb
	ret
	.size cpu_setup, . - cpu_setup

/* \table[index of va at shift] := \value; clobbers x9. */
.macro SET_ENTRY table, va, shift, value
	ubfx x9, \va, #\shift, #9
	str \value, [\table, x9, lsl #3]
.endm
/* The boot table \table leads to \next where va is, by its index at shift; clobbers x1, x2, x9. */
.macro LINK table, va, shift, next
	adrp x1, \table
	adrp x2, \next
	orr x2, x2, #TABLE
	SET_ENTRY x1, \va, \shift, x2
.endm

	.type start, @function
start:
	msr daifset, #15
	mov x21, x0
	bl leave_el2

	/* The tables may have lines in a cache that is off: out with them, before and after writing. */
	adrp x20, image_header /* physical start of the image */
	bl clean_tables
	/* The lower map: L0, L1, L2, one block of 2 MiB. */
	LINK boot_idmap_l0, x20, 39, boot_idmap_l1
	LINK boot_idmap_l1, x20, 30, boot_idmap_l2
	adrp x1, boot_idmap_l2
	mov x2, #BLOCK_IDMAP
	orr x2, x2, x20
	SET_ENTRY x1, x20, 21, x2
	/* The upper one: the image in blocks of 2 MiB from KERNEL_BASE on. */
	ldr x3, =KERNEL_BASE
	LINK boot_l0, x3, 39, boot_l1
	LINK boot_l1, x3, 30, boot_l2
	adrp x1, boot_l2
	mov x2, #BLOCK_CODE
	orr x2, x2, x20
	ldr x4, =__image_size
1:	str x2, [x1], #8
	add x2, x2, #0x200000
	subs x4, x4, #0x200000
	b.hi 1b
	bl clean_tables

	bl cpu_setup
	adrp x1, boot_l0
	ldr x2, =start_high
	bl enable_mmu
start_high:
	ldr x9, =boot_stack + KSTACK_SIZE
	mov sp, x9
	adrp x18, __percpu_start /* the template itself: asm/percpu.h */
	msr tpidr_el1, x18
	mov x29, xzr
	ldr x9, =kernel_phys
	str x20, [x9]
	mov x0, x21
	bl boot_init
	bl kernel_main
	brk #1
	.size start, . - start

/* The boot tables out of the caches. Clobbers x9, x10, x11. */
	.type clean_tables, @function
clean_tables:
	dmb sy
	mrs x11, ctr_el0
	ubfx x11, x11, #16, #4
	mov x10, #4
	lsl x11, x10, x11
	adrp x9, boot_tables
	adrp x10, boot_tables_end
1:	dc ivac, x9
	add x9, x9, x11
	cmp x9, x10
	b.lo 1b
	dsb sy
	ret
	.size clean_tables, . - clean_tables

/* in: x0 SCTLR_EL1, x1 TTBR1, x2 where to go on. Runs at its physical address; returns at the linked one, with
 * the lower half empty. Clobbers x9. */
	.type enable_mmu, @function
enable_mmu:
	adrp x9, boot_idmap_l0
	msr ttbr0_el1, x9
	msr ttbr1_el1, x1
	isb
	msr sctlr_el1, x0
	isb
	mov x30, x2
	ldr x2, =1f
	adrp x9, empty_table
	br x2
1:	msr ttbr0_el1, x9
	isb
	tlbi vmalle1
	dsb nsh
	isb
	ret
	.size enable_mmu, . - enable_mmu

/* in: x0 CPU_ON's argument, which is not used: one CPU is started at a time, and secondary_boot tells. */
	.globl secondary_start
	.type secondary_start, @function
secondary_start:
	msr daifset, #15
	bl leave_el2
	bl cpu_setup
	adrp x9, secondary_boot
	add x9, x9, :lo12:secondary_boot
	ldr x1, [x9]
	ldr x2, =1f
	bl enable_mmu
1:	adrp x9, secondary_boot
	add x9, x9, :lo12:secondary_boot
	ldp x10, x0, [x9, #8]
	mov sp, x10
	mov x29, xzr
	bl smp_secondary_entry
	brk #1
	.size secondary_start, . - secondary_start

/*
 * in: x0 physical address of the kernel's new tables, x1 that of replace_low. The old tables and the new ones
 * map the same addresses by entries of other sizes, which no TLB may see together: so the change is made from
 * the lower map, while the upper half is empty.
 */
	.globl replace_tables
	.type replace_tables, @function
replace_tables:
	adrp x3, empty_table
	ldr x4, =kernel_phys
	ldr x4, [x4]
	ldr x5, =KERNEL_BASE
	sub x3, x3, x5
	add x3, x3, x4 /* physical */
	ldr x6, =boot_idmap_l0
	sub x6, x6, x5
	add x6, x6, x4
	msr ttbr0_el1, x6
	isb
	br x1
	.globl replace_low
replace_low:
	msr ttbr1_el1, x3
	isb
	tlbi vmalle1
	dsb nsh
	isb
	msr ttbr1_el1, x0
	isb
	ldr x5, =1f
	br x5
1:	msr ttbr0_el1, x3
	isb
	tlbi vmalle1
	dsb nsh
	isb
	ret
	.size replace_tables, . - replace_tables

	.ltorg

	.section .bss.page_aligned, "aw", @nobits
	.balign 4096
	.globl boot_idmap_l0, boot_l0, empty_table
boot_tables:
boot_idmap_l0:
	.skip 4096
boot_idmap_l1:
	.skip 4096
boot_idmap_l2:
	.skip 4096
boot_l0:
	.skip 4096
boot_l1:
	.skip 4096
boot_l2:
	.skip 4096
empty_table:
	.skip 4096
boot_tables_end:

	/* The upper half of 32 KiB, as all kernel stacks: see entry/vectors.S. */
	.section .bss.boot_stack, "aw", @nobits
	.balign 32768
	.globl boot_stack, boot_stack_guard
boot_stack_guard:
	.skip 16384
boot_stack:
	.skip KSTACK_SIZE

	.section .note.GNU-stack, "", @progbits
