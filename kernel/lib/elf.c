/*
 * ELF64 checks (lib/elf.h). What Linux refuses is refused; what it accepts though odd (segments out of
 * order, no PT_GNU_STACK, p_align of 0) is accepted. Manual: elf(5).
 */
#include <lib/elf.h>
#include <lib/errno.h>
#include <lib/string.h>

#define MAX_PHDRS 128
#define MAX_INTERP 4096

int elf_check_header(const struct elf64_ehdr *h, size_t have, u16 machine)
{
	if (have < sizeof(*h) || memcmp(h->e_ident, ELF_MAGIC, 4) != 0)
		return -ENOEXEC;
	if (h->e_ident[EI_CLASS] != ELFCLASS64 || h->e_ident[EI_DATA] != ELFDATA2LSB)
		return -ENOEXEC;
	if (h->e_type != ET_EXEC && h->e_type != ET_DYN)
		return -ENOEXEC;
	if (h->e_machine != machine || h->e_phentsize != sizeof(struct elf64_phdr))
		return -ENOEXEC;
	if (h->e_phnum == 0 || h->e_phnum > MAX_PHDRS)
		return -ENOEXEC;
	if (h->e_phoff > INT64_MAX - MAX_PHDRS * sizeof(struct elf64_phdr))
		return -ENOEXEC;
	return 0;
}

static int check_load(const struct elf64_phdr *p, u64 page, u64 top, struct elf_layout *l)
{
	u64 end;

	if (p->p_filesz > p->p_memsz || p->p_offset > INT64_MAX - p->p_filesz)
		return -ENOEXEC;
	if (p->p_align > 1 && !is_pow2(p->p_align))
		return -ENOEXEC;
	if ((p->p_vaddr ^ p->p_offset) & (page - 1))
		return -ENOEXEC;
	if (__builtin_add_overflow(p->p_vaddr, p->p_memsz, &end) || end > top)
		return -ENOMEM;
	if (l->nr_load++ == 0) {
		l->low = ALIGN_DOWN(p->p_vaddr, page);
		l->high = end;
	}
	l->low = min(l->low, ALIGN_DOWN(p->p_vaddr, page));
	l->high = max(l->high, end);
	l->align = max(l->align, p->p_align);
	l->brk = l->high;
	return 0;
}

/* Where in memory the bytes of the program headers end up, if some PT_LOAD covers them. */
static u64 find_phdrs(const struct elf64_ehdr *h, const struct elf64_phdr *ph, unsigned n)
{
	u64 bytes = (u64)h->e_phnum * sizeof(*ph);

	for (unsigned i = 0; i < n; i++) {
		const struct elf64_phdr *p = &ph[i];

		if (p->p_type == PT_LOAD && p->p_offset <= h->e_phoff &&
		    h->e_phoff - p->p_offset <= p->p_filesz &&
		    p->p_filesz - (h->e_phoff - p->p_offset) >= bytes)
			return p->p_vaddr + (h->e_phoff - p->p_offset);
	}
	return 0;
}

int elf_check_phdrs(const struct elf64_ehdr *h, const struct elf64_phdr *ph, unsigned n, u64 page,
		    u64 top, struct elf_layout *out)
{
	struct elf_layout l = { .exec_stack = true };

	for (unsigned i = 0; i < n; i++) {
		const struct elf64_phdr *p = &ph[i];
		int err;

		if (p->p_type == PT_LOAD && p->p_memsz) {
			err = check_load(p, page, top, &l);
			if (err)
				return err;
		} else if (p->p_type == PT_INTERP && !l.has_interp) {
			if (p->p_filesz < 2 || p->p_filesz > MAX_INTERP ||
			    p->p_offset > INT64_MAX - MAX_INTERP)
				return -ENOEXEC;
			l.has_interp = true;
			l.interp_offset = p->p_offset;
			l.interp_size = p->p_filesz;
		} else if (p->p_type == PT_GNU_STACK) {
			l.exec_stack = p->p_flags & PF_X;
		}
	}
	if (l.nr_load == 0)
		return -ENOEXEC;
	l.align = max(l.align, page);
	l.phdr_vaddr = find_phdrs(h, ph, n);
	*out = l;
	return 0;
}
