/*
 * Checks of an ELF64 executable before anything is mapped. The numbers come from a file that anybody can
 * write: after these checks no sum of them overflows.
 */
#pragma once
#include <lib/types.h>
#include <uapi/elf.h>

struct elf_layout {
	u64 low, high; /* addresses the PT_LOADs span; low rounded down to a page */
	u64 align; /* largest p_align of them */
	u64 phdr_vaddr; /* where the program headers are mapped; 0: nowhere */
	u64 brk; /* end of the highest PT_LOAD, for the heap */
	bool has_interp;
	u64 interp_offset, interp_size; /* of the path, with its NUL */
	bool exec_stack; /* PT_GNU_STACK with PF_X, or none at all */
	unsigned nr_load;
};

/* have: bytes of the file at h. machine: the port's EM_*. 0 or -ENOEXEC. */
int elf_check_header(const struct elf64_ehdr *h, size_t have, u16 machine);
/*
 * n program headers as read from h->e_phoff. top: end of the user addresses; page: size of a page.
 * ET_DYN is laid out from 0. 0, -ENOEXEC (malformed), -ENOMEM (does not fit below top).
 */
int elf_check_phdrs(const struct elf64_ehdr *h, const struct elf64_phdr *ph, unsigned n, u64 page,
		    u64 top, struct elf_layout *out);
