/*
 * System calls on the caller's memory. Decoding and checks here, in the order Linux makes them (which
 * decides about the error); the work in mm/. Manual: mmap(2), mprotect(2), brk(2), mremap(2), madvise(2),
 * msync(2), mincore(2).
 */
#include <arch/uaccess.h>
#include <fs/file.h>
#include <lib/errno.h>
#include <mm/mapping.h>
#include <mm/mm.h>
#include <mm/page.h>
#include <mm/slab.h>
#include <proc/cred.h>
#include <sched/thread.h>
#include <uapi/capability.h>
#include <uapi/mman.h>
#include <syscalls_gen.h>

#define PROT_RWX (PROT_READ | PROT_WRITE | PROT_EXEC)
BUILD_ASSERT(VM_READ == PROT_READ && VM_WRITE == PROT_WRITE && VM_EXEC == PROT_EXEC);

/* What MAP_SHARED_VALIDATE accepts. */
#define MAP_KNOWN                                                                                  \
	(MAP_TYPE | MAP_FIXED | MAP_ANONYMOUS | MAP_32BIT | MAP_GROWSDOWN | MAP_DENYWRITE |        \
	 MAP_EXECUTABLE | MAP_LOCKED | MAP_NORESERVE | MAP_POPULATE | MAP_NONBLOCK | MAP_STACK |   \
	 MAP_HUGETLB | MAP_FIXED_NOREPLACE)

#define MAX_PGOFF ((u64)(~0ul >> 1) >> PAGE_SHIFT)

static u64 limit_pages(enum mm_limit which)
{
	return (mm_limit ? mm_limit(which) : ~0ull) >> PAGE_SHIFT;
}

/* --- mmap --- */

static u32 flags_of(unsigned prot, unsigned flags)
{
	u32 vm = (prot & PROT_RWX) | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC;

	if (flags & MAP_GROWSDOWN)
		vm |= VM_GROWSDOWN;
	if (flags & MAP_LOCKED)
		vm |= VM_LOCKED;
	if (flags & MAP_NORESERVE)
		vm |= VM_NORESERVE;
	return vm;
}

/* Checks a file mapping and completes its flags. */
static int check_file(struct file *f, unsigned prot, unsigned flags, u32 *vm)
{
	switch (flags & MAP_TYPE) {
	case MAP_SHARED_VALIDATE:
		if (flags & ~(unsigned)MAP_KNOWN)
			return -EOPNOTSUPP;
		fallthrough;
	case MAP_SHARED:
		if (prot & PROT_WRITE && !(f->mode & FMODE_WRITE))
			return -EACCES;
		*vm |= VM_SHARED;
		if (!(f->mode & FMODE_WRITE))
			*vm &= ~(u32)VM_MAYWRITE;
		fallthrough;
	case MAP_PRIVATE:
		if (!(f->mode & FMODE_READ))
			return -EACCES;
		if (!f->ops->mmap)
			return -ENODEV;
		return flags & MAP_GROWSDOWN ? -EINVAL : 0;
	default: return -EINVAL;
	}
}

static int check_anon(unsigned flags, u32 *vm)
{
	switch (flags & MAP_TYPE) {
	case MAP_SHARED:
		if (flags & MAP_GROWSDOWN)
			return -EINVAL;
		*vm |= VM_SHARED;
		return 0;
	case MAP_PRIVATE: return 0;
	default: return -EINVAL;
	}
}

static int check_locked(u64 npages)
{
	u64 limit = limit_pages(MM_LIMIT_MEMLOCK);

	if (!limit && !capable(CAP_IPC_LOCK))
		return -EPERM;
	if (current->mm->locked_vm + npages > limit && !capable(CAP_IPC_LOCK))
		return -EAGAIN;
	return 0;
}

static long do_map(struct mmap_args *a, unsigned prot, unsigned flags)
{
	uptr_t out = 0;
	int err = 0;

	if (a->fixed && a->addr < MM_MMAP_MIN && !capable(CAP_SYS_RAWIO))
		return -EPERM;
	if ((flags & MAP_LOCKED || current->mm->def_flags & VM_LOCKED))
		err = check_locked(ALIGN_UP(a->len, PAGE_SIZE) >> PAGE_SHIFT);
	if (!err)
		err = a->file ? check_file(a->file, prot, flags, &a->vm_flags)
			      : check_anon(flags, &a->vm_flags);
	if (!err)
		err = mm_map(current->mm, a, &out);
	return err ? err : (long)out;
}

