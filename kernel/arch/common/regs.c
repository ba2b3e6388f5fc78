/* Registers for reports, as the port names them (arch_regs_get). */
#include <arch/regs.h>
#include <lib/format.h>

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
