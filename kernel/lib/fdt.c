/*
 * Flattened device trees. No state, no locks. Every offset is checked before it is followed, every walk goes
 * forward through the blob or up a bounded number of levels: a hostile tree costs time, nothing else.
 * Specification: devicetree.org, 0.4: 2.3 (standard properties), 5 (format).
 */
#include <lib/errno.h>
#include <lib/fdt.h>
#include <lib/string.h>

#define MAGIC 0xd00dfeedu
#define DEPTH_MAX 32
#define ALIAS_MAX 256

enum token { BEGIN_NODE = 1, END_NODE = 2, PROP = 3, NOP = 4, END = 9 };
enum header {
	H_MAGIC = 0,
	H_TOTAL = 4,
	H_STRUCT = 8,
	H_STRINGS = 12,
	H_RESERVED = 16,
	H_COMPATIBLE_VERSION = 24,
	H_STRINGS_SIZE = 32,
	H_STRUCT_SIZE = 36
};

static u32 be32(const void *p)
{
	const u8 *b = p;

	return (u32)b[0] << 24 | (u32)b[1] << 16 | (u32)b[2] << 8 | b[3];
}

static u64 be64(const void *p)
{
	return (u64)be32(p) << 32 | be32((const u8 *)p + 4);
}

u32 fdt_total_size(const void *blob)
{
	return be32(blob) == MAGIC ? be32((const u8 *)blob + H_TOTAL) : 0;
}

static bool block_ok(u32 offset, u32 n, u32 size)
{
	return offset >= FDT_HEADER_SIZE && offset <= size && n <= size - offset;
}

int fdt_init(struct fdt *f, const void *blob, size_t max)
{
	const u8 *b = blob;
	u32 size, structure, strings;

	memset(f, 0, sizeof(*f));
	if (max < FDT_HEADER_SIZE)
		return -EINVAL;
	size = fdt_total_size(b);
	structure = be32(b + H_STRUCT);
	strings = be32(b + H_STRINGS);
	if (size < FDT_HEADER_SIZE || size > max || size > 0x7fffffff || (structure & 3) ||
	    be32(b + H_COMPATIBLE_VERSION) > 17 ||
	    !block_ok(structure, be32(b + H_STRUCT_SIZE), size) ||
	    !block_ok(strings, be32(b + H_STRINGS_SIZE), size))
		return -EINVAL;
	f->base = b;
	f->size = size;
	f->structure = structure;
	f->structure_end = structure + be32(b + H_STRUCT_SIZE);
	f->strings = strings;
	f->strings_end = strings + be32(b + H_STRINGS_SIZE);
	f->reserved = be32(b + H_RESERVED);
	if (fdt_root(f) < 0) {
		f->base = NULL;
		return -EINVAL;
	}
	return 0;
}

/* The token at a place of the structure block. */
static u32 token_at(const struct fdt *f, u32 at)
{
	return at + 4 <= f->structure_end ? be32(f->base + at) : END;
}

/* The place behind the token at `at`; the end for what is cut off or unknown. */
static u32 token_skip(const struct fdt *f, u32 at)
{
	u32 room = f->structure_end - at, n;

	switch (token_at(f, at)) {
	case BEGIN_NODE:
		n = (u32)strnlen((const char *)f->base + at + 4, room - 4);
		n = n == room - 4 ? room : ALIGN_UP(4 + n + 1, 4);
		break;
	case PROP:
		if (room < 12)
			return f->structure_end;
		n = be32(f->base + at + 4);
		n = n > room - 12 ? room : ALIGN_UP(12 + n, 4);
		break;
	case END_NODE:
	case NOP: n = 4; break;
	default: return f->structure_end;
	}
	return n >= room ? f->structure_end : at + n;
}

int fdt_root(const struct fdt *f)
{
	u32 at = f->structure;

	if (!f->base)
		return FDT_NONE;
	while (token_at(f, at) == NOP)
		at += 4;
	return token_at(f, at) == BEGIN_NODE && token_skip(f, at) < f->structure_end ? (int)at
										     : FDT_NONE;
}

int fdt_next(const struct fdt *f, int node, int *depth)
{
	u32 at;

	if (node < 0)
		return FDT_NONE;
	for (at = token_skip(f, (u32)node);; at = token_skip(f, at)) {
		switch (token_at(f, at)) {
		case BEGIN_NODE:
			++*depth;
			return token_skip(f, at) < f->structure_end ? (int)at : FDT_NONE;
		case END_NODE:
			if (--*depth < 0)
				return FDT_NONE;
			break;
		case PROP:
		case NOP: break;
		default: return FDT_NONE;
		}
	}
}

