/* The mappings of RAM and of the kernel's image, for arch_mmu_init(). */
#pragma once
#include <lib/types.h>

/* Fills kernel_root with them, in pages up to those of `level`; physical addresses below low are mapped
 * whatever the memory map says of them. */
void kernel_map_all(int level, u64 low);
