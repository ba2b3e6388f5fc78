/* What firmware says: the memory map (against a page-by-page model) and ACPI tables (built, cut, random). */
#include "harness.h"
#include <errno.h>
#include <string.h>

/* <asm/pte.h> is the port's; the map needs no entries. */
#define PAGE_SIZE 4096ul
enum memrange_kind { MEM_USABLE, MEM_RESERVED, MEM_FIRMWARE, MEM_KERNEL, MEM_INITRD };
struct memrange {
	paddr_t base;
	u64 size;
	enum memrange_kind kind;
};
#define MEMMAP_TYPES_GIVEN
#include "../../arch/common/memmap.c"
#include "../../arch/x86_64/cpu/acpi_parse.c"

#define SPACE 64 /* quarter pages in the model's world */
#define UNIT 1024u

static int strength(int kind)
{
	static const int of[] = { [MEM_USABLE] = 1,
				  [MEM_FIRMWARE] = 2,
				  [MEM_INITRD] = 3,
				  [MEM_KERNEL] = 4,
				  [MEM_RESERVED] = 5 };

	return kind < 0 ? 0 : of[kind];
}

HTEST(memmap_like_the_model)
{
	for (int round = 0; round < 20000; round++) {
		struct memrange in[10], out[40];
		unsigned n = (unsigned)h_below(10);
		int model[SPACE], count;

		for (int i = 0; i < SPACE; i++)
			model[i] = -1;
		for (unsigned i = 0; i < n; i++) {
			unsigned base = (unsigned)h_below(SPACE),
				 len = (unsigned)h_below(SPACE - base);

			in[i] = (struct memrange){ base * UNIT, len * UNIT,
						   (enum memrange_kind)h_below(5) };
			for (unsigned u = base; u < base + len; u++)
				if (strength((int)in[i].kind) > strength(model[u]))
					model[u] = (int)in[i].kind;
		}
		count = memmap_build(in, n, out, 40);
		CHECK(count >= 0);
		for (int i = 0; i < count; i++) {
			CHECK(out[i].size);
			CHECK(i == 0 || out[i].base >= out[i - 1].base + out[i - 1].size);
			if (out[i].kind == MEM_USABLE)
				CHECK(!((out[i].base | out[i].size) % PAGE_SIZE));
			for (u64 a = out[i].base; a < out[i].base + out[i].size; a += UNIT)
				CHECK_EQ(model[a / UNIT], (int)out[i].kind);
		}
		/* Every whole page of usable memory is there, and every unit of the rest. */
		for (unsigned u = 0; u < SPACE; u++) {
			bool want = model[u] >= 0, got = false;

			for (unsigned q = u / 4 * 4; model[u] == MEM_USABLE && q < u / 4 * 4 + 4;
			     q++)
				want = want && model[q] == MEM_USABLE;
			for (int i = 0; i < count; i++)
				got |= u * UNIT >= out[i].base &&
				       u * UNIT < out[i].base + out[i].size;
			CHECK_EQ(got, want);
		}
	}
}

HTEST(memmap_edges)
{
	struct memrange in[3] = { { 0, 0x10000, MEM_USABLE },
				  { ~0ull - 0xfff, 0x1000, MEM_RESERVED },
				  { 0x2000, 0x1000, MEM_RESERVED } };
	struct memrange out[4];

	CHECK_EQ(memmap_build(in, 3, out, 4), 4);
	CHECK_EQ(memmap_build(in, 3, out, 2), -E2BIG);
	CHECK_EQ(out[0].size, 0x2000);
	CHECK_EQ(memmap_build(in, 0, out, 4), 0);
}

static void put32(u8 *p, u32 v)
{
	memcpy(p, &v, 4);
}

