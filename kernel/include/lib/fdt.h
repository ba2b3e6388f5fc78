/*
 * Flattened device trees: reading only. Pure, tested on the host; a blob that lies about itself is refused
 * or read as ending early, never beyond its size. Specification: devicetree.org, 0.4, chapter 5.
 *
 * A node is its offset in the structure block, from fdt_init() on valid for ever; negative: none. Searching
 * walks the blob: for use at boot.
 */
#pragma once
#include <lib/types.h>

struct fdt {
	const u8 *base; /* NULL: no tree */
	u32 size;
	u32 structure, structure_end; /* offsets */
	u32 strings, strings_end;
	u32 reserved; /* the memory reservation block */
};

#define FDT_NONE (-1)
#define FDT_HEADER_SIZE 40

/* The size that the header at blob (FDT_HEADER_SIZE bytes) claims; 0 when it is none. */
u32 fdt_total_size(const void *blob);
/* 0, or -EINVAL for what is no device tree of version 16 or 17 within max bytes. */
int fdt_init(struct fdt *f, const void *blob, size_t max);

int fdt_root(const struct fdt *f);
/* The next node in the order they are written; *depth (root: 0) is kept up. FDT_NONE at the end. */
int fdt_next(const struct fdt *f, int node, int *depth);
const char *fdt_name(const struct fdt *f, int node); /* with its unit address; "" for the root */
int fdt_parent(const struct fdt *f, int node);
/* A child by name; the unit address may be left out. */
int fdt_child(const struct fdt *f, int node, const char *name);
/* A node by absolute path. What follows a ':' is ignored (as in stdout-path); names without a leading
 * slash are looked up in /aliases. */
int fdt_path(const struct fdt *f, const char *path);
int fdt_by_phandle(const struct fdt *f, u32 phandle);
/* The next node after `after` (FDT_NONE: from the start) that is compatible with what is named, and not
 * disabled. */
int fdt_compatible(const struct fdt *f, int after, const char *what);
bool fdt_is_compatible(const struct fdt *f, int node, const char *what);
bool fdt_enabled(const struct fdt *f, int node); /* its status says so, or nothing */

/* A property's bytes, and their number if len is not NULL; NULL when there is none. */
const void *fdt_prop(const struct fdt *f, int node, const char *name, u32 *len);
/* A property as a string; NULL when there is none or it does not end. */
const char *fdt_string(const struct fdt *f, int node, const char *name);
/* The i-th cell of a property. False past its end. */
bool fdt_cell(const struct fdt *f, int node, const char *name, unsigned i, u32 *out);
/* `cells` (1 or 2, else 0 is false) cells from the i-th on, as one number. */
bool fdt_number(const struct fdt *f, int node, const char *name, unsigned i, unsigned cells,
		u64 *out);
/* #address-cells or #size-cells of a node, for its children; the default where there is none. */
unsigned fdt_address_cells(const struct fdt *f, int node);
unsigned fdt_size_cells(const struct fdt *f, int node);

/* The i-th address and size of `reg`, translated to the root's addresses by every bus's ranges. */
bool fdt_reg(const struct fdt *f, int node, unsigned i, u64 *address, u64 *size);
/* The i-th interrupt of a node, as the cells of its interrupt controller: how many (at most 4), 0: none. */
unsigned fdt_interrupt(const struct fdt *f, int node, unsigned i, u32 cells[4]);
/* The i-th entry of the memory reservation block. False past the last. */
bool fdt_reserved(const struct fdt *f, unsigned i, u64 *address, u64 *size);
