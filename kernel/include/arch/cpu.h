/*
 * The arch contract, CPU: start-up, identity, idling, stopping.
 *
 * Every header in this directory declares what a port owes to the kernel, and ends by including the
 * port's own <asm/...> part, which holds the inline ones. A port that lacks one does not link. What every port
 * would write alike is in arch/common, whose headers say what it wants of the port in turn.
 */
#pragma once
#include <lib/types.h>

#define MAX_CPUS 8

struct regs;

/*
 * The boot CPU's early start: descriptor tables, exception entry, control registers, per-CPU base of
 * CPU 0. Called first thing from kernel_main, with interrupts off and no allocator.
 */
void arch_cpu_init_boot(void);

/*
 * What needs the allocator and the memory map: firmware tables, interrupt controllers, clock. Boot CPU,
 * interrupts off. Afterwards arch_clock_ns(), arch_timer_arm() and arch_cpu_count() work.
 */
void arch_init_platform(void);

/* Number of CPUs that firmware describes, at most MAX_CPUS. */
unsigned arch_cpu_count(void);

/*
 * Starts a secondary CPU on the idle thread prepared for it; the CPU runs kernel_main_secondary(cpu).
 * Returns 0, -ETIMEDOUT when it did not come up within a second, -ENOMEM. Thread context.
 */
int arch_cpu_start(unsigned cpu);

/* Enables interrupts and waits for one, without a window between the two. Interrupts off at entry,
 * on at return. */
static inline void arch_cpu_idle(void);

/* Stops this CPU for good, interrupts off. */
__noreturn void arch_cpu_halt(void);

/* Stops all other CPUs for good (panic, poweroff); those that ran leave their registers where
 * arch_cpu_stopped_regs() finds them. Never blocks for more than 100 ms. Any context. */
void arch_cpu_stop_others(void);

/* Registers a stopped CPU was interrupted with, or NULL. */
const struct regs *arch_cpu_stopped_regs(unsigned cpu);

/* A hint in spin loops. */
static inline void cpu_relax(void);

/* Powers the machine off, or resets it. Interrupts off, other CPUs stopped. */
__noreturn void arch_poweroff(void);
__noreturn void arch_reboot(void);

/* Resets the machine the way an unhandled fault would: nobody announces it. Tests only. */
__noreturn void arch_reset_unannounced(void);
/* Faults with a stack pointer that is none. Tests only. */
void arch_bad_stack(void);

/* Calendar time at boot, seconds since 1970, from the real-time clock. */
u64 arch_rtc_read(void);

/* Fills buf with n bytes of hardware randomness; returns how many it could. */
size_t arch_random(void *buf, size_t n);

/* The text of one CPU's paragraph in /proc/cpuinfo; returns its length. */
int arch_cpuinfo(unsigned cpu, char *buf, size_t size);

/* ELF hwcap and platform values for the auxiliary vector. */
u64 arch_hwcap(void);
u64 arch_hwcap2(void);
const char *arch_platform(void);

/* Upcall: a secondary CPU enters here on its idle thread's stack, interrupts off. */
__noreturn void kernel_main_secondary(unsigned cpu);

#include <asm/cpu.h>