HTEST(acpi_madt)
{
	u8 t[200] = { 0 };
	struct acpi_madt m;
	size_t n = 44;

	put32(t + 36, 0xfee00000);
	t[40] = 1;
	for (u8 id = 0; id < 3; id++, n += 8) { /* the last one is disabled */
		t[n] = 0, t[n + 1] = 8, t[n + 3] = id * 2;
		put32(t + n + 4, id < 2);
	}
	t[n] = 1, t[n + 1] = 12;
	put32(t + n + 4, 0xfec00000);
	put32(t + n + 8, 24);
	n += 12;
	t[n] = 2, t[n + 1] = 10, t[n + 3] = 9; /* ISA 9 → GSI 20, level, low */
	put32(t + n + 4, 20);
	t[n + 8] = 0xf;
	n += 10;
	CHECK_EQ(acpi_parse_madt(t, n, &m), 0);
	CHECK_EQ(m.nr_cpus, 2);
	CHECK_EQ(m.apic_ids[1], 2);
	CHECK_EQ(m.nr_ioapics, 1);
	CHECK_EQ(m.ioapics[0].gsi_base, 24);
	CHECK(m.has_8259 && m.lapic_base == 0xfee00000);
	CHECK(m.isa[9].overridden && m.isa[9].gsi == 20 && m.isa[9].level && m.isa[9].active_low);
	CHECK(!m.isa[4].overridden && m.isa[4].gsi == 4);
	CHECK_EQ(acpi_parse_madt(t, n - 1, &m), -EINVAL);
	CHECK_EQ(acpi_parse_madt(t, 43, &m), -EINVAL);
	t[45] = 1;
	CHECK_EQ(acpi_parse_madt(t, n, &m), -EINVAL);
}

HTEST(acpi_s5)
{
	static const u8 plain[] = "..\x08_S5_\x12\x08\x04\x0a\x05\x0a\x07\x00\x00....";
	static const u8 root[] = ".\x08\\_S5_\x12\x06\x04\x01\x00\x00\x00....";
	static const u8 call[] = "..\x70_S5_\x12\x06\x04\x01\x00\x00\x00....";
	u8 a = 99, b = 99;

	CHECK_EQ(acpi_find_s5(plain, sizeof(plain), &a, &b), 0);
	CHECK(a == 5 && b == 7);
	CHECK_EQ(acpi_find_s5(root, sizeof(root), &a, &b), 0);
	CHECK(a == 1 && b == 0);
	CHECK_EQ(acpi_find_s5(call, sizeof(call), &a, &b), -ENOENT);
	CHECK_EQ(acpi_find_s5(plain, 9, &a, &b), -ENOENT);
}

HTEST(acpi_device)
{
	u8 aml[300] = { 0 };
	struct acpi_device_resources r;

	memcpy(aml + 10, "LNRO0005", 9);
	memcpy(aml + 60, "\x86\x09\x00\x01", 4);
	put32(aml + 64, 0xfeb00000);
	put32(aml + 68, 512);
	memcpy(aml + 72, "\x89\x06\x00\x01\x01", 5); /* level, high */
	put32(aml + 77, 46);
	CHECK_EQ(acpi_find_device(aml, sizeof(aml), "LNRO0005", 0, &r), 0);
	CHECK(r.base == 0xfeb00000 && r.size == 512 && r.irq == 46 && r.level == true &&
	      !r.active_low);
	CHECK_EQ(acpi_find_device(aml, sizeof(aml), "LNRO0005", 1, &r), -ENOENT);
	CHECK_EQ(acpi_find_device(aml, 75, "LNRO0005", 0, &r), -ENOENT);
}

/* Whatever firmware hands over, no parser reads outside it (the sanitizer watches). */
HTEST(acpi_random)
{
	for (int i = 0; i < 20000; i++) {
		size_t n = h_below(300);
		u8 *t = malloc(n + 1);
		struct acpi_device_resources r;
		struct acpi_madt m;
		struct acpi_fadt f;
		u64 base;
		u8 a, b;

		for (size_t k = 0; k < n; k++)
			t[k] = h_below(4) ? (u8)h_below(16) : (u8)h_rand();
		if (n > 40 && h_below(2))
			memcpy(t + h_below(n - 30), h_below(2) ? "\x08_S5_\x12" : "LNRO0005", 6);
		t = realloc(t, n ? n : 1);
		acpi_parse_madt(t, n, &m);
		acpi_parse_fadt(t, n, &f);
		acpi_parse_mcfg(t, n, &base, &a, &b);
		acpi_parse_hpet(t, n, &base);
		acpi_find_s5(t, n, &a, &b);
		acpi_find_device(t, n, "LNRO0005", h_below(2), &r);
		acpi_checksum_ok(t, n);
		free(t);
	}
}
