/*
 * cpio and ELF readers: right on good input, and never beyond the buffer on any. Buffers are allocated to
 * the byte so that the sanitizer sees one step too far.
 */
#include "harness.h"
#include <lib/cpio.h>
#include <lib/elf.h>
#include <lib/errno.h>
#include <string.h>

static size_t add_entry(char *buf, size_t pos, const char *name, u32 mode, const char *data,
			size_t size)
{
	size_t n = strlen(name) + 1;

	pos += (size_t)sprintf(buf + pos,
			       "070701%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08zx%08x", 7,
			       mode, 1, 2, 1, 99, size, 0, 0, 5, 6, n, 0);
	memcpy(buf + pos, name, n);
	pos += n;
	while (pos % 4)
		buf[pos++] = 0;
	memcpy(buf + pos, data, size);
	pos += size;
	while (pos % 4)
		buf[pos++] = 0;
	return pos;
}

static size_t make_archive(char *buf)
{
	size_t n = 0;

	n = add_entry(buf, n, "etc", 040755, "", 0);
	n = add_entry(buf, n, "etc/file", 0100644, "hello", 5);
	n = add_entry(buf, n, "link", 0120777, "etc/file", 8);
	n = add_entry(buf, n, "TRAILER!!!", 0, "", 0);
	while (n % 512)
		buf[n++] = 0;
	n = add_entry(buf, n, "second", 0100600, "x", 1);
	return add_entry(buf, n, "TRAILER!!!", 0, "", 0);
}

HTEST(cpio_good)
{
	static char buf[4096];
	size_t size = make_archive(buf);
	struct cpio_iter it;
	struct cpio_entry e;

	cpio_init(&it, buf, size);
	CHECK_EQ(cpio_next(&it, &e), 1);
	CHECK_STR(e.name, "etc");
	CHECK_EQ(e.mode, 040755);
	CHECK_EQ(cpio_next(&it, &e), 1);
	CHECK_STR(e.name, "etc/file");
	CHECK(e.size == 5 && memcmp(e.data, "hello", 5) == 0);
	CHECK(e.ino == 7 && e.uid == 1 && e.gid == 2 && e.nlink == 1 && e.mtime == 99);
	CHECK(e.rdev_major == 5 && e.rdev_minor == 6 && e.name_len == 8);
	CHECK_EQ(cpio_next(&it, &e), 1);
	CHECK_STR(e.name, "link");
	CHECK_EQ(cpio_next(&it, &e), 1);
	CHECK_STR(e.name, "second");
	CHECK_EQ(cpio_next(&it, &e), 0);
	CHECK_EQ(cpio_next(&it, &e), 0);
	cpio_init(&it, buf, 0);
	CHECK_EQ(cpio_next(&it, &e), 0);
}

/* More NULs behind the name, as the packer writes them to align data; anything else there is refused. */
HTEST(cpio_padded_name)
{
	static char buf[1024];
	struct cpio_iter it;
	struct cpio_entry e;
	size_t n =
		(size_t)sprintf(buf, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
				1, 0100644, 0, 0, 1, 0, 4, 0, 0, 0, 0, 512 - 110, 0);

	strcpy(buf + n, "a/b");
	memcpy(buf + 512, "data", 4);
	n = add_entry(buf, 516, "TRAILER!!!", 0, "", 0);
	cpio_init(&it, buf, n);
	CHECK_EQ(cpio_next(&it, &e), 1);
	CHECK_EQ(e.name_len, 3);
	CHECK(e.data == (u8 *)buf + 512 && e.size == 4);
	CHECK_EQ(cpio_next(&it, &e), 0);
	buf[300] = 'x';
	cpio_init(&it, buf, n);
	CHECK_EQ(cpio_next(&it, &e), -EINVAL);
}

/* Reads all of it, touching every byte it is told of; returns the last result. */
static int walk(const char *src, size_t size)
{
	u8 *buf = malloc(size ? size : 1);
	struct cpio_iter it;
	struct cpio_entry e;
	volatile u8 sink = 0;
	int r, entries = 0;

	memcpy(buf, src, size);
	cpio_init(&it, buf, size);
	while ((r = cpio_next(&it, &e)) == 1) {
		CHECK_EQ(strlen(e.name), e.name_len);
		for (size_t i = 0; i < e.size; i++)
			sink ^= e.data[i];
		CHECK(++entries < 1000);
	}
	free(buf);
	return r;
}

HTEST(cpio_bad)
{
	static char good[4096], buf[4096];
	size_t size = make_archive(good);

	for (size_t n = 1; n < size;
	     n++) /* cut anywhere: an error, but for where only zeros were lost */
		CHECK(walk(good, n) == -EINVAL || (n >= 480 && n <= 512) || n >= size - 3);
	for (int step = 0; step < 30000; step++) {
		memcpy(buf, good, size);
		for (u64 k = 0; k <= h_below(4); k++)
			buf[h_below(size)] =
				(char)(h_below(2) ? "0f8\0"[h_below(4)] : (char)h_rand());
		walk(buf, h_below(3) ? size : h_below(size));
	}
	memcpy(buf, good, size);
	buf[5] = '3';
	CHECK_EQ(walk(buf, size), -EINVAL);
	memcpy(buf, good, size);
	buf[6 + 8] = 'g';
	CHECK_EQ(walk(buf, size), -EINVAL);
	memcpy(buf, good, size);
	buf[110 + 3] = 'x'; /* the NUL of the first name */
	CHECK_EQ(walk(buf, size), -EINVAL);
}

#define TOP 0x7ffffffff000ull
#define PAGE 4096

