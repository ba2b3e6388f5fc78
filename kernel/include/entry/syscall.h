/* System-call dispatch. */
#pragma once
#include <lib/types.h>

typedef long (*syscall_fn)(long, long, long, long, long, long);
extern const syscall_fn syscall_table[];

/* The name of a number, or NULL. */
const char *syscall_name(unsigned long nr);
/* How often a call without a function was asked for; past the table: all such together. */
u32 syscall_unknown_count(unsigned long nr);
/* Entry assembly calls it for numbers past the table, the table for holes. */
long syscall_unknown(void);
