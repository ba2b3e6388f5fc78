/* For the stages of mm/. */
#pragma once
#include <debug/stage.h>
#include <lib/errno.h>
#include <mm/mm.h>
#include <mm/page.h>
#include <mm/slab.h>
#include "../../mm/vma.h"

/* Repeatable random numbers. */
static inline u64 test_random(u64 *state)
{
	u64 x = *state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	*state = x;
	return x;
}

/* Fails the stage unless the page allocator's lists are right. */
int mm_test_check(struct stage *s);

#define USER_RW (VM_READ | VM_WRITE | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC)

/* A fresh address space, loaded for the calling kernel thread; and its end. */
struct mm *mm_test_enter(void);
void mm_test_leave(struct mm *mm);
/* Maps npages of private anonymous memory (or with other flags) at addr, 0: anywhere. 0 on failure. */
uptr_t mm_test_map(struct mm *mm, uptr_t addr, u64 npages, u32 flags);
