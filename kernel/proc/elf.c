/*
 * The ELF loader: maps a program and its interpreter into a new address space.
 *
 * All numbers of the headers are checked first (lib/elf.h), so that what is mapped here lies below
 * USER_TOP and no sum overflows. Nothing is read or written through the new mappings: the ends of last
 * pages that must be zero are noted, and cleared once the address space is the thread's own.
 * Position-independent programs go to a third of the address space below its top, interpreters below
 * mmap_base, each shifted at random (not with `norandmaps`). Manual: elf(5), execve(2).
 */
#include "internal.h"
#include <uapi/abi.h>
#include <core/param.h>
#include <fs/vfs.h>
#include <lib/elf.h>

#define DYN_BASE ALIGN_DOWN(USER_TOP / 3 * 2, PAGE_SIZE)
#define RANDOM_DYN (1ull << 40)
#define RANDOM_MMAP (1ull << 40)
#define RANDOM_STACK (1ull << 34)
#define RANDOM_BRK (1ull << 25)
#define STACK_FIRST (128ul << 10) /* mapped below the arguments at once; the rest grows */
#define MMAP_GAP_MIN (128ull << 20)
#define VM_MAY (VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC)

static bool randomize = true;

static int set_norandmaps(const char *value)
{
	randomize = false;
	return *value ? -EINVAL : 0;
}
KPARAM(norandmaps, set_norandmaps);

u64 exec_random_below(u64 range)
{
	u64 r;

	if (!randomize)
		return 0;
	random_bytes(&r, sizeof(r));
	return (r % range) & ~(PAGE_SIZE - 1);
}

/* A file with its headers. */
struct image {
	struct file *file;
	struct elf64_ehdr h;
	struct elf64_phdr *ph; /* h.e_phnum of them, allocated */
	struct elf_layout layout;
	u64 bias; /* added to all addresses */
};

static int read_exactly(struct file *f, void *buf, size_t n, u64 pos)
{
	ssize_t got = file_read_kernel(f, buf, n, (loff_t)pos);

	if (got < 0)
		return (int)got;
	return (size_t)got == n ? 0 : -ENOEXEC;
}

static int image_open(struct image *im, struct file *f, const void *head, size_t head_len)
{
	size_t size;
	int error;

	im->file = f;
	if (head_len < sizeof(im->h))
		return -ENOEXEC;
	memcpy(&im->h, head, sizeof(im->h));
	error = elf_check_header(&im->h, head_len, ELF_MACHINE);
	if (error)
		return error;
	size = im->h.e_phnum * sizeof(*im->ph);
	im->ph = kmalloc(size, 0);
	if (!im->ph)
		return -ENOMEM;
	if (im->h.e_phoff <= head_len && size <= head_len - im->h.e_phoff)
		memcpy(im->ph, (const u8 *)head + im->h.e_phoff, size);
	else
		error = read_exactly(f, im->ph, size, im->h.e_phoff);
	if (!error)
		error = elf_check_phdrs(&im->h, im->ph, im->h.e_phnum, PAGE_SIZE, USER_TOP,
					&im->layout);
	return error;
}

static void image_close(struct image *im)
{
	kfree(im->ph);
}

static u32 segment_flags(const struct elf64_phdr *p)
{
	return (p->p_flags & PF_R ? VM_READ : 0) | (p->p_flags & PF_W ? VM_WRITE | VM_ACCOUNT : 0) |
	       (p->p_flags & PF_X ? VM_EXEC : 0) | VM_MAY;
}

static int map_zeroes(struct exec *e, uptr_t start, uptr_t end, u32 flags)
{
	struct mmap_args a = { .addr = start,
			       .len = end - start,
			       .vm_flags = flags,
			       .fixed = true,
			       .noreplace = true };
	uptr_t at;
	int error;

	if (start >= end)
		return 0;
	error = mm_map(e->mm, &a, &at);
	if (error != -EEXIST)
		return error;
	/* Its first page may be the last one of the segment before. */
	a.addr = start + PAGE_SIZE;
	a.len = end - a.addr;
	a.noreplace = false;
	return a.addr < end ? mm_map(e->mm, &a, &at) : 0;
}

