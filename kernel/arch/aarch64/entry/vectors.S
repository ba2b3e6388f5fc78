/*
 * The vector table and the entry of exceptions and interrupts.
 *
 * The CPU comes here with interrupts masked, on SP_EL1: for EL0 the top of the thread's kernel stack, for EL1
 * wherever the kernel was. Each entry saves struct regs there and takes the address of this CPU's
 * per-CPU area into x18.
 * SP_EL0 holds the user's stack pointer only in user mode; in the kernel it is scratch. Manual: Arm ARM,
 * D1.3 (exception handling), table D1-7.
 */
#include <asm/entry.h>
#include <asm/vectors.h>

	.section .entry.text, "ax"

/* A vector from EL0: all registers saved, x18 the kernel's, sp struct regs; x9 to x11 clobbered. */
.macro ENTER_USER
	.balign 128
	sub sp, sp, #REGS_SIZE
	SAVE_GENERAL
	mrs x18, tpidr_el1
	mrs x9, sp_el0
	SAVE_STATE
.endm

/*
 * A vector from EL1. A frame that would lie below the stack, or not where vmalloc and the image are (the top 64
 * TiB, all ones from bit 46 on), leaves by .Loverflow, with sp as it was. The flags are in SPSR_EL1 already.
 */
.macro ENTER_KERNEL
	.balign 128
	msr sp_el0, x0
	sub x0, sp, #REGS_SIZE
	tbz x0, #KSTACK_BIT, .Loverflow
	asr x0, x0, #KSTACK_TOP_SHIFT
	cmn x0, #1
	b.ne .Loverflow
	mrs x0, sp_el0
	sub sp, sp, #REGS_SIZE
	SAVE_GENERAL
	add x9, sp, #REGS_SIZE
	SAVE_STATE
.endm

/* A vector nothing should come through. */
.macro UNEXPECTED number
	.balign 128
	sub sp, sp, #REGS_SIZE
	SAVE_GENERAL
	mov x2, #\number
	b unexpected
.endm

	.globl exception_vectors
	.type exception_vectors, @function
	.balign 2048
exception_vectors:
	/* EL1 on SP_EL0: the kernel never selects it. */
	UNEXPECTED 0
	UNEXPECTED 1
	UNEXPECTED 2
	UNEXPECTED 3

	ENTER_KERNEL
	b kernel_synchronous
	ENTER_KERNEL
	b kernel_interrupt
	ENTER_KERNEL
	b fast_interrupt
	UNEXPECTED 7

	ENTER_USER
	mrs x10, esr_el1
	lsr x11, x10, #26
	cmp x11, #EC_SVC
	b.eq syscall_entry
	b user_synchronous
	ENTER_USER
	b user_interrupt
	ENTER_USER
	b fast_interrupt
	UNEXPECTED 11

	/* 32-bit programs: the kernel starts none. */
	UNEXPECTED 12
	UNEXPECTED 13
	UNEXPECTED 14
	UNEXPECTED 15
	.size exception_vectors, . - exception_vectors

/* in: struct regs at sp, x10 the syndrome. Page faults are most of it. */
	.type user_synchronous, @function
user_synchronous:
	mov x11, #-1
	msr daifclr, #1
	stp x11, x11, [sp, #REGS_ORIG]
	mov x0, sp
	mov x1, x10
	mrs x2, far_el1
	bl exception_user
	b return_to_user
	.size user_synchronous, . - user_synchronous

	.type user_interrupt, @function
user_interrupt:
	mov x11, #-1
	msr daifclr, #1
	stp x11, x11, [sp, #REGS_ORIG]
	mov x0, sp
	bl interrupt_dispatch
	b return_to_user
	.size user_interrupt, . - user_interrupt

	.type kernel_synchronous, @function
kernel_synchronous:
	mov x0, sp
	mrs x1, esr_el1
	mrs x2, far_el1
	msr daifclr, #1
	bl exception_kernel
	b return_to_kernel
	.size kernel_synchronous, . - kernel_synchronous

	.type kernel_interrupt, @function
kernel_interrupt:
	msr daifclr, #1
	mov x0, sp
	bl interrupt_dispatch
/*
 * in: struct regs at sp. x18 is not loaded: the thread may go on on another CPU than it was interrupted on,
 * and x18 belongs to the CPU.
 */
return_to_kernel:
	ldp x10, x11, [sp, #REGS_PC]
	msr elr_el1, x10
	msr spsr_el1, x11
	LOAD_GENERAL
	ldr x19, [sp, #REGS_X18 + 8]
	ldr x30, [sp, #REGS_X30]
	add sp, sp, #REGS_SIZE
	eret
	.size kernel_interrupt, . - kernel_interrupt

/*
 * The stack has run out, or sp is none: x0 is parked in SP_EL0. What is left goes on this CPU's own overflow stack, whose
 * bit KSTACK_BIT nobody looks at: a second exception starts at its top again. The user's thread pointers are
 * the scratch, since nobody will return.
 */
	.type .Loverflow, @function
.Loverflow:
	mrs x18, tpidr_el1
	msr tpidrro_el0, x1
	mov x1, sp
	msr tpidr_el0, x1
	ldr w0, [x18, #:lo12:cpu_number]
	lsl x0, x0, #OVERFLOW_STACK_SHIFT
	adrp x1, overflow_stacks + (1 << OVERFLOW_STACK_SHIFT) - REGS_SIZE
	add x1, x1, :lo12:overflow_stacks + (1 << OVERFLOW_STACK_SHIFT) - REGS_SIZE
	add sp, x1, x0
	mrs x0, sp_el0
	mrs x1, tpidrro_el0
	SAVE_GENERAL
	mrs x9, tpidr_el0
	SAVE_STATE
	mov x0, sp
	mrs x1, esr_el1
	bl exception_overflow
	brk #1
	.size .Loverflow, . - .Loverflow

/*
 * A fast interrupt (FIQ) ends this CPU: it comes with interrupts off too, as soon as entry has unmasked it, and
 * even on the way out, when x18 is the user's already. There is no way back, so it may clobber what it likes.
 */
	.type fast_interrupt, @function
fast_interrupt:
	mrs x18, tpidr_el1
	mov x0, sp
	bl fast_interrupt_stop
	brk #1
	.size fast_interrupt, . - fast_interrupt

/* in: the general registers in struct regs at sp, x2 the vector's number. */
	.type unexpected, @function
unexpected:
	mrs x18, tpidr_el1
	add x9, sp, #REGS_SIZE
	SAVE_STATE
	mov x0, sp
	mrs x1, esr_el1
	bl exception_unexpected
	brk #1
	.size unexpected, . - unexpected

	.section .note.GNU-stack, "", @progbits
