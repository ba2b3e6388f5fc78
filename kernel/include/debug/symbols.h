/* The kernel's own symbol table, embedded by the second link. */
#pragma once
#include <lib/types.h>

/* Name and offset of the function that holds addr; NULL when outside the text. Any context. */
const char *symbol_find(uintptr_t addr, size_t *offset);
/* "name+0x12" or "0x…" into buf; returns buf. */
const char *symbol_format(uintptr_t addr, char *buf, size_t size);
