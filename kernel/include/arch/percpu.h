/*
 * The arch contract: per-CPU data.
 *
 * DEFINE_PER_CPU(type, name) puts a template into section .percpu; each CPU owns a copy, laid out
 * percpu_offset[cpu] bytes from the template (0 for the boot CPU until percpu_init() copies it).
 * this_cpu_read() and this_cpu_write() cannot be torn by an interrupt or a move to another CPU. this_cpu_ptr() needs preemption off for as long as the pointer is used.
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
 *   this_cpu_read(var) this_cpu_write(var, v)
 *   this_cpu_add(var, v)    interrupts off
 * for a u32 whose low half counts what nests, which an interrupt leaves as it found it, and which is 0 whenever a
 * thread may be moved to another CPU; the upper half may change at any time:
 *   this_cpu_nest(var)      one more
 *   this_cpu_unnest(var)    one less; bool: the whole of it is zero
 * and this_cpu_ptr(var), and arch_percpu_set_base(offset) for this CPU.
 */
#include <asm/percpu.h>

/* This CPU's number, 0 for the boot CPU. Set with the per-CPU base. */
DECLARE_PER_CPU(unsigned, cpu_number);
static inline unsigned this_cpu(void)
{
	return this_cpu_read(cpu_number);
}
