/*
 * Address layout of the aarch64 kernel: 48-bit addresses, pages of 4 KiB. Addresses from ffff000000000000 on
 * are translated by TTBR1_EL1, the others by TTBR0_EL1. One slot of a top-level table is 512 GiB.
 *
 *   0000000000000000  user space, up to USER_TOP
 *   ffff000000000000  direct map of physical memory (up to 64 TiB)
 *   ffffc00000000000  vmalloc: kernel stacks, device registers (one slot)
 *   ffffe00000000000  struct page array (one slot)
 *   ffffffff80000000  kernel image, wherever it was loaded
 *
 * Assembly and the linker script's constants come from here too.
 */
#pragma once

#define DIRECT_MAP_BASE 0xffff000000000000
#define VMALLOC_BASE 0xffffc00000000000
#define VMALLOC_END 0xffffc08000000000
#define VMEMMAP_BASE 0xffffe00000000000
#define VMEMMAP_END 0xffffe08000000000
#define KERNEL_BASE 0xffffffff80000000

#define USER_TOP 0x0001000000000000
#define USER_STACK_TOP 0x0001000000000000 /* before randomisation */
#define MMAP_BASE 0x0000fffff7fff000 /* mappings grow down from here */

/* Lowest address of the kernel's half. */
#define KERNEL_HALF 0xffff000000000000
