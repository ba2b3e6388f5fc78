/*
 * Per-CPU data on aarch64: x18 holds this CPU's offset from the template section all the time that it is in
 * the kernel (and TPIDR_EL1 keeps it for entry), so that reading and writing is one instruction, which cannot
 * be torn by a move to another CPU. What reads and writes is a loop with exclusives: the address is computed
 * inside and compared after the load, and any exception makes the store fail.
 */
#pragma once
#include <lib/types.h>

/* The value as an unsigned long, loaded by one instruction; narrowed by the caller's cast. */
#define this_cpu_load(vol, var)                                                                    \
	({                                                                                         \
		unsigned long r_;                                                                  \
		switch (sizeof(var)) {                                                             \
		case 1: asm vol("ldrb %w0, [%1, x18]" : "=r"(r_) : "r"(&(var))); break;            \
		case 2: asm vol("ldrh %w0, [%1, x18]" : "=r"(r_) : "r"(&(var))); break;            \
		case 4: asm vol("ldr %w0, [%1, x18]" : "=r"(r_) : "r"(&(var))); break;             \
		default: asm vol("ldr %0, [%1, x18]" : "=r"(r_) : "r"(&(var))); break;             \
		}                                                                                  \
		(__typeof__(var))r_;                                                               \
	})
#define this_cpu_read(var) this_cpu_load(volatile, var)
/* For what does not change as seen by the running thread: the compiler may reuse the value. */
#define this_cpu_read_stable(var) this_cpu_load(, var)

#define this_cpu_store_(insn, size, var, v)                                                        \
	asm volatile(insn " %" size "0, [%1, x18]" : : "rZ"(v), "r"(&(var)) : "memory")
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

/* The variable's new value. */
#define DEFINE_THIS_CPU_ADD(name, T, size)                                                         \
	static __always_inline T name(T *var, T n)                                                 \
	{                                                                                          \
		uintptr_t at, check;                                                               \
		u32 failed;                                                                        \
		T v;                                                                               \
		asm volatile("1:\tadd %[at], %[var], x18\n\t"                                      \
			     "ldxr %" size "[v], [%[at]]\n\t"                                      \
			     "sub %[check], %[at], x18\n\t"                                        \
			     "cmp %[check], %[var]\n\t"                                            \
			     "b.ne 1b\n\t"                                                         \
			     "add %" size "[v], %" size "[v], %" size "[n]\n\t"                    \
			     "stxr %w[failed], %" size "[v], [%[at]]\n\t"                          \
			     "cbnz %w[failed], 1b"                                                 \
			     : [at] "=&r"(at), [check] "=&r"(check), [v] "=&r"(v),                 \
			       [failed] "=&r"(failed)                                              \
			     : [var] "r"(var), [n] "r"(n)                                          \
			     : "memory", "cc");                                                    \
		return v;                                                                          \
	}
DEFINE_THIS_CPU_ADD(this_cpu_add_u32, u32, "w")
DEFINE_THIS_CPU_ADD(this_cpu_add_u64, u64, "x")

#define this_cpu_add_return_(var, n)                                                               \
	(sizeof(var) == 4 ? this_cpu_add_u32((u32 *)&(var), (u32)(n))                              \
			  : this_cpu_add_u64((u64 *)&(var), (u64)(n)))
#define this_cpu_add(var, n)                                                                       \
	do {                                                                                       \
		BUILD_ASSERT(sizeof(var) == 4 || sizeof(var) == 8);                                \
		(void)this_cpu_add_return_(var, n);                                                \
	} while (0)
#define this_cpu_inc(var) this_cpu_add(var, 1)
#define this_cpu_dec_and_test(var) (!this_cpu_add_return_(var, -1))

#define this_cpu_ptr(var)                                                                          \
	({                                                                                         \
		uintptr_t p_;                                                                      \
		asm volatile("add %0, %1, x18" : "=r"(p_) : "r"(&(var)));                          \
		(__typeof__(var) *)p_;                                                             \
	})

/* Makes `offset` this CPU's. Interrupts off. */
static __always_inline void arch_percpu_set_base(uintptr_t offset)
{
	asm volatile("msr tpidr_el1, %0\n\tmov x18, %0" : : "r"(offset) : "memory");
}