const char *fdt_name(const struct fdt *f, int node)
{
	return node < 0 ? "" : (const char *)f->base + node + 4;
}

int fdt_parent(const struct fdt *f, int node)
{
	int at[DEPTH_MAX], depth = 0;

	for (int n = fdt_root(f); n >= 0; n = fdt_next(f, n, &depth)) {
		if (depth >= DEPTH_MAX)
			return FDT_NONE;
		at[depth] = n;
		if (n == node)
			return depth ? at[depth - 1] : FDT_NONE;
	}
	return FDT_NONE;
}

static bool name_matches(const char *have, const char *want, size_t n)
{
	return !strncmp(have, want, n) && (!have[n] || (have[n] == '@' && !memchr(want, '@', n)));
}

static int child_of(const struct fdt *f, int node, const char *name, size_t n)
{
	int depth = 0;

	for (int c = fdt_next(f, node, &depth); c >= 0 && depth >= 1; c = fdt_next(f, c, &depth))
		if (depth == 1 && name_matches(fdt_name(f, c), name, n))
			return c;
	return FDT_NONE;
}

int fdt_child(const struct fdt *f, int node, const char *name)
{
	return child_of(f, node, name, strlen(name));
}

/* Up to the next '/', ':' or the end. */
static size_t part_length(const char *s)
{
	size_t n = 0;

	while (s[n] && s[n] != '/' && s[n] != ':')
		n++;
	return n;
}

static int absolute_path(const struct fdt *f, const char *path)
{
	int node = fdt_root(f);

	while (node >= 0 && *path == '/') {
		size_t n = part_length(++path);

		if (n)
			node = child_of(f, node, path, n);
		path += n;
	}
	return node;
}

int fdt_path(const struct fdt *f, const char *path)
{
	char name[ALIAS_MAX];
	const char *alias;
	size_t n;

	if (*path == '/')
		return absolute_path(f, path);
	n = part_length(path);
	if (n >= sizeof(name))
		return FDT_NONE;
	memcpy(name, path, n);
	name[n] = 0;
	alias = fdt_string(f, absolute_path(f, "/aliases"), name);
	return alias && *alias == '/' ? absolute_path(f, alias) : FDT_NONE;
}

const void *fdt_prop(const struct fdt *f, int node, const char *name, u32 *len)
{
	u32 at;

	if (node < 0)
		return NULL;
	for (at = token_skip(f, (u32)node);; at = token_skip(f, at)) {
		u32 token = token_at(f, at), s;

		if (token == NOP)
			continue;
		if (token != PROP || f->structure_end - at < 12)
			return NULL;
		s = be32(f->base + at + 8);
		if (s >= f->strings_end - f->strings ||
		    be32(f->base + at + 4) > f->structure_end - at - 12)
			return NULL;
		s += f->strings;
		if (strnlen((const char *)f->base + s, f->strings_end - s) == f->strings_end - s ||
		    strcmp((const char *)f->base + s, name))
			continue;
		if (len)
			*len = be32(f->base + at + 4);
		return f->base + at + 12;
	}
}

const char *fdt_string(const struct fdt *f, int node, const char *name)
{
	u32 len;
	const char *s = fdt_prop(f, node, name, &len);

	return s && strnlen(s, len) < len ? s : NULL;
}

bool fdt_number(const struct fdt *f, int node, const char *name, unsigned i, unsigned cells,
		u64 *out)
{
	u32 len;
	const u8 *p = fdt_prop(f, node, name, &len);

	if (!p || cells < 1 || cells > 2 || (u64)i + cells > len / 4)
		return false;
	p += 4 * (size_t)i;
	*out = cells == 2 ? be64(p) : be32(p);
	return true;
}

bool fdt_cell(const struct fdt *f, int node, const char *name, unsigned i, u32 *out)
{
	u64 v;

	if (!fdt_number(f, node, name, i, 1, &v))
		return false;
	*out = (u32)v;
	return true;
}

static unsigned cells_of(const struct fdt *f, int node, const char *name, unsigned standard)
{
	u32 n;

	return fdt_cell(f, node, name, 0, &n) && n <= 4 ? n : standard;
}

unsigned fdt_address_cells(const struct fdt *f, int node)
{
	return cells_of(f, node, "#address-cells", 2);
}

