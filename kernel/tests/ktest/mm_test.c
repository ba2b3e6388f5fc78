/* What the stages of mm/ share. */
#include <sched/thread.h>
#include "mm_test.h"

int mm_test_check(struct stage *s)
{
	char why[100];

	if (page_alloc_check(why, sizeof(why)))
		return stage_fail(s, "page allocator: %s", why);
	return 0;
}

struct mm *mm_test_enter(void)
{
	struct mm *mm;

	if (mm_create(&mm))
		return NULL;
	mm_switch_current(mm);
	return mm;
}

void mm_test_leave(struct mm *mm)
{
	mm_switch_current(NULL);
	mm_user_put(mm);
}

uptr_t mm_test_map(struct mm *mm, uptr_t addr, u64 npages, u32 flags)
{
	struct mmap_args a = {
		.addr = addr, .len = npages << PAGE_SHIFT, .vm_flags = flags, .fixed = addr != 0
	};
	uptr_t out;

	return mm_map(mm, &a, &out) ? 0 : out;
}
