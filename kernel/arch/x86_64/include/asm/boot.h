/* Symbols of link.ld and boot/, and what boot hands on to cpu/. */
#pragma once
#include <lib/types.h>

extern char __kernel_start[], __kernel_end[];
extern char __text_start[], __text_end[], __rodata_start[], __rodata_end[];
extern char __data_start[], __data_end[], __bss_start[], __bss_end[];
extern char __ksyms_start[], __ksyms_end[];

/* Identity map of the first 4 GiB, and the kernel: for CPUs on their way up. */
extern u64 boot_pml4[512];
extern char boot_stack_guard[];
extern paddr_t boot_trampoline; /* [I] a page below 1 MiB; 0: there is none */

/* ap.S: the code to be copied to the trampoline page, and the words in it to be filled. */
extern const char ap_trampoline_start[], ap_trampoline_end[];

extern paddr_t acpi_rsdp; /* [I] as the loader gave it; 0: to be searched */

void pvh_init(u32 start_info);
void kernel_main(void);