static void make_elf(struct elf64_ehdr *h, struct elf64_phdr ph[4])
{
	memset(h, 0, sizeof(*h));
	memset(ph, 0, 4 * sizeof(*ph));
	memcpy(h->e_ident, ELF_MAGIC, 4);
	h->e_ident[EI_CLASS] = ELFCLASS64;
	h->e_ident[EI_DATA] = ELFDATA2LSB;
	h->e_type = ET_EXEC;
	h->e_machine = EM_X86_64;
	h->e_phoff = 64;
	h->e_phentsize = sizeof(*ph);
	h->e_phnum = 4;
	ph[0] = (struct elf64_phdr){ PT_LOAD, PF_R | PF_X, 0, 0x400000, 0, 0x1000, 0x1000, 0x1000 };
	ph[1] = (struct elf64_phdr){ PT_LOAD, PF_R | PF_W, 0x1800, 0x402800,
				     0,       0x100,       0x3000, 0x1000 };
	ph[2] = (struct elf64_phdr){ PT_INTERP, PF_R, 0x200, 0x400200, 0, 28, 28, 1 };
	ph[3] = (struct elf64_phdr){ PT_GNU_STACK, PF_R | PF_W, 0, 0, 0, 0, 0, 16 };
}

HTEST(elf_good)
{
	struct elf64_ehdr h;
	struct elf64_phdr ph[4];
	struct elf_layout l;

	make_elf(&h, ph);
	CHECK_EQ(elf_check_header(&h, sizeof(h), EM_X86_64), 0);
	CHECK_EQ(elf_check_phdrs(&h, ph, 4, PAGE, TOP, &l), 0);
	CHECK_EQ(l.low, 0x400000);
	CHECK_EQ(l.high, 0x405800);
	CHECK_EQ(l.phdr_vaddr, 0x400040);
	CHECK(l.has_interp && l.interp_offset == 0x200 && l.interp_size == 28);
	CHECK(!l.exec_stack && l.nr_load == 2 && l.align == 4096);
}

HTEST(elf_bad)
{
	struct elf64_ehdr h;
	struct elf64_phdr ph[4];
	struct elf_layout l;

#define BAD_HEADER(stmt)                                                                           \
	do {                                                                                       \
		make_elf(&h, ph);                                                                  \
		stmt;                                                                              \
		CHECK_EQ(elf_check_header(&h, sizeof(h), EM_X86_64), -ENOEXEC);                    \
	} while (0)
#define BAD_PHDR(stmt, err)                                                                        \
	do {                                                                                       \
		make_elf(&h, ph);                                                                  \
		stmt;                                                                              \
		CHECK_EQ(elf_check_phdrs(&h, ph, 4, PAGE, TOP, &l), err);                          \
	} while (0)
	BAD_HEADER(h.e_ident[0] = 0);
	BAD_HEADER(h.e_ident[EI_CLASS] = 1);
	BAD_HEADER(h.e_machine = EM_AARCH64);
	BAD_HEADER(h.e_type = ET_REL);
	BAD_HEADER(h.e_phentsize = 32);
	BAD_HEADER(h.e_phnum = 0);
	BAD_HEADER(h.e_phoff = ~0ull);
	BAD_PHDR(ph[0].p_filesz = 0x1001, -ENOEXEC);
	BAD_PHDR(ph[1].p_vaddr++, -ENOEXEC);
	BAD_PHDR(ph[1].p_align = 3, -ENOEXEC);
	BAD_PHDR(ph[1].p_memsz = ~0ull, -ENOMEM);
	BAD_PHDR((ph[1].p_vaddr = TOP, ph[1].p_offset = 0), -ENOMEM);
	BAD_PHDR((ph[0].p_type = PT_NULL, ph[1].p_type = PT_NULL), -ENOEXEC);
	BAD_PHDR(ph[2].p_filesz = 1, -ENOEXEC);
	BAD_PHDR(ph[2].p_filesz = 5000, -ENOEXEC);
	CHECK_EQ(elf_check_header(&h, 63, EM_X86_64), -ENOEXEC);
}

/* Whatever is accepted holds the promises: inside the address space, ordered, no overflow. */
HTEST(elf_mutation)
{
	struct elf64_ehdr h;
	struct elf64_phdr ph[4];
	struct elf_layout l;
	unsigned accepted = 0;

	for (int step = 0; step < 100000; step++) {
		make_elf(&h, ph);
		for (u64 k = 0; k <= h_below(3); k++)
			((u8 *)ph)[h_below(sizeof(ph))] = (u8)h_rand();
		((u8 *)&h)[h_below(sizeof(h))] ^= (u8)(h_below(2) << h_below(8));
		if (elf_check_header(&h, sizeof(h), EM_X86_64))
			continue;
		if (elf_check_phdrs(&h, ph, min_t(unsigned, h.e_phnum, 4), PAGE, TOP, &l))
			continue;
		accepted++;
		CHECK(l.low <= l.high && l.high <= TOP && l.nr_load > 0);
		for (unsigned i = 0; i < min_t(unsigned, h.e_phnum, 4); i++) {
			if (ph[i].p_type != PT_LOAD || !ph[i].p_memsz)
				continue;
			CHECK(ph[i].p_vaddr >= l.low && ph[i].p_vaddr + ph[i].p_memsz <= l.high);
			CHECK(ph[i].p_filesz <= ph[i].p_memsz);
			CHECK(ph[i].p_offset + ph[i].p_filesz >= ph[i].p_offset);
		}
	}
	CHECK(accepted > 100);
}
