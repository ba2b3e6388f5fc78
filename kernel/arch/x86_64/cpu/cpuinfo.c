/* The text of /proc/cpuinfo, in the form Linux programs parse. No state, no locks. */
#include <arch/cpu.h>
#include <asm/apic.h>
#include <asm/cpu.h>
#include <lib/format.h>
#include <lib/string.h>
#include "cpuid_names.h"
#include "tsc.h"

const struct cpuid_source cpuid_sources[CPUID_WORDS] = {
	[CPUID_1_EDX] = { 1, 0, REG_EDX }, [CPUID_EXT1_EDX] = { 0x80000001, 0, REG_EDX },
	[CPUID_1_ECX] = { 1, 0, REG_ECX }, [CPUID_EXT1_ECX] = { 0x80000001, 0, REG_ECX },
	[CPUID_7_EBX] = { 7, 0, REG_EBX }, [CPUID_7_ECX] = { 7, 0, REG_ECX },
	[CPUID_7_EDX] = { 7, 0, REG_EDX }, [CPUID_D1_EAX] = { 0xd, 1, REG_EAX },
	[CPUID_6_EAX] = { 6, 0, REG_EAX }, [CPUID_EXT7_EDX] = { 0x80000007, 0, REG_EDX },
};

const char *const cpuid_names[CPUID_WORDS] = {
	[CPUID_1_EDX] =
		"fpu vme de pse tsc msr pae mce cx8 apic - sep mtrr pge mca cmov pat pse36 pn "
		"clflush - dts acpi mmx fxsr sse sse2 ss ht tm ia64 pbe",
	[CPUID_EXT1_EDX] =
		"- - - - - - - - - - - syscall - - - - - - - mp nx - mmxext - - fxsr_opt "
		"pdpe1gb rdtscp - lm 3dnowext 3dnow",
	[CPUID_1_ECX] =
		"pni pclmulqdq dtes64 monitor ds_cpl vmx smx est tm2 ssse3 cid sdbg fma cx16 xtpr "
		"pdcm - pcid dca sse4_1 sse4_2 x2apic movbe popcnt tsc_deadline_timer aes xsave - "
		"avx f16c rdrand hypervisor",
	[CPUID_EXT1_ECX] =
		"lahf_lm cmp_legacy svm extapic cr8_legacy abm sse4a misalignsse 3dnowprefetch "
		"osvw ibs xop skinit wdt - lwp fma4 tce - nodeid_msr - tbm topoext "
		"perfctr_core perfctr_nb - bpext ptsc perfctr_llc mwaitx - -",
	[CPUID_7_EBX] =
		"fsgsbase tsc_adjust sgx bmi1 hle avx2 - smep bmi2 erms invpcid rtm cqm - mpx rdt_a "
		"avx512f avx512dq rdseed adx smap avx512ifma - clflushopt clwb intel_pt avx512pf "
		"avx512er avx512cd sha_ni avx512bw avx512vl",
	[CPUID_7_ECX] =
		"- avx512vbmi umip - - waitpkg avx512_vbmi2 - gfni vaes vpclmulqdq avx512_vnni "
		"avx512_bitalg - avx512_vpopcntdq - la57 - - - - - rdpid - bus_lock_detect cldemote - "
		"movdiri movdir64b - - -",
	[CPUID_7_EDX] =
		"- - avx512_4vnniw avx512_4fmaps fsrm - - - avx512_vp2intersect - md_clear - - - "
		"serialize - tsxldtrk - - - - - - avx512_fp16 - - - - - arch_capabilities - -",
	[CPUID_D1_EAX] = "xsaveopt xsavec xgetbv1 xsaves",
	[CPUID_6_EAX] = "dtherm ida arat",
	[CPUID_EXT7_EDX] = "- - - - - - - - constant_tsc",
};

static size_t format_flags(char *buf, size_t size)
{
	size_t n = 0;

	for (unsigned w = 0; w < CPUID_WORDS; w++) {
		const char *s = cpuid_names[w];

		for (unsigned bit = 0; *s; bit++) {
			const char *end = strchr(s, ' ');
			int len = end ? (int)(end - s) : (int)strlen(s);

			if (cpuid_words.w[w] >> bit & 1 && *s != '-')
				n += scnprintf(buf + n, size - n, " %.*s", len, s);
			s += len + (end != NULL);
		}
	}
	return n;
}

int arch_cpuinfo(unsigned cpu, char *buf, size_t size)
{
	const struct cpu_features *f = &cpu_features;
	u64 khz = tsc_hz() / 1000;
	size_t n;

	n = scnprintf(buf, size,
		      "processor\t: %u\nvendor_id\t: %s\ncpu family\t: %u\nmodel\t\t: %u\n"
		      "model name\t: %s\nstepping\t: %u\ncpu MHz\t\t: %llu.%03llu\n"
		      "physical id\t: %u\nsiblings\t: 1\ncore id\t\t: 0\ncpu cores\t: 1\n"
		      "apicid\t\t: %u\nfpu\t\t: yes\nfpu_exception\t: yes\nwp\t\t: yes\nflags\t\t:",
		      cpu, f->vendor, f->family, f->model, f->brand[0] ? f->brand : "unknown",
		      f->stepping, khz / 1000, khz % 1000, cpu, cpu_apic_id[cpu]);
	n += format_flags(buf + n, size - n);
	n += scnprintf(buf + n, size - n,
		       "\nbogomips\t: %llu.%02llu\nclflush size\t: %u\ncache_alignment\t: 64\n"
		       "address sizes\t: %u bits physical, 48 bits virtual\n\n",
		       khz / 500, khz / 5 % 100, f->clflush_size, f->phys_bits);
	return (int)n;
}
