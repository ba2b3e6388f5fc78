/*
 * Segment selectors, task state, interrupt stacks: the numbers are those Linux programs see.
 * Assembly includes this too.
 */
#pragma once

#define KERNEL_CS 0x10
#define KERNEL_DS 0x18
#define USER32_CS 0x23
#define USER_DS 0x2b
#define USER_CS 0x33
#define TSS_SEL 0x40
#define CPUNODE_SEL 0x7b /* its limit is the CPU number: getcpu in the vDSO (lsl) */
#define GDT_ENTRIES 16

/* Interrupt stack table: gates with one of these switch stacks even from kernel mode. */
#define IST_DF 1
#define IST_NMI 2
#define IST_MC 3
#define IST_DB 4
#define IST_COUNT 4
#define IST_SIZE                                                                                   \
	8192 /* each with an unmapped page below (the boot CPU's: after arch_init_platform) */

/* Byte offset of sp0 in struct tss. */
#define TSS_SP0 4

#ifndef __ASSEMBLER__
#include <arch/percpu.h>

struct tss {
	u32 reserved0;
	u64 sp0; /* kernel stack for interrupts from user mode */
	u64 sp1, sp2;
	u64 reserved1;
	u64 ist[7];
	u64 reserved2;
	u16 reserved3;
	u16 iomap_base;
} __packed;

/* This CPU's; the switch code stores sp0 (and nothing else) there. */
DECLARE_PER_CPU(struct tss, cpu_tss);

void gdt_load_boot(void); /* boot CPU, first thing */
void gdt_load_this_cpu(
	void); /* (re)loads table, segments and task register from the per-CPU area */
int gdt_alloc_ist(unsigned cpu); /* interrupt stacks with guard pages. 0, -ENOMEM */
void idt_load(void);
void idt_init(void);

/* kernel/arch/x86_64/entry: one stub per vector; and the SYSCALL entry. */
extern const u64 exception_stubs[256];
void syscall_entry(void);
void syscall_entry_compat(void);
#endif