long sys_mmap(uptr_t addr, size_t len, unsigned int prot, unsigned int flags, int fd, long offset)
{
	struct mmap_args a = {
		.addr = addr,
		.len = len,
		.vm_flags = flags_of(prot, flags),
		.fixed = flags & (MAP_FIXED | MAP_FIXED_NOREPLACE),
		.noreplace = flags & MAP_FIXED_NOREPLACE,
		.populate = (flags & (MAP_POPULATE | MAP_NONBLOCK)) == MAP_POPULATE ||
			    flags & MAP_LOCKED,
		.low = flags & MAP_32BIT,
	};
	struct fd f;
	long ret;

	if (unlikely(offset & (long)(PAGE_SIZE - 1)))
		return -EINVAL;
	if (likely(flags & MAP_ANONYMOUS)) {
		if (unlikely(flags & MAP_HUGETLB))
			return -ENOMEM; /* none are set aside */
		if (unlikely(!len))
			return -EINVAL;
		return do_map(&a, prot, flags);
	}
	f = fd_get(fd);
	if (!f.file || f.file->mode & FMODE_PATH) {
		fd_put(f);
		return -EBADF;
	}
	a.file = f.file;
	a.pgoff = (u64)offset >> PAGE_SHIFT;
	if (!len || flags & MAP_HUGETLB)
		ret = -EINVAL;
	else if (a.pgoff > MAX_PGOFF || div_round_up(len, PAGE_SIZE) > MAX_PGOFF - a.pgoff)
		ret = -EOVERFLOW;
	else
		ret = do_map(&a, prot, flags);
	fd_put(f);
	return ret;
}

long sys_munmap(uptr_t addr, size_t len)
{
	return mm_unmap(current->mm, addr, len);
}

long sys_brk(uptr_t brk)
{
	struct mm *mm = current->mm;

	if (brk)
		(void)mm_brk(mm, brk);
	return (long)READ_ONCE(mm->brk);
}

/* PROT_GROWSDOWN: from the beginning of the stack that holds addr. */
static int grow_range(uptr_t *addr, size_t *len)
{
	struct mm *mm = current->mm;
	uptr_t end = ALIGN_UP(*addr + *len, PAGE_SIZE);
	struct vma *v;
	int err = 0;

	rwsem_read_lock(&mm->lock);
	v = vma_find(mm, *addr);
	if (!v || v->start >= end) {
		err = -ENOMEM;
	} else if (!(v->flags & VM_GROWSDOWN)) {
		err = -EINVAL;
	} else {
		*addr = v->start;
		*len = end - v->start;
	}
	rwsem_read_unlock(&mm->lock);
	return err;
}

long sys_mprotect(uptr_t addr, size_t len, unsigned int prot)
{
	unsigned grows = prot & (PROT_GROWSDOWN | PROT_GROWSUP);
	int err;

	prot &= ~(unsigned)(PROT_GROWSDOWN | PROT_GROWSUP);
	if (grows == (PROT_GROWSDOWN | PROT_GROWSUP) || !IS_ALIGNED(addr, PAGE_SIZE))
		return -EINVAL;
	if (!len)
		return 0;
	if (addr + ALIGN_UP(len, PAGE_SIZE) <= addr)
		return -ENOMEM;
	if (prot & ~(unsigned)(PROT_RWX | PROT_SEM) || grows & PROT_GROWSUP)
		return -EINVAL;
	if (grows) {
		err = grow_range(&addr, &len);
		if (err)
			return err;
	}
	return mm_protect(current->mm, addr, len, prot & PROT_RWX);
}

long sys_mremap(uptr_t addr, size_t old_len, size_t new_len, unsigned int flags, uptr_t new_addr)
{
	uptr_t out = 0;
	int err = mm_remap(current->mm, addr, old_len, new_len, flags, new_addr, &out);

	return err ? err : (long)out;
}

long sys_madvise(uptr_t addr, size_t len, int advice)
{
	return mm_advise(current->mm, addr, len, advice);
}

/* --- mincore, msync --- */

#define INCORE_CHUNK 256

long sys_mincore(uptr_t addr, size_t len, uptr_t vec)
{
	u64 npages = (len >> PAGE_SHIFT) + !!(len & (PAGE_SIZE - 1));
	u8 chunk[INCORE_CHUNK];

	if (!IS_ALIGNED(addr, PAGE_SIZE))
		return -EINVAL;
	if (!user_range_ok(addr, len))
		return -ENOMEM;
	if (!user_range_ok(vec, npages))
		return -EFAULT;
	while (npages) {
		u64 n = min(npages, (u64)INCORE_CHUNK);
		int err = mm_incore(current->mm, addr, n, chunk);

		if (err)
			return err;
		if (copy_to_user(vec, chunk, n))
			return -EFAULT;
		npages -= n;
		vec += n;
		addr += n << PAGE_SHIFT;
	}
	return 0;
}

