/* The text of /proc/cpuinfo, in the form Linux programs parse. No state, no locks. */
#include <arch/cpu.h>
#include <asm/cpu.h>
#include <lib/format.h>
#include "features.h"

int arch_cpuinfo(unsigned cpu, char *buf, size_t size)
{
	u64 hz = read_sysreg(cntfrq_el0), midr = cpu_features.midr;
	const char *name;
	size_t n;

	n = scnprintf(buf, size, "processor\t: %u\nBogoMIPS\t: %llu.%02llu\nFeatures\t:", cpu,
		      (unsigned long long)hz / 500000, (unsigned long long)hz / 5000 % 100);
	for (unsigned i = 0; (name = cpu_feature_name(i)); i++)
		n += scnprintf(buf + n, size - n, " %s", name);
	n += scnprintf(buf + n, size - n,
		       "\nCPU implementer\t: 0x%02x\nCPU architecture: 8\nCPU variant\t: 0x%x\n"
		       "CPU part\t: 0x%03x\nCPU revision\t: %u\n\n",
		       (unsigned)(midr >> 24 & 0xff), (unsigned)(midr >> 20 & 0xf),
		       (unsigned)(midr >> 4 & 0xfff), (unsigned)(midr & 0xf));
	return (int)n;
}
