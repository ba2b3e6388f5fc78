/* Sorting in place, O(n log n) always, no memory. */
#pragma once
#include <lib/types.h>

/* cmp: negative, 0, positive. Not stable. size: of an element, any. */
void sort(void *base, size_t n, size_t size, int (*cmp)(const void *a, const void *b));