/* One vma of msync's range: where it ends, and the file to write back, if any, with a reference. */
static int msync_step(uptr_t *start, uptr_t end, int flags, bool *hole, struct file **out)
{
	struct mm *mm = current->mm;
	struct vma *v;
	int err = 0;

	*out = NULL;
	rwsem_read_lock(&mm->lock);
	v = vma_find(mm, *start);
	if (!v) {
		err = -ENOMEM;
	} else {
		if (v->start > *start)
			*hole = true;
		if (v->start < end && flags & MS_INVALIDATE && v->flags & VM_LOCKED)
			err = -EBUSY;
		else if (v->start < end && flags & MS_SYNC && v->file && v->flags & VM_SHARED)
			file_get(*out = v->file);
		*start = v->end;
	}
	rwsem_read_unlock(&mm->lock);
	return err;
}

long sys_msync(uptr_t addr, size_t len, int flags)
{
	uptr_t end = addr + ALIGN_UP(len, PAGE_SIZE);
	bool hole = false;

	if (flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC) || !IS_ALIGNED(addr, PAGE_SIZE) ||
	    (flags & MS_ASYNC && flags & MS_SYNC))
		return -EINVAL;
	if (end < addr)
		return -ENOMEM;
	while (addr < end) {
		struct file *f;
		int err = msync_step(&addr, end, flags, &hole, &f);

		if (f) {
			if (f->ops->fsync)
				err = f->ops->fsync(f, true);
			file_put(f);
		}
		if (err)
			return err;
	}
	return hole ? -ENOMEM : 0;
}

/* --- locking --- */

static long lock_range(uptr_t addr, size_t len, bool lock, bool populate)
{
	struct mm *mm = current->mm;
	u64 limit = limit_pages(MM_LIMIT_MEMLOCK);
	int err;

	len = ALIGN_UP(len + (addr & (PAGE_SIZE - 1)), PAGE_SIZE);
	addr = ALIGN_DOWN(addr, PAGE_SIZE);
	if (lock && !capable(CAP_IPC_LOCK)) {
		if (!limit)
			return -EPERM;
		if (mm->locked_vm + (len >> PAGE_SHIFT) > limit)
			return -ENOMEM;
	}
	if (addr + len < addr)
		return -EINVAL;
	if (!len)
		return 0;
	err = mm_change_flags(mm, addr, addr + len, lock ? VM_LOCKED : 0, lock ? 0 : VM_LOCKED);
	if (err || !populate)
		return err;
	err = mm_populate(mm, addr, len, POPULATE_BY_VMA);
	if (err == -ENOMEM)
		return -EAGAIN;
	return err == -EFAULT || err == -EINVAL ? -ENOMEM : err;
}

long sys_mlock(uptr_t addr, size_t len)
{
	return lock_range(addr, len, true, true);
}

long sys_mlock2(uptr_t addr, size_t len, int flags)
{
	if (flags & ~MLOCK_ONFAULT)
		return -EINVAL;
	return lock_range(addr, len, true, !(flags & MLOCK_ONFAULT));
}

long sys_munlock(uptr_t addr, size_t len)
{
	return lock_range(addr, len, false, false);
}

/* Every vma gets, or loses, VM_LOCKED. */
static void lock_all(struct mm *mm, bool lock)
{
	uptr_t at = 0;

	for (;;) {
		uptr_t start, end;
		struct vma *v;

		rwsem_read_lock(&mm->lock);
		v = vma_find(mm, at);
		start = v ? v->start : 0;
		end = v ? v->end : 0;
		rwsem_read_unlock(&mm->lock);
		if (!end)
			return;
		(void)mm_change_flags(mm, start, end, lock ? VM_LOCKED : 0, lock ? 0 : VM_LOCKED);
		if (lock)
			(void)mm_populate(mm, start, end - start, POPULATE_BY_VMA);
		at = end;
	}
}

long sys_mlockall(int flags)
{
	struct mm *mm = current->mm;
	u64 limit = limit_pages(MM_LIMIT_MEMLOCK);

	if (!flags || flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) || flags == MCL_ONFAULT)
		return -EINVAL;
	if (!capable(CAP_IPC_LOCK)) {
		if (!limit)
			return -EPERM;
		if (flags & MCL_CURRENT && mm->total_vm > limit)
			return -ENOMEM;
	}
	mm->def_flags = flags & MCL_FUTURE ? VM_LOCKED : 0;
	if (flags & MCL_CURRENT)
		lock_all(mm, true);
	return 0;
}

long sys_munlockall(void)
{
	current->mm->def_flags = 0;
	lock_all(current->mm, false);
	return 0;
}
