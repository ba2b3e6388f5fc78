/*
 * Per-CPU data on x86_64: the GS base holds the CPU's offset from the template section, so that an access
 * is the variable's own address with a %gs prefix.
 */
#pragma once
#include <lib/types.h>

#define this_cpu_op2(insn, var, v)                                                                 \
	do {                                                                                       \
		unsigned long v_ = (unsigned long)(v);                                             \
		switch (sizeof(var)) {                                                             \
		case 1:                                                                            \
			asm volatile(insn "b %b1, %%gs:%0" : "+m"(var) : "qi"((u8)v_) : "cc");     \
			break;                                                                     \
		case 2:                                                                            \
			asm volatile(insn "w %w1, %%gs:%0" : "+m"(var) : "ri"((u16)v_) : "cc");    \
			break;                                                                     \
		case 4:                                                                            \
			asm volatile(insn "l %k1, %%gs:%0" : "+m"(var) : "ri"((u32)v_) : "cc");    \
			break;                                                                     \
		default: asm volatile(insn "q %q1, %%gs:%0" : "+m"(var) : "re"(v_) : "cc"); break; \
		}                                                                                  \
	} while (0)

/* The value as an unsigned long, loaded by one instruction; narrowed by the caller's cast. */
#define this_cpu_load(vol, var)                                                                    \
	({                                                                                         \
		unsigned long r_;                                                                  \
		switch (sizeof(var)) {                                                             \
		case 1: asm vol("movzbl %%gs:%1, %k0" : "=r"(r_) : "m"(var)); break;               \
		case 2: asm vol("movzwl %%gs:%1, %k0" : "=r"(r_) : "m"(var)); break;               \
		case 4: asm vol("movl %%gs:%1, %k0" : "=r"(r_) : "m"(var)); break;                 \
		default: asm vol("movq %%gs:%1, %0" : "=r"(r_) : "m"(var)); break;                 \
		}                                                                                  \
		(__typeof__(var))r_;                                                               \
	})

#define this_cpu_read(var) this_cpu_load(volatile, var)
/* For what does not change as seen by the running thread: the compiler may reuse the value. */
#define this_cpu_read_stable(var) this_cpu_load(, var)

#define this_cpu_write(var, v) this_cpu_op2("mov", var, v)
#define this_cpu_add(var, v) this_cpu_op2("add", var, v)
#define this_cpu_nest(var) asm volatile("incl %%gs:%0" : "+m"(var) : : "cc")
#define this_cpu_unnest(var)                                                                       \
	({                                                                                         \
		bool z_;                                                                           \
		asm volatile("decl %%gs:%1" : "=@ccz"(z_), "+m"(var));                             \
		z_;                                                                                \
	})

/* This CPU's offset; a per-CPU variable so that it is one load. Filled by arch_percpu_set_base(). */
extern uintptr_t cpu_own_offset;
#define this_cpu_ptr(var) ((__typeof__(var) *)((uintptr_t) & (var) + this_cpu_read(cpu_own_offset)))

/*
 * Makes `offset` this CPU's base, and reloads what the CPU itself finds by address in the per-CPU area
 * (descriptor table, task state). Interrupts off.
 */
void arch_percpu_set_base(uintptr_t offset);
