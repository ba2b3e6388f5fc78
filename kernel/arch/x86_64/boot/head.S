/*
 * Entry of the boot CPU, by the PVH boot protocol (docs: "x86/HVM direct boot ABI").
 *
 * The loader enters pvh_entry at its physical address in 32-bit protected mode without paging, EBX pointing
 * to the start info. Here: checks that the loader and the CPU are what the kernel needs, clears bss, builds
 * page tables for the first 4 GiB (identity, and again at DIRECT_MAP_BASE) and the first 1 GiB at
 * KERNEL_BASE, switches to long mode with NX, moves to the linked address and calls pvh_init() and
 * kernel_main(). Secondary CPUs use the same tables for their way up (ap.S).
 *
 * Runs once, interrupts off. These tables allow everything; arch_mmu_init() replaces them.
 */
#include "longmode.h"

#define PVH_MAGIC 0x336ec578
#define BOOT_STACK_SIZE 16384
#define COM1 0x3f8

#define PTE_TABLE 0x003 /* present, writable */
#define PTE_HUGE  0x083 /* and a large page */

	.section .note.pvh, "a", @note
	.balign 4
	.long 4, 4, 18 /* name and descriptor sizes; XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.long PHYS(pvh_entry)

	.section .head.text, "ax"
	.code32
	.globl pvh_entry
	.type pvh_entry, @function
/* in: EBX start info. Uses everything; never returns. */
pvh_entry:
	cli
	cld
	movl $PHYS(msg_loader), %esi
	cmpl $PVH_MAGIC, (%ebx)
	jne boot_refuse

	movl $PHYS(msg_cpu), %esi
	movl %ebx, %ebp
	movl $0x80000000, %eax
	cpuid
	cmpl $0x80000001, %eax
	jb boot_refuse
	movl $0x80000001, %eax
	cpuid
	btl $29, %edx /* long mode */
	jnc boot_refuse
	btl $20, %edx /* no-execute */
	jnc boot_refuse

	movl $PHYS(__bss_start), %edi
	movl $PHYS(__bss_end), %ecx
	subl %edi, %ecx
	shrl $2, %ecx
	xorl %eax, %eax
	rep stosl

	/* Four page directories: 2048 large pages, 4 GiB. */
	movl $PHYS(boot_pd), %edi
	movl $PTE_HUGE, %eax
	movl $2048, %ecx
1:	movl %eax, (%edi)
	addl $0x200000, %eax
	addl $8, %edi
	loop 1b

	movl $PHYS(boot_pdpt_low), %edi
	movl $(PHYS(boot_pd) + PTE_TABLE), %eax
	movl $4, %ecx
1:	movl %eax, (%edi)
	addl $0x1000, %eax
	addl $8, %edi
	loop 1b
	movl $(PHYS(boot_pd) + PTE_TABLE), PHYS(boot_pdpt_high) + 510 * 8

	movl $(PHYS(boot_pdpt_low) + PTE_TABLE), %eax
	movl %eax, PHYS(boot_pml4)
	movl %eax, PHYS(boot_pml4) + 256 * 8
	movl $(PHYS(boot_pdpt_high) + PTE_TABLE), PHYS(boot_pml4) + 511 * 8

	ENTER_LONG_MODE
	lgdt PHYS(boot_gdt_desc32)
	ljmp $KERNEL_CS, $PHYS(start64_low)

/* in: ESI message, physical. Says why on the serial line, and stops. */
boot_refuse:
	movl $COM1, %edx
1:	lodsb
	testb %al, %al
	jz 2f
	outb %al, %dx
	jmp 1b
2:	cli
	hlt
	jmp 2b
	.size pvh_entry, . - pvh_entry

	.code64
start64_low:
	movabsq $start64, %rax
	jmp *%rax

	.type start64, @function
start64:
	LOAD_SEGMENTS
	movl $0xc0000101, %ecx /* GS base: the per-CPU template itself */
	xorl %edx, %edx
	wrmsr
	leaq boot_stack + BOOT_STACK_SIZE(%rip), %rsp
	movl %ebp, %edi
	xorl %ebp, %ebp
	call pvh_init
	call kernel_main
1:	cli
	hlt
	jmp 1b
	.size start64, . - start64

	.section .rodata
msg_loader:
	.asciz "cairn: the loader does not speak the PVH boot protocol\r\n"
msg_cpu:
	.asciz "cairn: this CPU has no 64-bit mode or no NX\r\n"

	.balign 8
boot_gdt:
	BOOT_SEGMENTS
boot_gdt_end:
boot_gdt_desc32:
	.word boot_gdt_end - boot_gdt - 1
	.long PHYS(boot_gdt)
	.balign 8
	.globl boot_gdt_desc64
boot_gdt_desc64:
	.word boot_gdt_end - boot_gdt - 1
	.quad boot_gdt

	.section .bss.page_aligned, "aw", @nobits
	.balign 4096
	.globl boot_pml4, boot_stack, boot_stack_guard
boot_pml4:
	.skip 4096
boot_pdpt_low:
	.skip 4096
boot_pdpt_high:
	.skip 4096
boot_pd:
	.skip 4 * 4096
boot_stack_guard: /* unmapped by arch_mmu_init() */
	.skip 4096
boot_stack:
	.skip BOOT_STACK_SIZE

	.section .note.GNU-stack, "", @progbits
