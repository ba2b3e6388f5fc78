/* Boot stages of the vDSO: the image as built, the clock as a program computes it. */
#include <arch/mmu.h>
#include <arch/time.h>
#include <arch/vdso.h>
#include <core/preempt.h>
#include <core/time.h>
#include <debug/stage.h>
#include <lib/elf.h>
#include <lib/string.h>
#include <uapi/elf.h>

extern const char *const vdso_test_names[]; /* the port's, ended by NULL */

int stage_vdso_image(struct stage *s)
{
	const struct elf64_ehdr *e = (const struct elf64_ehdr *)vdso_image_start;
	size_t size = (size_t)(vdso_image_end - vdso_image_start);

	STAGE_CHECK(s, !((uintptr_t)vdso_image_start & ~PAGE_MASK));
	STAGE_CHECK(s, size > sizeof(*e) && !memcmp(e->e_ident, "\177ELF", 4));
	STAGE_CHECK_EQ(s, e->e_type, ET_DYN);
	for (unsigned i = 0; vdso_test_names[i]; i++) {
		size_t n = strlen(vdso_test_names[i]) + 1, at = 0;

		while (at + n <= size && memcmp(vdso_image_start + at, vdso_test_names[i], n))
			at++;
		if (at + n > size)
			return stage_fail(s, "%s is not in the image", vdso_test_names[i]);
	}
	return 0;
}

int stage_vdso_clock(struct stage *s)
{
	u64 before, there, after, count;
	const struct vdso_data *d = vdso_data;

	if (!d->user_readable)
		return stage_skip(s, "the counter cannot be read in user mode");
	preempt_disable();
	before = time_monotonic_ns();
	count = arch_clock_raw();
	there = d->base_ns + (u64)((unsigned __int128)(count - d->base) * d->mult >> d->shift);
	after = time_monotonic_ns();
	preempt_enable();
	STAGE_CHECK_EQ(s, d->seq & 1, 0);
	STAGE_CHECK(s, there + NSEC_PER_MSEC >= before && there <= after + NSEC_PER_MSEC);
	return 0;
}
