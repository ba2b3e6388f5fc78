/*
 * Address layout of the x86_64 kernel. One slot of the top-level table is 512 GiB.
 *
 *   0000000000000000  user space, up to USER_TOP
 *   ffff800000000000  direct map of physical memory (up to 64 TiB)
 *   ffffc00000000000  vmalloc: kernel stacks, device registers (one slot)
 *   ffffe00000000000  struct page array (one slot)
 *   ffffffff80000000  kernel image, linked at its physical address above this base
 *
 * Assembly and the linker script's constants come from here too.
 */
#pragma once

#define DIRECT_MAP_BASE 0xffff800000000000
#define VMALLOC_BASE 0xffffc00000000000
#define VMALLOC_END 0xffffc08000000000
#define VMEMMAP_BASE 0xffffe00000000000
#define VMEMMAP_END 0xffffe08000000000
#define KERNEL_BASE 0xffffffff80000000
#define KERNEL_PHYS 0x200000 /* where the image is loaded */

#define USER_TOP 0x00007ffffffff000
#define USER_STACK_TOP 0x00007ffffffff000 /* before randomisation */
#define MMAP_BASE 0x00007ffff7fff000 /* mappings grow down from here */

/* Lowest address of the kernel's half. */
#define KERNEL_HALF 0xffff800000000000