/* Zeroes up to the end of the page that holds the segment's last bytes of the file. */
static int note_tail(struct exec *e, const struct elf64_phdr *p, uptr_t from)
{
	uptr_t len = ALIGN_UP(from, PAGE_SIZE) - from;

	if (!len || !(p->p_flags & PF_W))
		return 0;
	if (e->nr_clear == ARRAY_SIZE(e->clear))
		return -ENOEXEC;
	e->clear[e->nr_clear].start = from;
	e->clear[e->nr_clear++].len = len;
	return 0;
}

static int map_segment(struct exec *e, const struct image *im, const struct elf64_phdr *p)
{
	uptr_t start = im->bias + p->p_vaddr, in_page = start & (PAGE_SIZE - 1);
	uptr_t file_end = start + p->p_filesz, end = start + p->p_memsz;
	u32 flags = segment_flags(p);
	struct mmap_args a = { .addr = start - in_page,
			       .len = p->p_filesz + in_page,
			       .vm_flags = flags,
			       .fixed = true,
			       .file = im->file,
			       .pgoff = (p->p_offset - in_page) >> PAGE_SHIFT };
	uptr_t at;
	int error;

	if (!p->p_filesz)
		return map_zeroes(e, start - in_page, ALIGN_UP(end, PAGE_SIZE), flags);
	error = mm_map(e->mm, &a, &at);
	if (error || end == file_end)
		return error;
	error = note_tail(e, p, file_end);
	if (error)
		return error;
	return map_zeroes(e, ALIGN_UP(file_end, PAGE_SIZE), ALIGN_UP(end, PAGE_SIZE), flags);
}

static int map_image(struct exec *e, const struct image *im)
{
	for (unsigned i = 0; i < im->h.e_phnum; i++) {
		int error;

		if (im->ph[i].p_type != PT_LOAD || !im->ph[i].p_memsz)
			continue;
		error = map_segment(e, im, &im->ph[i]);
		if (error)
			return error == -ENODEV ? -ENOEXEC : error;
	}
	return 0;
}

/* Chooses where a position-independent image begins; others say so themselves. */
static int place(struct image *im, u64 base, u64 range)
{
	const struct elf_layout *l = &im->layout;
	u64 span = ALIGN_UP(l->high, PAGE_SIZE) - l->low;
	u64 align = max(l->align, (u64)PAGE_SIZE);

	im->bias = 0;
	if (im->h.e_type == ET_DYN) {
		if (align > (1ull << 40) || span > USER_TOP / 4)
			return -ENOMEM;
		base = ALIGN_DOWN(base + exec_random_below(range), align);
		im->bias = base - ALIGN_DOWN(l->low, align);
	}
	if (l->low + im->bias + span > USER_TOP || im->h.e_entry + im->bias >= USER_TOP)
		return -ENOMEM;
	return 0;
}

/* The sizes that /proc and brk() go by. */
static void note_layout(struct exec *e, const struct image *im)
{
	struct mm *mm = e->mm;

	mm->code_start = ~0ul;
	for (unsigned i = 0; i < im->h.e_phnum; i++) {
		const struct elf64_phdr *p = &im->ph[i];
		uptr_t start = im->bias + p->p_vaddr, end = start + p->p_filesz;

		if (p->p_type != PT_LOAD)
			continue;
		mm->code_start = min(mm->code_start, start);
		if (p->p_flags & PF_X)
			mm->code_end = max(mm->code_end, end);
		if (start >= mm->data_start) {
			mm->data_start = start;
			mm->data_end = max(mm->data_end, end);
		}
	}
	mm->brk_start =
		ALIGN_UP(im->bias + im->layout.brk, PAGE_SIZE) + exec_random_below(RANDOM_BRK);
	mm->brk = mm->brk_start;
}

