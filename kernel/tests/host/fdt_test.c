/* Device trees: a small one built here, read, cut off at every length, and spoiled at random. */
#include "harness.h"
#include <lib/fdt.h>
#include <string.h>

static u8 blob[4096];
static u32 blob_size, at, strings_at;
static u8 strings[256];

static void put32(u32 v)
{
	for (int shift = 24; shift >= 0; shift -= 8)
		blob[at++] = (u8)(v >> shift);
}
static void set32(u32 where, u32 v)
{
	u32 keep = at;

	at = where;
	put32(v);
	at = keep;
}
static void put_padded(const void *p, u32 n)
{
	memcpy(blob + at, p, n);
	at += n;
	while (at & 3)
		blob[at++] = 0;
}
static void begin(const char *name)
{
	put32(1);
	put_padded(name, (u32)strlen(name) + 1);
}
static void end(void)
{
	put32(2);
}
static u32 string_offset(const char *name)
{
	u32 n = (u32)strlen(name) + 1;

	for (u32 i = 0; i + n <= strings_at; i++)
		if (!memcmp(strings + i, name, n))
			return i;
	memcpy(strings + strings_at, name, n);
	strings_at += n;
	return strings_at - n;
}
static void prop(const char *name, const void *p, u32 n)
{
	put32(3);
	put32(n);
	put32(string_offset(name));
	put_padded(p, n);
}
static void text(const char *name, const char *value)
{
	prop(name, value, (u32)strlen(value) + 1);
}
static void cells(const char *name, const u32 *v, u32 n)
{
	u8 bytes[64];

	for (u32 i = 0; i < 4 * n; i++)
		bytes[i] = (u8)(v[i / 4] >> (24 - 8 * (i & 3)));
	prop(name, bytes, 4 * n);
}
#define CELLS(name, ...)                                                                           \
	cells(name, (const u32[]){ __VA_ARGS__ }, sizeof((u32[]){ __VA_ARGS__ }) / 4)

static void build(void)
{
	u32 start;

	memset(blob, 0, sizeof(blob));
	strings_at = 0;
	at = 40;
	for (u32 v = 0; v < 8; v++) /* one reservation of 0x2000 bytes at 0x1000, and the end */
		put32(v == 1 ? 0x1000 : v == 3 ? 0x2000 : 0);
	start = at;
	put32(4); /* nothing */
	begin("");
	CELLS("#address-cells", 2);
	CELLS("#size-cells", 2);
	CELLS("interrupt-parent", 7);
	begin("aliases");
	text("serial0", "/bus@10000000/uart@200");
	end();
	begin("intc@8000000");
	CELLS("phandle", 7);
	CELLS("#interrupt-cells", 3);
	CELLS("reg", 0, 0x8000000, 0, 0x10000, 0, 0x8010000, 0, 0x1000);
	end();
	begin("bus@10000000");
	CELLS("#address-cells", 1);
	CELLS("#size-cells", 1);
	CELLS("ranges", 0, 0, 0x10000000, 0x1000, 0x1000, 1, 0, 0x1000);
	begin("uart@200");
	prop("compatible", "vendor,one\0arm,pl011", 21);
	CELLS("reg", 0x200, 0x100);
	CELLS("interrupts", 0, 5, 4, 1, 2, 8);
	prop("endless", "abc", 3);
	end();
	begin("uart@1200");
	text("compatible", "arm,pl011");
	text("status", "disabled");
	CELLS("reg", 0x1200, 0x100, 0x2f80, 0x100);
	end();
	end();
	end();
	put32(9);
	set32(36, at - start);
	set32(8, start);
	set32(12, at);
	set32(32, strings_at);
	memcpy(blob + at, strings, strings_at);
	at += strings_at;
	blob_size = at;
	set32(0, 0xd00dfeed);
	set32(4, blob_size);
	set32(16, 40);
	set32(20, 17);
	set32(24, 16);
}

