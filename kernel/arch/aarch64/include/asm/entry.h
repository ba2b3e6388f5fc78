/*
 * Offsets that entry assembly uses, checked against the structures in cpu/thread.c; the macros it is made
 * of; and the C functions it calls.
 */
#pragma once
#include <debug/syscall_ring.h>

#define REGS_X0 0
#define REGS_X18 (18 * 8)
#define REGS_X30 (30 * 8)
#define REGS_SP (31 * 8)
#define REGS_PC (32 * 8)
#define REGS_PSTATE (33 * 8)
#define REGS_ORIG (34 * 8)
#define REGS_NR (35 * 8)
#define REGS_SIZE (36 * 8)

#define THREAD_SP 0
#define THREAD_FLAGS 64
#define THREAD_CALLS 128

/* A kernel stack is the upper half of a slot of twice its size: its addresses have this bit set, those
 * below it do not. */
#define KSTACK_BIT 14
#define KSTACK_TOP_SHIFT 46 /* from here on all bits are set */
#define OVERFLOW_STACK_SHIFT 13

#ifdef __ASSEMBLER__
/* Assembly, which the formatter takes for C: */
/* clang-format off */
/* x18 is the address of this CPU's area (asm/percpu.h). */
.macro CURRENT reg
	ldr \reg, [x18, #:lo12:current_thread]
.endm
/* All registers but sp, pc, pstate into struct regs at sp. */
.macro SAVE_GENERAL
	stp x0, x1, [sp, #16 * 0]
	stp x2, x3, [sp, #16 * 1]
	stp x4, x5, [sp, #16 * 2]
	stp x6, x7, [sp, #16 * 3]
	stp x8, x9, [sp, #16 * 4]
	stp x10, x11, [sp, #16 * 5]
	stp x12, x13, [sp, #16 * 6]
	stp x14, x15, [sp, #16 * 7]
	stp x16, x17, [sp, #16 * 8]
	stp x18, x19, [sp, #16 * 9]
	stp x20, x21, [sp, #16 * 10]
	stp x22, x23, [sp, #16 * 11]
	stp x24, x25, [sp, #16 * 12]
	stp x26, x27, [sp, #16 * 13]
	stp x28, x29, [sp, #16 * 14]
.endm
/* sp is in x9; x10, x11 are free. */
.macro SAVE_STATE
	mrs x10, elr_el1
	mrs x11, spsr_el1
	stp x30, x9, [sp, #REGS_X30]
	stp x10, x11, [sp, #REGS_PC]
.endm
/* All but x18, x19, x30 and the state. */
.macro LOAD_GENERAL
	ldp x0, x1, [sp, #16 * 0]
	ldp x2, x3, [sp, #16 * 1]
	ldp x4, x5, [sp, #16 * 2]
	ldp x6, x7, [sp, #16 * 3]
	ldp x8, x9, [sp, #16 * 4]
	ldp x10, x11, [sp, #16 * 5]
	ldp x12, x13, [sp, #16 * 6]
	ldp x14, x15, [sp, #16 * 7]
	ldp x16, x17, [sp, #16 * 8]
	ldp x20, x21, [sp, #16 * 10]
	ldp x22, x23, [sp, #16 * 11]
	ldp x24, x25, [sp, #16 * 12]
	ldp x26, x27, [sp, #16 * 13]
	ldp x28, x29, [sp, #16 * 14]
.endm
/* clang-format on */
#else
#include <arch/ex_table.h>
#include <arch/percpu.h>
#include <arch/regs.h>

/* VBAR_EL1. */
extern const char exception_vectors[];

/* From the assembly. Interrupts off. */
void exception_user(struct regs *regs, u64 esr, u64 far);
void exception_kernel(struct regs *regs, u64 esr, u64 far);
void page_fault_user(struct regs *regs, u64 esr, u64 far);
void page_fault_kernel(struct regs *regs, u64 esr, u64 far);
void interrupt_dispatch(struct regs *regs);
__noreturn void fast_interrupt_stop(struct regs *regs);
__noreturn void exception_unexpected(struct regs *regs, u64 esr, unsigned vector);
__noreturn void exception_overflow(struct regs *regs, u64 esr);

/* What an exception means for the program that caused it. */
struct exception_signal {
	int sig, code;
	uptr_t addr;
};
struct exception_signal exception_signal(const struct regs *regs, u64 esr, u64 far);
const char *exception_name(u64 esr);
/* First instruction that runs on a new thread's stack. */
void thread_entry(void);
void thread_entry_user(void);
#endif
