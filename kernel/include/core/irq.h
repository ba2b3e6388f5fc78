/* Device interrupts: handlers by line, shared lines allowed. */
#pragma once
#include <arch/cpu.h>
#include <arch/irq.h>
#include <arch/percpu.h>

/* Runs with interrupts off, preempt count in IRQ; may wake threads and queue work, may not sleep or
 * allocate. Returns true if the device was the cause. */
typedef bool (*irq_handler_t)(unsigned irq, void *arg);

/* Registers and unmasks. 0, -ENOMEM, -EINVAL. Thread context. */
int irq_request(unsigned irq, irq_handler_t handler, void *arg, const char *name);
void irq_free(unsigned irq, void *arg);
u64 irq_count(unsigned irq); /* for /proc/interrupts */

/*
 * What the interrupt being handled on this CPU has interrupted. The entry code sets it (and adds
 * PREEMPT_IRQ_ONE to preempt_count) around irq_dispatch, ipi_dispatch and timer_dispatch, and puts the
 * old value back. The tick charges user or system time by it.
 */
struct regs;
DECLARE_PER_CPU(struct regs *, irq_regs);

/* Cross-CPU calls: runs fn(arg) on each CPU of the mask but this one, interrupts off there, and waits.
 * Preemption is disabled inside. Not from interrupt handlers, nor with interrupts off. */
void smp_call(unsigned long cpumask, void (*fn)(void *), void *arg);
extern unsigned long cpu_online_mask; /* [a] bit per CPU */
extern unsigned nr_cpus_online; /* [a] */

const char *irq_name(unsigned irq); /* of its first handler, or NULL */

/* Keeps the per-CPU template for percpu_init(). First thing in kernel_main, after arch_cpu_init_boot(). */
void percpu_save_template(void);
void percpu_init(
	unsigned cpus); /* allocates and copies the areas; boot CPU, after the page allocator */
/* The CPU is up and takes interrupts: cpu_online_mask, nr_cpus_online. By sched_idle_loop(). */
void cpu_set_online(unsigned cpu);
void *kzalloc(size_t size); /* in mm/: memory for the areas */
