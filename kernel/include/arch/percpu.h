/*
 * The arch contract: per-CPU data.
 *
 * DEFINE_PER_CPU(type, name) puts a template into section .percpu; each CPU owns a copy, laid out
 * percpu_offset[cpu] bytes from the template (0 for the boot CPU until percpu_init() copies it).
 * this_cpu_*() are single instructions where the port can; they are atomic against interrupts on the
 * same CPU. this_cpu_ptr() needs preemption off for as long as the pointer is used.
 */
#pragma once
#include <lib/types.h>

#define PERCPU_SECTION ".percpu"
#define DEFINE_PER_CPU(type, name) __section(PERCPU_SECTION) __typeof__(type) name
#define DECLARE_PER_CPU(type, name) extern __typeof__(type) name

extern char __percpu_start[], __percpu_end[];
extern uintptr_t percpu_offset[]; /* [I] after boot */

/* Another CPU's copy of a per-CPU variable. */
#define per_cpu_ptr(cpu, var)                                                                      \
	((__typeof__(var) *)((uintptr_t) & (var) + READ_ONCE(percpu_offset[cpu])))

/*
 * <asm/percpu.h> provides, for scalars of 1 to 8 bytes:
 *   this_cpu_read(var) this_cpu_write(var, v) this_cpu_add(var, v) this_cpu_inc(var)
 *   this_cpu_dec_and_test(var)   bool: became zero
 * and this_cpu_ptr(var), and arch_percpu_set_base(offset) for this CPU.
 */
#include <asm/percpu.h>

/* This CPU's number, 0 for the boot CPU. Set with the per-CPU base. */
DECLARE_PER_CPU(unsigned, cpu_number);
static inline unsigned this_cpu(void)
{
	return this_cpu_read(cpu_number);
}
