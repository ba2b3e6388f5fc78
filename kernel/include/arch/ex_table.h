/*
 * The exception table (arch/common/ex_table.c): instructions that may fault on a user address, and where they go
 * on. Used by the ports alone.
 */
#pragma once

/* The instruction at label from goes on at label to: one entry, two 32-bit offsets from the field itself. */
#ifdef __ASSEMBLER__
/* clang-format off */
.macro EX_TABLE from, to
	.pushsection .ex_table, "a"
	.balign 4
	.long \from - .
	.long \to - .
	.popsection
.endm
/* clang-format on */
#else
#include <lib/types.h>

struct ex_entry {
	s32 insn, fixup;
};
#define EX_TABLE(from, to)                                                                         \
	".pushsection .ex_table, \"a\"\n\t.balign 4\n\t.long " from " - .\n\t.long " to            \
	" - .\n\t.popsection\n\t"

struct regs;

/* Where an exception at ip goes on, or 0. Any context. */
uintptr_t ex_table_find(uintptr_t ip);
/* Makes regs go on at the fixup of its ip, if there is one. */
bool ex_fixup(struct regs *regs);
void ex_table_init(void); /* boot CPU, once: sorts */
#endif
