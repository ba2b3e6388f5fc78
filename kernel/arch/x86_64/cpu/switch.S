/*
 * Switching kernel stacks, and the first steps of new threads.
 *
 * A switched-out thread's stack holds, from its saved pointer up: r15 r14 r13 r12 rbx rbp, return
 * address. Everything else is caller-saved or put away by arch_switch().
 */
#include <asm/desc.h>
#include <asm/entry.h>

	.text

/* in: rdi thread to leave, rsi thread to go to. out: rax the thread left, seen from the new stack.
 * Interrupts off. */
	.globl switch_stacks
	.type switch_stacks, @function
switch_stacks:
	pushq %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, THREAD_SP(%rdi)
	movq THREAD_SP(%rsi), %rsp
	movq %rdi, %rax
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
	ret
	.size switch_stacks, . - switch_stacks

/* First instruction of a kernel thread: rax previous thread, rbx function, r12 its argument. */
	.globl thread_entry
	.type thread_entry, @function
thread_entry:
	movq %rax, %rdi
	call sched_thread_started
	sti
	movq %r12, %rdi
	call *%rbx
	call thread_exit
	ud2
	.size thread_entry, . - thread_entry

/* First instruction of a forked thread: its struct regs is above the end of the first frame. */
	.globl thread_entry_user
	.type thread_entry_user, @function
thread_entry_user:
	movq %rax, %rdi
	call sched_thread_started
	cli
	addq $8, %rsp
	jmp return_to_user
	.size thread_entry_user, . - thread_entry_user

/* in: rdi struct regs at the top of the current stack. Leaves for user mode. */
	.globl enter_user_at
	.type enter_user_at, @function
enter_user_at:
	cli
	movq %rdi, %rsp
	xorl %ebp, %ebp
	jmp return_to_user
	.size enter_user_at, . - enter_user_at

	.section .note.GNU-stack, "", @progbits
