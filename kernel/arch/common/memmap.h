/* Making the kernel's memory map out of what firmware says; pure, tested on the host. */
#pragma once
#ifndef MEMMAP_TYPES_GIVEN /* (the test brings the types alone) */
#include <arch/mmu.h>
#endif

/*
 * Sorts ranges that may overlap and be empty into out: where several cover an address the one of the
 * strongest kind counts (usable < firmware < initrd < kernel < reserved). Usable parts are shrunk to whole
 * pages, neighbours of one kind merged. Returns how many, or -E2BIG when they do not fit (out holds the
 * lowest then).
 */
int memmap_build(const struct memrange *in, unsigned n, struct memrange *out, unsigned max);
