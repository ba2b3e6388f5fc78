/*
 * SYSCALL entry and exit: one stack switch, one save, a direct call through the table, one test of the
 * thread's flags word.
 *
 * SYSCALL leaves the user's ip in rcx and flags in r11, and masks interrupts (SFMASK). Arguments: rdi rsi
 * rdx r10 r8 r9, number rax. SYSRET is used when ip and flags still are what SYSCALL saved; everything
 * else (signal delivered, exec, sigreturn, single step) goes out by IRET. Manual: SDM 2B, SYSCALL, SYSRET.
 */
#include <asm/desc.h>
#include <asm/entry.h>
#include <entry/flags.h>
#include <syscall_limit.h>

	.section .entry.text, "ax"

/*
 * The thread's record of its calls (debug/syscall_ring.h). The slot's fields are filled before the head
 * moves over them, the result is stored before the end. rbx (the thread) and r12 (place in the ring) stay
 * until the exit: the functions called preserve them.
 */
.macro RECORD_CALL
	movq %gs:current_thread, %rbx
	movl THREAD_CALLS + SYSCALL_RING_HEAD(%rbx), %r12d
	andl $SYSCALL_RING_WRAP, %r12d
	movl %eax, THREAD_CALLS + SYSCALL_CALL_NR(%rbx, %r12, 4)
	movq %rdi, THREAD_CALLS + SYSCALL_CALL_ARG(%rbx, %r12, 4)
	movq %rsi, THREAD_CALLS + SYSCALL_CALL_ARG + 8(%rbx, %r12, 4)
	movq %rdx, THREAD_CALLS + SYSCALL_CALL_ARG + 16(%rbx, %r12, 4)
	movq %r10, THREAD_CALLS + SYSCALL_CALL_ARG + 24(%rbx, %r12, 4)
	movq %r8, THREAD_CALLS + SYSCALL_CALL_ARG + 32(%rbx, %r12, 4)
	movq %r9, THREAD_CALLS + SYSCALL_CALL_ARG + 40(%rbx, %r12, 4)
	movq $0, THREAD_CALLS + SYSCALL_DONE_END(%rbx, %r12)
	rdtsc
	movl %eax, THREAD_CALLS + SYSCALL_CALL_START(%rbx, %r12, 4)
	movl %edx, THREAD_CALLS + SYSCALL_CALL_START + 4(%rbx, %r12, 4)
	movq REGS_DX(%rsp), %rdx
	movl THREAD_CALLS + SYSCALL_CALL_NR(%rbx, %r12, 4), %eax /* 32 bits are the number */
	addq $SYSCALL_RING_STEP, THREAD_CALLS + SYSCALL_RING_HEAD(%rbx)
.endm

/* in: rax the result; changed, and rdx. */
.macro RECORD_RESULT
	movq %rax, THREAD_CALLS + SYSCALL_DONE_RESULT(%rbx, %r12)
	rdtsc
	shlq $32, %rdx
	orq %rdx, %rax
	movq %rax, THREAD_CALLS + SYSCALL_DONE_END(%rbx, %r12)
.endm

/* in: user registers; gs is the user's, rsp the user's. */
	.globl syscall_entry
	.type syscall_entry, @function
	.balign 64
syscall_entry:
	swapgs
	movq %rsp, %gs:entry_user_sp
	movq %gs:entry_kstack_top, %rsp
	pushq $USER_DS
	pushq %gs:entry_user_sp
	pushq %r11
	pushq $USER_CS
	pushq %rcx
	pushq %rax
	pushq %rdi
	PUSH_REGS_FROM_SI ax=$-38 /* ENOSYS, if nobody stores a result */
	RECORD_CALL
	sti
	cmpl $SYSCALL_TABLE_SIZE, %eax
	jae .Lunknown
	movq %r10, %rcx
	call *syscall_table(, %rax, 8)
.Lresult:
	movq %rax, REGS_AX(%rsp)
	RECORD_RESULT
	cli
	testl $TF_SYSCALL_WORK_MASK, THREAD_FLAGS(%rbx)
	jnz .Lwork
.Lreturn:
	movq REGS_CX(%rsp), %rcx
	cmpq %rcx, REGS_IP(%rsp)
	jne .Liret
	movq REGS_R11(%rsp), %r11
	cmpq %r11, REGS_FLAGS(%rsp)
	jne .Liret
	movq %rcx, %rdx
	shrq $47, %rdx
	jnz .Liret
	testl $(FLAGS_TF | FLAGS_RF), %r11d
	jnz .Liret
	POP_REGS
	movq REGS_SP - REGS_ORIG(%rsp), %rsp
	swapgs
	sysretq
.Lunknown:
	call syscall_unknown
	jmp .Lresult
.Lwork:
	movq %rsp, %rdi
	call syscall_exit_work
	jmp .Lreturn
/* An ip that is no user address (a handler's, an entry point's) would fault in IRET, with the user's gs. */
.Liret:
	movq REGS_IP(%rsp), %rax
	shrq $47, %rax
	jnz .Lbad_ip
	POP_REGS
	addq $8, %rsp
	swapgs
	iretq
.Lbad_ip:
	movq %rsp, %rdi
	call return_bad_ip
	jmp return_to_user
	.size syscall_entry, . - syscall_entry

/* SYSCALL from a 32-bit code segment (AMD): there are no such calls. On the user's stack, untouched. */
	.globl syscall_entry_compat
	.type syscall_entry_compat, @function
	.balign 16
syscall_entry_compat:
	movl $-38, %eax
	sysretl
	.size syscall_entry_compat, . - syscall_entry_compat

/* in: rsp at struct regs, interrupts off, kernel gs. Out to user mode after a look at the flags. */
	.globl return_to_user
	.type return_to_user, @function
return_to_user:
	movq %gs:current_thread, %rax
	testl $TF_WORK_MASK, THREAD_FLAGS(%rax)
	jz .Liret
	movq %rsp, %rdi
	call return_to_user_work
	jmp .Liret
	.size return_to_user, . - return_to_user

	.section .note.GNU-stack, "", @progbits
