/* Boot stages of user copies: what must be refused. */
#include <arch/mmu.h>
#include <arch/uaccess.h>
#include <debug/stage.h>
#include <lib/errno.h>

/* Bad user addresses of every kind: an error, never a fault of the kernel. */
int stage_user_copy_refuses(struct stage *s)
{
	static const uptr_t bad[] = {
		8,           USER_TOP, USER_TOP - 4, 0x8000000000000000ul, DIRECT_MAP_BASE,
		KERNEL_BASE, ~0ul - 3
	};
	u64 value = 42;

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		STAGE_CHECK_EQ(s, copy_from_user(&value, bad[i], 8), -EFAULT);
		STAGE_CHECK_EQ(s, copy_to_user(bad[i], &value, 8), -EFAULT);
		STAGE_CHECK_EQ(s, clear_user(bad[i], 8), -EFAULT);
		STAGE_CHECK_EQ(s, user_strnlen(bad[i], 8), -EFAULT);
	}
	STAGE_CHECK_EQ(s, copy_to_user(0, &value, 0), 0);
	return 0;
}
