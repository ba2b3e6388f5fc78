/*
 * The smallest guest: a PVH entry that writes LOG to the event port and to COM1, then ends by WAY. For
 * tests of the launcher with a real QEMU and no kernel. 32-bit code; the loader leaves paging off.
 */
#define WAY_POWEROFF 0
#define WAY_TRIPLE_FAULT 1
#define WAY_HANG 2

	.section .note.pvh, "a"
	.balign 4
	.long 4, 4, 18
	.asciz "Xen"
	.long start

	.text
	.code32
	.globl start
start:
	cli
	movl $log_start, %esi
	movl $log_end, %ecx
	subl %esi, %ecx
	movl %ecx, %edi
	movw $0xe9, %dx
	rep outsb
	movl $log_start, %esi
	movl %edi, %ecx
	movw $0x3f8, %dx
	rep outsb
#if WAY == WAY_POWEROFF
	/* q35: PM1a control is at 0x604 once the firmware has set it; SLP_EN, type 0 */
	movw $0x604, %dx
	movw $0x2000, %ax
	outw %ax, %dx
#elif WAY == WAY_TRIPLE_FAULT
	lidt no_idt
	int3
#endif
1:	hlt
	jmp 1b

	.section .rodata, "a"
no_idt:
	.word 0
	.long 0
log_start:
	.incbin LOG
log_end:

	.section .note.GNU-stack, "", %progbits
