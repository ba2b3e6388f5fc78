/*
 * Entry of exceptions and interrupts: one stub per vector, one path for those that share the thread's
 * stack, one for those with a stack of their own (IST).
 *
 * A stub leaves [error code] and the saved rdi on the stack and the vector in edi. orig_ax becomes -1: no
 * system call to restart.
 */
#include <asm/desc.h>
#include <asm/entry.h>
#include <asm/smap.h>
#include <asm/vectors.h>

#define MSR_GS_BASE_NR 0xc0000101

	.section .entry.text, "ax"

/* in: vector number, and whether the CPU pushes an error code for it. */
.macro STUB vector
	.balign 16
stub_\vector:
	.if \vector == 8 || (\vector >= 10 && \vector <= 14) || \vector == 17 || \vector == 21 || \
		\vector == 29 || \vector == 30
	.else
	pushq $0
	.endif
	pushq %rdi
	movl $\vector, %edi
	.if \vector == 1 || \vector == 2 || \vector == 8 || \vector == 18
	jmp exception_ist
	.elseif \vector < 0x20
	jmp exception_common
	.else
	jmp interrupt_common
	.endif
.endm

.macro STUB_ADDRESS vector
	.quad stub_\vector
.endm

	.altmacro
.macro FOR_ALL macro
	.set i, 0
	.rept 256
	\macro %i
	.set i, i + 1
	.endr
.endm

	FOR_ALL STUB

	.section .rodata
	.globl exception_stubs
	.type exception_stubs, @object
	.balign 8
exception_stubs:
	FOR_ALL STUB_ADDRESS
	.size exception_stubs, . - exception_stubs

	.section .entry.text, "ax"

/* in: edi vector; on the thread's stack: error code, rdi. Interrupts off. */
	.type exception_common, @function
	.balign 64
exception_common:
	PUSH_REGS_FROM_SI
	cld
	USER_ACCESS_END
	testb $3, REGS_CS(%rsp)
	jz 1f
	swapgs
.Lexception_call:
1:	movq %rsp, %rsi
	movq REGS_ORIG(%rsp), %rdx
	movq $-1, REGS_ORIG(%rsp)
	call exception_dispatch
.Lleave:
	testb $3, REGS_CS(%rsp)
	jnz return_to_user
	POP_REGS
	addq $8, %rsp
	iretq
	.size exception_common, . - exception_common

/* in: as above, for device interrupts, timer, calls between CPUs. */
	.type interrupt_common, @function
	.balign 64
interrupt_common:
	PUSH_REGS_FROM_SI
	cld
	USER_ACCESS_END
	testb $3, REGS_CS(%rsp)
	jz 1f
	swapgs
1:	movq %rsp, %rsi
	movq $-1, REGS_ORIG(%rsp)
	call interrupt_dispatch
	jmp .Lleave
	.size interrupt_common, . - interrupt_common

/*
 * in: edi vector; on an interrupt stack: error code, rdi. From user mode the frame moves to the thread's
 * stack and goes the common way. From the kernel gs may be either's: the CPU's own base is found by its
 * number (the limit of the CPUNODE segment) and the old one is put back at the end.
 */
	.type exception_ist, @function
	.balign 64
exception_ist:
	PUSH_REGS_FROM_SI
	cld
	USER_ACCESS_END
	testb $3, REGS_CS(%rsp)
	jnz .Lfrom_user
	movl $MSR_GS_BASE_NR, %ecx
	rdmsr
	shlq $32, %rdx
	orq %rdx, %rax
	movq %rax, %r12
	movl $CPUNODE_SEL, %eax
	lsl %eax, %eax
	andl $0xfff, %eax
	movq percpu_offset(, %rax, 8), %rax
	movq %rax, %rdx
	shrq $32, %rdx
	wrmsr
	movq %rsp, %rsi
	movq REGS_ORIG(%rsp), %rdx
	movq $-1, REGS_ORIG(%rsp)
	call exception_dispatch
	movl $MSR_GS_BASE_NR, %ecx
	movq %r12, %rax
	movq %rax, %rdx
	shrq $32, %rdx
	wrmsr
	POP_REGS
	addq $8, %rsp
	iretq
.Lfrom_user:
	swapgs
	movl %edi, %ebx
	movq %rsp, %rsi
	movq %gs:entry_kstack_top, %rsp
	subq $REGS_SIZE, %rsp
	movq %rsp, %rdi
	movl $(REGS_SIZE / 8), %ecx
	rep movsq
	movl %ebx, %edi
	jmp .Lexception_call
	.size exception_ist, . - exception_ist

	.section .note.GNU-stack, "", @progbits
