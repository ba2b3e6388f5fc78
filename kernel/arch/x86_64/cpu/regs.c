/* Registers for reports. */
#include <arch/regs.h>
#include <lib/format.h>

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

int arch_regs_format(const struct regs *r, char *buf, size_t size)
{
	const char *name;
	u64 value;
	int n = 0;

	buf[0] = '\0';
	for (unsigned i = 0; arch_regs_get(r, i, &name, &value); i++)
		n += scnprintf(buf + n, size - n, "%s%s=0x%llx", i ? " " : "", name,
			       (unsigned long long)value);
	return n;
}
