/*
 * Offsets that entry assembly uses. Checked against the structures in cpu/thread.c.
 */
#pragma once
#include <debug/syscall_ring.h>

#define REGS_R11 (6 * 8)
#define REGS_AX (10 * 8)
#define REGS_CX (11 * 8)
#define REGS_DX (12 * 8)
#define REGS_ORIG (15 * 8)
#define REGS_IP (16 * 8)
#define REGS_CS (17 * 8)
#define REGS_FLAGS (18 * 8)
#define REGS_SP (19 * 8)
#define REGS_SIZE (21 * 8)

#define THREAD_SP 0
#define THREAD_FLAGS 64
#define THREAD_CALLS 128

#define FLAGS_TF 0x100
#define FLAGS_RF 0x10000

#ifdef __ASSEMBLER__
/* Assembly, which the formatter takes for C: */
/* clang-format off */
/* The general registers below orig_ax, in the order of struct regs. */
.macro PUSH_REGS_FROM_SI ax=%rax
	pushq %rsi
	pushq %rdx
	pushq %rcx
	pushq \ax
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
.endm
.macro POP_REGS
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rax
	popq %rcx
	popq %rdx
	popq %rsi
	popq %rdi
.endm
/* clang-format on */
#else
#include <arch/ex_table.h>
#include <arch/percpu.h>
#include <arch/regs.h>

/* Top of the current thread's kernel stack, for SYSCALL; and where SYSCALL parks the user's pointer. */
DECLARE_PER_CPU(u64, entry_kstack_top);
DECLARE_PER_CPU(u64, entry_user_sp);

/* From the assembly. Interrupts off. */
void exception_dispatch(unsigned vector, struct regs *regs, u64 error);
void page_fault_dispatch(struct regs *regs, u64 error, uintptr_t addr);
void interrupt_dispatch(unsigned vector, struct regs *regs);
/* What an exception (below 32) means for the program that caused it. Interrupts still off: reads FPU and
 * debug registers. */
struct exception_signal {
	int sig, code;
	uptr_t addr;
};
struct exception_signal exception_signal(unsigned vector, const struct regs *regs);
const char *exception_name(unsigned vector);
/* The ip to return to is no user address: SIGSEGV. */
void return_bad_ip(struct regs *regs);
/* First instruction that runs on a new thread's stack. */
void thread_entry(void);
void thread_entry_user(void);
#endif