HTEST(fdt_reads)
{
	struct fdt f;
	int uart, other, depth = 0, nodes = 0;
	u64 address, size;
	u32 c[4], len;

	build();
	CHECK_EQ(fdt_total_size(blob), blob_size);
	CHECK_EQ(fdt_init(&f, blob, blob_size), 0);
	for (int n = fdt_root(&f); n >= 0; n = fdt_next(&f, n, &depth))
		nodes++;
	CHECK_EQ(nodes, 6);
	uart = fdt_path(&f, "/bus/uart@200");
	CHECK(uart >= 0 && uart == fdt_path(&f, "serial0:115200n8"));
	CHECK_STR(fdt_name(&f, uart), "uart@200");
	CHECK_EQ(fdt_compatible(&f, FDT_NONE, "arm,pl011"), uart);
	CHECK_EQ(fdt_compatible(&f, uart, "arm,pl011"), FDT_NONE); /* the other is disabled */
	CHECK(fdt_is_compatible(&f, uart, "vendor,one") && !fdt_is_compatible(&f, uart, "vendor"));
	CHECK(fdt_reg(&f, uart, 0, &address, &size));
	CHECK_EQ(address, 0x10000200);
	CHECK_EQ(size, 0x100);
	CHECK(!fdt_reg(&f, uart, 1, &address, &size));
	other = fdt_path(&f, "/bus/uart@1200");
	CHECK(fdt_reg(&f, other, 0, &address, &size));
	CHECK_EQ(address, 0x100000200);
	CHECK(!fdt_reg(&f, other, 1, &address, &size)); /* reaches past the bus's ranges */
	CHECK_EQ(fdt_interrupt(&f, uart, 1, c), 3);
	CHECK(c[0] == 1 && c[1] == 2 && c[2] == 8);
	CHECK_EQ(fdt_interrupt(&f, uart, 2, c), 0);
	CHECK_EQ(fdt_parent(&f, fdt_parent(&f, uart)), fdt_root(&f));
	CHECK_EQ(fdt_parent(&f, fdt_root(&f)), FDT_NONE);
	CHECK(fdt_reserved(&f, 0, &address, &size) && address == 0x1000 && size == 0x2000);
	CHECK(!fdt_reserved(&f, 1, &address, &size));
	CHECK(fdt_prop(&f, uart, "compatible", &len) && len == 21);
	CHECK(!fdt_prop(&f, uart, "phandle", &len) && !fdt_string(&f, uart, "endless"));
	CHECK_EQ(fdt_path(&f, "/bus/none"), FDT_NONE);
	CHECK_EQ(fdt_path(&f, "none"), FDT_NONE);
	CHECK(!fdt_enabled(&f, other) && fdt_enabled(&f, uart));
}

/* Everything there is to call, on a tree that may be nonsense. The sanitizers watch. */
static void read_all(const struct fdt *f)
{
	int depth = 0, nodes = 0;
	u64 address, size;
	u32 c[4];

	for (int n = fdt_root(f); n >= 0 && nodes < 100; n = fdt_next(f, n, &depth), nodes++) {
		(void)strlen(fdt_name(f, n));
		(void)fdt_parent(f, n);
		(void)fdt_is_compatible(f, n, "arm,pl011");
		(void)fdt_enabled(f, n);
		for (unsigned i = 0; i < 3; i++) {
			(void)fdt_reg(f, n, i, &address, &size);
			(void)fdt_interrupt(f, n, i, c);
		}
	}
	(void)fdt_path(f, "/bus/uart@200");
	(void)fdt_path(f, "serial0");
	(void)fdt_compatible(f, FDT_NONE, "arm,pl011");
	for (unsigned i = 0; i < 300 && fdt_reserved(f, i, &address, &size); i++)
		;
}

HTEST(fdt_cut_off)
{
	struct fdt f;

	build();
	for (u32 n = 0; n < blob_size; n++) {
		u8 *copy = malloc(n ? n : 1); /* exact, so that reading past it is seen */

		memcpy(copy, blob, n);
		CHECK(fdt_init(&f, copy, n) < 0);
		if (n >= 40) { /* and one that says it is that short */
			copy[4] = copy[5] = 0;
			copy[6] = (u8)(n >> 8);
			copy[7] = (u8)n;
			if (fdt_init(&f, copy, n) == 0)
				read_all(&f);
		}
		free(copy);
	}
}

HTEST(fdt_spoiled)
{
	struct fdt f;

	for (int round = 0; round < 20000; round++) {
		u8 *copy;
		u64 changes = 1 + h_below(4);

		build();
		copy = malloc(blob_size);
		memcpy(copy, blob, blob_size);
		while (changes--)
			copy[8 + h_below(blob_size - 8)] = (u8)h_rand();
		if (fdt_init(&f, copy, blob_size) == 0)
			read_all(&f);
		free(copy);
	}
}
