/*
 * System calls and the way back to user mode: one save (vectors.S), a direct call through the table, one
 * test of the thread's flags word.
 *
 * Number in w8, arguments in x0 to x5, result in x0; SVC leaves the return address in ELR_EL1 and masks
 * interrupts. The call's arguments are still in their registers when it is made. All other registers come back
 * as they were. Manual: Arm ARM, C6.2 (SVC, ERET).
 */
#include <asm/entry.h>
#include <entry/flags.h>
#include <syscall_limit.h>

	.section .entry.text, "ax"

/*
 * The thread's record of its calls (debug/syscall_ring.h). The slot's fields are stored before the head moves
 * over them, the result before the end, for readers on other CPUs too. x19 (the thread) and x24 (where result
 * and end go) stay until the exit: the functions called preserve them. Changes x9, x20 to x24.
 */
.macro RECORD_CALL
	CURRENT x19
	add x20, x19, #THREAD_CALLS
	ldr x21, [x20, #SYSCALL_RING_HEAD]
	and x22, x21, #SYSCALL_RING_WRAP
	add x23, x20, x22, lsl #2
	add x24, x20, x22
	add x24, x24, #SYSCALL_DONE_RESULT
	str w8, [x23, #SYSCALL_CALL_NR]
	stp x0, x1, [x23, #SYSCALL_CALL_ARG]
	stp x2, x3, [x23, #SYSCALL_CALL_ARG + 16]
	stp x4, x5, [x23, #SYSCALL_CALL_ARG + 32]
	str xzr, [x24, #SYSCALL_DONE_END - SYSCALL_DONE_RESULT]
	mrs x9, cntvct_el0
	str x9, [x23, #SYSCALL_CALL_START]
	add x20, x20, #SYSCALL_RING_HEAD
	add x21, x21, #SYSCALL_RING_STEP
	stlr x21, [x20]
.endm

/* in: x0 the result. Changes x9, x10. */
.macro RECORD_RESULT
	str x0, [x24]
	mrs x9, cntvct_el0
	add x10, x24, #SYSCALL_DONE_END - SYSCALL_DONE_RESULT
	stlr x9, [x10]
.endm

/* in: struct regs at sp but for orig_x0 and nr; x0 to x8 the user's; interrupts off. */
	.globl syscall_entry
	.type syscall_entry, @function
	.balign 64
syscall_entry:
	sxtw x9, w8 /* the number is 32 bits wide */
	stp x0, x9, [sp, #REGS_ORIG]
	RECORD_CALL
	msr daifclr, #7 /* interrupts, fast ones, system errors */
	cmp w8, #SYSCALL_TABLE_SIZE
	b.hs .Lunknown
	csel x8, x8, xzr, lo /* no number beyond the table, not even by a wrong guess of the branch */
	csdb
	adrp x9, syscall_table
	add x9, x9, :lo12:syscall_table
	ldr x9, [x9, w8, uxtw #3]
	blr x9
.Lresult:
	str x0, [sp, #REGS_X0]
	RECORD_RESULT
	msr daifset, #6
	ldr w9, [x19, #THREAD_FLAGS]
	tst w9, #TF_SYSCALL_WORK_MASK
	b.ne .Lcall_work
.Lleave:
	ldr x9, [sp, #REGS_SP]
	ldp x10, x11, [sp, #REGS_PC]
	msr sp_el0, x9
	msr elr_el1, x10
	msr spsr_el1, x11
	LOAD_GENERAL
	ldp x18, x19, [sp, #REGS_X18]
	ldr x30, [sp, #REGS_X30]
	add sp, sp, #REGS_SIZE
	eret
.Lcall_work:
	mov x0, sp
	bl syscall_exit_work
	b .Lleave
.Lunknown:
	bl syscall_unknown
	b .Lresult
	.size syscall_entry, . - syscall_entry

/* in: struct regs at sp, interrupts off. Out to user mode after a look at the flags. */
	.globl return_to_user
	.type return_to_user, @function
return_to_user:
	CURRENT x9
	ldr w9, [x9, #THREAD_FLAGS]
	tst w9, #TF_WORK_MASK
	b.eq .Lleave
	mov x0, sp
	bl return_to_user_work
	b .Lleave
	.size return_to_user, . - return_to_user

	.section .note.GNU-stack, "", @progbits
