/* Page-table walks shared by the ports (arch/common/pgtable.c). */
#pragma once
#include <arch/pte.h>

/* The entry for va at `level` (0: pages), allocating tables below the root as needed. 0 with *out, or
 * -ENOMEM; -EEXIST when a huge page is in the way. The caller holds what protects the tables. */
int pgtable_walk_alloc(pte_t *root, vaddr_t va, int level, pte_t **out);
/* The entry that maps va, or NULL; *level says which. Safe to call on any root (debugger, reports). */
pte_t *pgtable_lookup(pte_t *root, vaddr_t va, int *level);
/* Kernel mappings. 0 or -ENOMEM. Flushes nothing (map), this and other CPUs (unmap). */
int kernel_map(vaddr_t va, paddr_t pa, size_t size, unsigned prot);
void kernel_unmap(vaddr_t va, size_t size);
