/* Maps the vDSO into a new program: the page of clock parameters, and the image right behind it. */
#include "internal.h"
#include <arch/mmu.h>
#include <arch/vdso.h>

static int page_of(const void *kernel, struct page **out)
{
	struct page *p = phys_to_page(virt_to_phys(kernel));

	page_get(p);
	*out = p;
	return 0;
}

static int vvar_fault(struct vma *vma, u64 index, struct page **out)
{
	return index ? -EFAULT : page_of(vdso_data, out);
}

static int vdso_fault(struct vma *vma, u64 index, struct page **out)
{
	if (index >= (u64)(vdso_image_end - vdso_image_start) >> PAGE_SHIFT)
		return -EFAULT;
	return page_of(vdso_image_start + (index << PAGE_SHIFT), out);
}

static const struct vma_ops vvar_ops = { .fault = vvar_fault, .name = "[vvar]" };
static const struct vma_ops vdso_ops = { .fault = vdso_fault, .name = "[vdso]" };

int vdso_map(struct mm *mm)
{
	size_t size = (size_t)(vdso_image_end - vdso_image_start);
	struct mmap_args a = { .len = PAGE_SIZE + size,
			       .vm_flags = VM_READ | VM_MAYREAD | VM_SPECIAL | VM_DONTDUMP,
			       .ops = &vvar_ops };
	uptr_t at;
	int error;

	if (!size || !vdso_data)
		return 0;
	error = mm_map(mm, &a, &at);
	if (error)
		return error;
	a = (struct mmap_args){ .addr = at + PAGE_SIZE,
				.len = size,
				.fixed = true,
				.vm_flags =
					VM_READ | VM_EXEC | VM_MAYREAD | VM_MAYEXEC | VM_SPECIAL,
				.ops = &vdso_ops };
	error = mm_map(mm, &a, &at);
	if (!error)
		mm->vdso = at;
	return error;
}
