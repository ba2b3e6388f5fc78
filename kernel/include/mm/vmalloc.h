/* Kernel virtual memory outside the direct map: kernel stacks with guard pages, device registers. */
#pragma once
#include <lib/types.h>

void *vmalloc(size_t size); /* page granular, zeroed, guard page after it; NULL when out */
void vfree(void *p);
void *kstack_alloc(void); /* KSTACK_SIZE with an unmapped guard page below; cached per CPU */
void kstack_free(void *stack);
bool kstack_guard_hit(uintptr_t addr); /* is addr in the guard page of a kernel stack? */
/* Maps device registers uncached. NULL when out. Thread context or boot. */
void *mmio_map(paddr_t base, size_t size);
