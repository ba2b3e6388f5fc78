/*
 * Per-CPU data on aarch64: x18 holds the address of this CPU's area all the time that it is in the kernel (and
 * TPIDR_EL1 keeps it for entry). The template is aligned to a page and no larger (boot/link.ld), so that the low
 * twelve bits of a variable's own address are its place in every area, and fit into the instruction: reading and
 * writing is one instruction, which cannot be torn by a move to another CPU.
 */
#pragma once
#include <lib/types.h>

/* The value as an unsigned long, loaded by one instruction; narrowed by the caller's cast. */
#define this_cpu_load_(vol, insn, size, var, r)                                                    \
	asm vol(insn " %" size "0, [x18, #:lo12:%c1]" : "=r"(r) : "S"(&(var)))
#define this_cpu_load(vol, var)                                                                    \
	({                                                                                         \
		unsigned long r_;                                                                  \
		switch (sizeof(var)) {                                                             \
		case 1: this_cpu_load_(vol, "ldrb", "w", var, r_); break;                          \
		case 2: this_cpu_load_(vol, "ldrh", "w", var, r_); break;                          \
		case 4: this_cpu_load_(vol, "ldr", "w", var, r_); break;                           \
		default: this_cpu_load_(vol, "ldr", "x", var, r_); break;                          \
		}                                                                                  \
		(__typeof__(var))r_;                                                               \
	})
#define this_cpu_read(var) this_cpu_load(volatile, var)
/* For what does not change as seen by the running thread: the compiler may reuse the value. */
#define this_cpu_read_stable(var) this_cpu_load(, var)

#define this_cpu_store_(insn, size, var, v)                                                        \
	asm volatile(insn " %" size "0, [x18, #:lo12:%c1]" : : "rZ"(v), "S"(&(var)) : "memory")
#define this_cpu_write(var, v)                                                                     \
	do {                                                                                       \
		unsigned long v_ = (unsigned long)(v);                                             \
		switch (sizeof(var)) {                                                             \
		case 1: this_cpu_store_("strb", "w", var, v_); break;                              \
		case 2: this_cpu_store_("strh", "w", var, v_); break;                              \
		case 4: this_cpu_store_("str", "w", var, v_); break;                               \
		default: this_cpu_store_("str", "x", var, v_); break;                              \
		}                                                                                  \
	} while (0)
#define this_cpu_add(var, n) this_cpu_write(var, this_cpu_read(var) + (n))

/*
 * Load, add, store of the low half alone, without exclusives. An interrupt between load and store leaves that
 * half as it was, and what it changes in the upper half (a reschedule is wanted) is neither loaded nor stored.
 * When it switches to another thread, and this one goes on elsewhere, the store goes to the new CPU's count, since
 * x18 is looked at again: there the half is what was loaded here, 0, or the thread could not have been moved.
 */
#define this_cpu_count_(insn, var)                                                                 \
	do {                                                                                       \
		u32 n_;                                                                            \
		BUILD_ASSERT(sizeof(var) == 4);                                                    \
		asm volatile("ldrh %w0, [x18, #:lo12:%c1]\n\t" insn " %w0, %w0, #1\n\t"            \
			     "strh %w0, [x18, #:lo12:%c1]"                                         \
			     : "=&r"(n_)                                                           \
			     : "S"(&(var))                                                         \
			     : "memory");                                                          \
	} while (0)
#define this_cpu_nest(var) this_cpu_count_("add", var)
/* The whole is looked at after the store: what an interrupt asked for before that is not lost. */
#define this_cpu_unnest(var)                                                                       \
	({                                                                                         \
		this_cpu_count_("sub", var);                                                       \
		!this_cpu_read(var);                                                               \
	})

#define this_cpu_ptr(var)                                                                          \
	({                                                                                         \
		uintptr_t p_;                                                                      \
		asm volatile("add %0, x18, #:lo12:%c1" : "=r"(p_) : "S"(&(var)));                  \
		(__typeof__(var) *)p_;                                                             \
	})

/* Makes the area at this offset from the template this CPU's. Interrupts off. */
static __always_inline void arch_percpu_set_base(uintptr_t offset)
{
	extern char __percpu_start[];

	asm volatile("msr tpidr_el1, %0\n\tmov x18, %0"
		     :
		     : "r"((uintptr_t)__percpu_start + offset)
		     : "memory");
}
