/* Registers for reports. */
#include "../../common/backtrace.h"

#define FRAME_MAX 1024 /* of a function that entry calls */

static const char *const names[] = {
	"pc",  "sp",  "pstate", "x0",  "x1",  "x2",  "x3",  "x4",  "x5",  "x6",  "x7",      "x8",
	"x9",  "x10", "x11",    "x12", "x13", "x14", "x15", "x16", "x17", "x18", "x19",     "x20",
	"x21", "x22", "x23",    "x24", "x25", "x26", "x27", "x28", "x29", "x30", "orig_x0", "nr",
};

bool arch_regs_get(const struct regs *r, unsigned i, const char **name, u64 *value)
{
	const u64 *words = (const u64 *)r;

	if (i >= ARRAY_SIZE(names))
		return false;
	*name = names[i];
	switch (i) {
	case 0: *value = r->pc; break;
	case 1: *value = r->sp; break;
	case 2: *value = r->pstate; break;
	case 34: *value = r->orig_x0; break;
	case 35: *value = (u64)r->nr; break;
	default: *value = words[i - 3]; break;
	}
	return true;
}

/* A frame's record lies at its lower end, and nothing says how long it is: they are known by what they hold. */
const struct regs *backtrace_saved_regs(uintptr_t fp, uintptr_t next)
{
	for (uintptr_t at = fp + 16; at < fp + FRAME_MAX; at += 16)
		if (backtrace_regs_fit((const struct regs *)at, next))
			return (const struct regs *)at;
	return NULL;
}
