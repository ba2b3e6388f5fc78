/* The way to 64-bit mode on the boot tables, for the boot CPU (head.S) and the others (ap.S). Assembly. */
#pragma once
/* clang-format off */
#include <asm/desc.h>
#include <asm/mmu.h>

#define PHYS(sym) ((sym) - KERNEL_BASE)
#define BOOT_CS32 0x08

/* What the segments of the way are; the numbers are those of their places. */
.macro BOOT_SEGMENTS
	.quad 0
	.quad 0x00cf9b000000ffff /* BOOT_CS32 */
	.quad 0x00af9b000000ffff /* KERNEL_CS */
	.quad 0x00cf93000000ffff /* KERNEL_DS */
.endm

/* 32-bit code, mapped one to one. Turns on paging with the boot tables, and long mode. Clobbers eax, ecx, edx. */
.macro ENTER_LONG_MODE
	movl $0x20, %eax /* PAE */
	movl %eax, %cr4
	movl $PHYS(boot_pml4), %eax
	movl %eax, %cr3
	movl $0xc0000080, %ecx
	movl $0x901, %eax /* EFER: SCE, LME, NXE */
	xorl %edx, %edx
	wrmsr
	movl $0x80010033, %eax /* PG, WP, NE, ET, MP, PE */
	movl %eax, %cr0
.endm

/* 64-bit code at its linked address. The boot GDT by that, no segments but the stack's. Leaves 0 in eax. */
.macro LOAD_SEGMENTS
	lgdt boot_gdt_desc64(%rip)
	movl $KERNEL_DS, %eax
	movl %eax, %ss
	xorl %eax, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %fs
	movl %eax, %gs
.endm
