/* Symbols of link.ld and boot/, and what boot hands on to cpu/. */
#pragma once
#include <lib/fdt.h>
#include <lib/types.h>

extern char __kernel_start[], __kernel_end[];
extern char __text_start[], __text_end[], __rodata_start[], __rodata_end[];
extern char __data_start[], __data_end[], __bss_start[], __bss_end[];
extern char __ksyms_start[], __ksyms_end[];
extern char boot_stack_guard[];

extern paddr_t kernel_phys; /* [I] where the image was loaded */
extern struct fdt device_tree; /* [I] after boot_init(); base NULL: there is none */

/* The boot CPU's first C code, on the boot tables: reads the device tree at physical address dtb. */
void boot_init(paddr_t dtb);
void kernel_main(void);

/* Identity map of the image's first 2 MiB, for switching translation on or over. Physical address. */
extern u64 boot_idmap_l0[512];
/* Replaces the kernel's tables by those at that physical address. Interrupts off. */
void mmu_replace_kernel_tables(paddr_t root);

/* What a secondary CPU reads with its caches off, by CPU_ON's argument: secondary_entry's words. */
struct secondary_boot {
	u64 kernel_root; /* physical */
	u64 stack; /* its top */
	u64 cpu;
};
extern struct secondary_boot secondary_boot;
extern char secondary_start[]; /* where PSCI starts it */
