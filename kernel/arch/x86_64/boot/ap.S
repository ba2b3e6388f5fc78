/*
 * Entry of the secondary CPUs.
 *
 * smp.c copies [ap_trampoline_start, ap_trampoline_end) to a page below 1 MiB and sends a start-up
 * interrupt that names the page: the CPU begins in real mode at its first byte, with CS pointing to it.
 * The code is position-independent by computing its own base from CS. It switches to long mode on the boot
 * tables (identity map), jumps to ap_entry at the linked address, takes the kernel's tables and the idle
 * thread's stack, and calls smp_secondary_entry(). One CPU at a time: the words it reads are smp.c's.
 */
#include "longmode.h"

#define OFF(sym)  ((sym) - ap_trampoline_start)

	.section .rodata
	.balign 16
	.globl ap_trampoline_start, ap_trampoline_end
	.code16
ap_trampoline_start:
	cli
	cld
	movw %cs, %ax
	movw %ax, %ds
	movzwl %ax, %esi
	shll $4, %esi /* ESI: linear address of this page */
	leal OFF(ap_gdt)(%esi), %eax
	movl %eax, OFF(ap_gdt_desc) + 2
	leal OFF(ap_start32)(%esi), %eax
	movl %eax, OFF(ap_far32)
	lgdtl OFF(ap_gdt_desc)
	movl %cr0, %eax
	orl $1, %eax
	movl %eax, %cr0
	ljmpl *OFF(ap_far32)

	.code32
ap_start32:
	movl $KERNEL_DS, %eax
	movl %eax, %ds
	movl %eax, %ss
	ENTER_LONG_MODE
	leal OFF(ap_start64)(%esi), %eax
	movl %eax, OFF(ap_far64)(%esi)
	ljmpl *OFF(ap_far64)(%esi)

	.code64
ap_start64:
	movabsq $ap_entry, %rax
	jmp *%rax

	.balign 8
ap_gdt:
	BOOT_SEGMENTS
ap_gdt_desc:
	.word . - ap_gdt - 1
	.long 0
	.balign 4
ap_far32:
	.long 0
	.word BOOT_CS32
	.balign 4
ap_far64:
	.long 0
	.word KERNEL_CS
ap_trampoline_end:

	.text
	.type ap_entry, @function
/* On the boot tables, no stack. Uses everything; never returns. */
ap_entry:
	LOAD_SEGMENTS
	movq ap_root(%rip), %rax
	movq %rax, %cr3
	movq ap_stack(%rip), %rsp
	movl ap_cpu(%rip), %edi
	xorl %ebp, %ebp
	call smp_secondary_entry
1:	cli
	hlt
	jmp 1b
	.size ap_entry, . - ap_entry

	.section .note.GNU-stack, "", @progbits
