/* Registers for reports. */
#include "../../common/backtrace.h"

#define R(name)                                                                                    \
	{                                                                                          \
#name, offsetof(struct regs, name)                                                 \
	}
static const struct {
	const char *name;
	unsigned offset;
} fields[] = {
	R(ip), R(sp),  R(flags), R(ax),  R(bx),  R(cx),  R(dx),  R(si),      R(di), R(bp), R(r8),
	R(r9), R(r10), R(r11),   R(r12), R(r13), R(r14), R(r15), R(orig_ax), R(cs), R(ss),
};

bool arch_regs_get(const struct regs *r, unsigned i, const char **name, u64 *value)
{
	if (i >= ARRAY_SIZE(fields))
		return false;
	*name = fields[i].name;
	*value = *(const u64 *)((const char *)r + fields[i].offset);
	return true;
}

/* They lie right above the return address. */
const struct regs *backtrace_saved_regs(uintptr_t fp, uintptr_t next)
{
	const struct regs *regs = (const struct regs *)(fp + 16);

	return backtrace_regs_fit(regs, next) ? regs : NULL;
}
