/*
 * Segment descriptors, task state and interrupt stacks of each CPU.
 *
 * Table and task state are per-CPU variables, so they move when a CPU's per-CPU area does:
 * arch_percpu_set_base() reloads them. Interrupt stacks (IST) serve the exceptions that may come when the
 * stack pointer cannot be trusted. The boot CPU starts on static ones, and gets ones with guard pages from
 * gdt_alloc_ist() as soon as there is an allocator. Manual: Intel SDM 3A, 3.4 and 7.7.
 */
#include <arch/mmu.h>
#include <arch/thread.h>
#include <asm/cpu.h>
#include <asm/desc.h>
#include <core/irq.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <mm/vmalloc.h>

#define GDT_TSS 8 /* two entries */
#define GDT_CPUNODE 15

struct gdt_table {
	u64 entry[GDT_ENTRIES];
};
struct desc_pointer {
	u16 limit;
	u64 base;
} __packed;

DEFINE_PER_CPU(struct tss, cpu_tss) = {
	.iomap_base = sizeof(struct tss),
};
DEFINE_PER_CPU(uintptr_t, cpu_own_offset) = 0;
DEFINE_PER_CPU(struct gdt_table, cpu_gdt) __aligned(64) = {
	.entry = {
		[KERNEL_CS / 8] = 0x00af9b000000ffff,
		[KERNEL_DS / 8] = 0x00cf93000000ffff,
		[USER32_CS / 8] = 0x00cffb000000ffff,
		[USER_DS / 8] = 0x00cff3000000ffff,
		[USER_CS / 8] = 0x00affb000000ffff,
	},
};
static char boot_ist[IST_COUNT][IST_SIZE] __aligned(PAGE_SIZE) __section(".bss.page_aligned");

static void gdt_fill(struct gdt_table *gdt, struct tss *tss, unsigned cpu)
{
	u64 base = (uintptr_t)tss, limit = sizeof(*tss) - 1;

	gdt->entry[GDT_TSS] =
		limit | (base & 0xffffff) << 16 | 0x89ull << 40 | (base >> 24 & 0xff) << 56;
	gdt->entry[GDT_TSS + 1] = base >> 32;
	/* A data segment of byte granularity that nothing is accessed through. */
	gdt->entry[GDT_CPUNODE] = (u64)(cpu & 0xffff) | 0x0040f50000000000;
}

void gdt_load_this_cpu(void)
{
	uintptr_t offset = this_cpu_read(cpu_own_offset);
	struct gdt_table *gdt = this_cpu_ptr(cpu_gdt);
	struct desc_pointer ptr = { sizeof(*gdt) - 1, (uintptr_t)gdt };

	gdt_fill(gdt, this_cpu_ptr(cpu_tss), this_cpu());
	asm volatile("lgdt %0" : : "m"(ptr) : "memory");
	asm volatile("pushq %0\n\t"
		     "leaq 1f(%%rip), %%rax\n\t"
		     "pushq %%rax\n\t"
		     "lretq\n"
		     "1:\tmovl %1, %%ss\n\t"
		     "movl %2, %%ds\n\tmovl %2, %%es\n\tmovl %2, %%fs\n\tmovl %2, %%gs"
		     :
		     : "i"(KERNEL_CS), "r"(KERNEL_DS), "r"(0)
		     : "rax", "memory");
	wrmsr(MSR_GS_BASE, offset);
	wrmsr(MSR_KERNEL_GS_BASE, 0);
	asm volatile("ltr %w0" : : "r"(TSS_SEL));
}

void gdt_load_boot(void)
{
	for (unsigned i = 0; i < IST_COUNT; i++)
		cpu_tss.ist[i] = (uintptr_t)boot_ist[i] + IST_SIZE;
	cpu_tss.sp0 = (uintptr_t)boot_stack + KSTACK_SIZE;
	gdt_load_this_cpu();
}

void arch_percpu_set_base(uintptr_t offset)
{
	wrmsr(MSR_GS_BASE, offset);
	this_cpu_write(cpu_own_offset, offset);
	gdt_load_this_cpu();
}

int gdt_alloc_ist(unsigned cpu)
{
	struct tss *tss = per_cpu_ptr(cpu, cpu_tss);

	for (unsigned i = 0; i < IST_COUNT; i++) {
		char *stack = vmalloc(IST_SIZE);

		if (!stack)
			return -ENOMEM;
		tss->ist[i] = (uintptr_t)stack + IST_SIZE;
	}
	return 0;
}