static int map_stack(struct exec *e, bool exec_stack)
{
	struct mm *mm = e->mm;
	size_t size = ALIGN_UP(e->args_len + (e->argc + e->envc + 64) * sizeof(u64), PAGE_SIZE) +
		      STACK_FIRST;
	u64 gap = clamp(proc_limit(RLIMIT_STACK), MMAP_GAP_MIN, (u64)USER_TOP / 6 * 5);
	struct mmap_args a = { .fixed = true, .noreplace = true, .len = size };
	uptr_t at;

	a.vm_flags = VM_READ | VM_WRITE | (exec_stack ? VM_EXEC : 0) | VM_MAY | VM_GROWSDOWN |
		     VM_STACK | VM_ACCOUNT;
	e->stack_top = USER_STACK_TOP - exec_random_below(RANDOM_STACK);
	a.addr = e->stack_top - size;
	mm->stack_start = e->stack_top;
	mm->mmap_base = ALIGN_DOWN(MMAP_BASE - (gap - MMAP_GAP_MIN), PAGE_SIZE);
	if (randomize)
		mm->mmap_base -= RANDOM_STACK + exec_random_below(RANDOM_MMAP);
	return mm_map(mm, &a, &at);
}

static int interp_path(const struct image *im, char **out)
{
	size_t n = im->layout.interp_size;
	char *path = kmalloc(n, 0);
	int error;

	if (!path)
		return -ENOMEM;
	error = read_exactly(im->file, path, n, im->layout.interp_offset);
	if (!error && path[n - 1])
		error = -ENOEXEC;
	if (error)
		kfree(path);
	else
		*out = path;
	return error;
}

static int load_interp(struct exec *e, struct file *f)
{
	u8 head[EXEC_HEAD];
	struct image im = { 0 };
	ssize_t n = file_read_kernel(f, head, sizeof(head), 0);
	int error = n < 0 ? (int)n : image_open(&im, f, head, (size_t)n);

	if (error == -ENOEXEC)
		error = -ELIBBAD;
	if (!error)
		error = place(&im,
			      e->mm->mmap_base -
				      ALIGN_UP(im.layout.high - im.layout.low, im.layout.align),
			      PAGE_SIZE);
	if (!error)
		error = map_image(e, &im);
	if (!error) {
		e->interp_base = im.bias;
		e->start_ip = im.bias + im.h.e_entry;
	}
	image_close(&im);
	return error;
}

static int open_and_load_interp(struct exec *e, const struct image *im)
{
	struct file *f;
	char *path;
	int error = interp_path(im, &path);

	if (error)
		return error;
	error = exec_open(AT_FDCWD, path, 0, &f, NULL);
	kfree(path);
	if (error)
		return error;
	error = load_interp(e, f);
	file_put(f);
	return error;
}

int elf_load(struct exec *e)
{
	struct image im = { 0 };
	int error = image_open(&im, e->file, e->head, e->head_len);

	if (!error)
		error = map_stack(e, im.layout.exec_stack);
	if (!error)
		error = place(&im, DYN_BASE, RANDOM_DYN);
	if (!error)
		error = map_image(e, &im);
	if (error)
		goto out;
	e->entry = e->start_ip = im.bias + im.h.e_entry;
	e->phnum = im.h.e_phnum;
	e->phdr = im.bias +
		  (im.layout.phdr_vaddr ? im.layout.phdr_vaddr : im.layout.low + im.h.e_phoff);
	note_layout(e, &im);
	file_get(e->file);
	e->mm->exe = e->file;
	if (im.layout.has_interp)
		error = open_and_load_interp(e, &im);
	if (!error)
		error = vdso_map(e->mm);
out:
	image_close(&im);
	return error;
}