unsigned fdt_size_cells(const struct fdt *f, int node)
{
	return cells_of(f, node, "#size-cells", 1);
}

int fdt_by_phandle(const struct fdt *f, u32 phandle)
{
	int depth = 0;
	u32 have;

	for (int n = fdt_root(f); n >= 0; n = fdt_next(f, n, &depth))
		if (fdt_cell(f, n, "phandle", 0, &have) && have == phandle)
			return n;
	return FDT_NONE;
}

bool fdt_is_compatible(const struct fdt *f, int node, const char *what)
{
	u32 len;
	const char *s = fdt_prop(f, node, "compatible", &len);

	while (s && len) {
		u32 n = (u32)strnlen(s, len);

		if (n == len)
			return false;
		if (!strcmp(s, what))
			return true;
		s += n + 1;
		len -= n + 1;
	}
	return false;
}

bool fdt_enabled(const struct fdt *f, int node)
{
	const char *s = fdt_string(f, node, "status");

	return !s || !strcmp(s, "okay") || !strcmp(s, "ok");
}

int fdt_compatible(const struct fdt *f, int after, const char *what)
{
	int depth = DEPTH_MAX; /* which is of no interest */
	int n = after < 0 ? fdt_root(f) : fdt_next(f, after, &depth);

	for (; n >= 0; n = fdt_next(f, n, &depth))
		if (fdt_is_compatible(f, n, what) && fdt_enabled(f, n))
			return n;
	return FDT_NONE;
}

/* An address on bus `bus` as one on the bus above, by its ranges. */
static bool translate(const struct fdt *f, int bus, int above, u64 *address, u64 size)
{
	unsigned child = fdt_address_cells(f, bus), parent = fdt_address_cells(f, above);
	unsigned n = fdt_size_cells(f, bus), row = child + parent + n;
	u32 len;

	if (!fdt_prop(f, bus, "ranges", &len))
		return false;
	if (!len)
		return true;
	for (unsigned i = 0; ((u64)i + 1) * row <= len / 4; i++) {
		u64 from, to, bytes;

		if (!fdt_number(f, bus, "ranges", i * row, child, &from) ||
		    !fdt_number(f, bus, "ranges", i * row + child, parent, &to) ||
		    !fdt_number(f, bus, "ranges", i * row + child + parent, n, &bytes))
			return false;
		if (*address >= from && *address - from < bytes &&
		    size <= bytes - (*address - from)) {
			*address = to + (*address - from);
			return true;
		}
	}
	return false;
}

bool fdt_reg(const struct fdt *f, int node, unsigned i, u64 *address, u64 *size)
{
	int bus = fdt_parent(f, node);
	unsigned a, s;

	if (bus < 0)
		return false;
	a = fdt_address_cells(f, bus);
	s = fdt_size_cells(f, bus);
	*size = 0;
	if (i > 0xffff || !fdt_number(f, node, "reg", i * (a + s), a, address) ||
	    (s && !fdt_number(f, node, "reg", i * (a + s) + a, s, size)))
		return false;
	for (int above = fdt_parent(f, bus); above >= 0; bus = above, above = fdt_parent(f, bus))
		if (s && !translate(f, bus, above, address, *size))
			return false;
	return true;
}

/* The controller that a node's interrupts go to: its own word, or that of the nearest above. */
static int interrupt_parent(const struct fdt *f, int node)
{
	u32 phandle;

	for (; node >= 0; node = fdt_parent(f, node))
		if (fdt_cell(f, node, "interrupt-parent", 0, &phandle))
			return fdt_by_phandle(f, phandle);
	return FDT_NONE;
}

unsigned fdt_interrupt(const struct fdt *f, int node, unsigned i, u32 cells[4])
{
	u32 n;

	if (i > 0xffff || !fdt_cell(f, interrupt_parent(f, node), "#interrupt-cells", 0, &n) ||
	    n < 1 || n > 4)
		return 0;
	for (unsigned c = 0; c < n; c++)
		if (!fdt_cell(f, node, "interrupts", i * n + c, &cells[c]))
			return 0;
	return n;
}

bool fdt_reserved(const struct fdt *f, unsigned i, u64 *address, u64 *size)
{
	u64 at = f->reserved + 16ull * i;

	if (!f->base || f->reserved < FDT_HEADER_SIZE || at + 16 > f->size)
		return false;
	*address = be64(f->base + at);
	*size = be64(f->base + at + 8);
	return *address || *size;
}
