/*
 * Switching kernel stacks, and the first steps of new threads.
 *
 * A switched-out thread's stack holds, from its saved pointer up: x29 x30 x27 x28 x25 x26 x23 x24 x21 x22 x19
 * x20; the first two are a frame record, for backtraces. Everything else is caller-saved or put away by
 * arch_switch(); x18 belongs to the CPU.
 */
#include <asm/entry.h>

	.text

/* in: x0 thread to leave, x1 thread to go to. out: x0 the thread left, seen from the new stack.
 * Interrupts off. */
	.globl switch_stacks
	.type switch_stacks, @function
switch_stacks:
	stp x29, x30, [sp, #-96]!
	stp x27, x28, [sp, #16]
	stp x25, x26, [sp, #32]
	stp x23, x24, [sp, #48]
	stp x21, x22, [sp, #64]
	stp x19, x20, [sp, #80]
	mov x9, sp
	str x9, [x0, #THREAD_SP]
	ldr x9, [x1, #THREAD_SP]
	mov sp, x9
	ldp x19, x20, [sp, #80]
	ldp x21, x22, [sp, #64]
	ldp x23, x24, [sp, #48]
	ldp x25, x26, [sp, #32]
	ldp x27, x28, [sp, #16]
	ldp x29, x30, [sp], #96
	ret
	.size switch_stacks, . - switch_stacks

/* First instruction of a kernel thread: x0 previous thread, x19 function, x20 its argument. */
	.globl thread_entry
	.type thread_entry, @function
thread_entry:
	bl sched_thread_started
	msr daifclr, #7
	mov x0, x20
	blr x19
	bl thread_exit
	brk #1
	.size thread_entry, . - thread_entry

/* First instruction of a forked thread: its struct regs is at the stack pointer. */
	.globl thread_entry_user
	.type thread_entry_user, @function
thread_entry_user:
	bl sched_thread_started
	msr daifset, #6
	b return_to_user
	.size thread_entry_user, . - thread_entry_user

/* in: x0 struct regs at the top of the current stack. Leaves for user mode. */
	.globl enter_user_at
	.type enter_user_at, @function
enter_user_at:
	msr daifset, #6
	mov sp, x0
	mov x29, xzr
	b return_to_user
	.size enter_user_at, . - enter_user_at

	.section .note.GNU-stack, "", @progbits
