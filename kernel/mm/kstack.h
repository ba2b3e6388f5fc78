/* The region of kernel stacks at the start of the vmalloc space. */
#pragma once
#include <arch/mmu.h>
#include <arch/thread.h>

/* A slot: the guard half, unmapped, then the stack. A power of two, so that any address tells its slot. */
#define KSTACK_SLOT (2 * KSTACK_SIZE)
#define KSTACK_MAX 65536
#define KSTACK_REGION_SIZE ((vaddr_t)KSTACK_SLOT * KSTACK_MAX)

/* Maps fresh pages (or unmaps and frees them) in [va, va + size). 0 or -ENOMEM. vmalloc.c. */
int kernel_map_alloc(vaddr_t va, size_t size, unsigned flags);
void kernel_map_free(vaddr_t va, size_t size);
