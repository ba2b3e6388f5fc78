/* What mm/ needs of open files: defined here because fs/ lies above mm/ (see mm/mm.h). */
#include <fs/file.h>
#include <lib/errno.h>
#include <mm/mm.h>

void mm_file_get(struct file *f)
{
	file_get(f);
}

void mm_file_put(struct file *f)
{
	file_put(f);
}

int mm_file_mmap(struct file *f, struct vma *vma)
{
	return f->ops->mmap ? f->ops->mmap(f, vma) : -ENODEV;
}
