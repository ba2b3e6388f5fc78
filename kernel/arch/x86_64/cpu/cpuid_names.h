/* The CPUID words the kernel keeps, and the names of their bits as /proc/cpuinfo shows them. */
#pragma once
#include <lib/types.h>

enum cpuid_word {
	CPUID_1_EDX,
	CPUID_EXT1_EDX,
	CPUID_1_ECX,
	CPUID_EXT1_ECX,
	CPUID_7_EBX,
	CPUID_7_ECX,
	CPUID_7_EDX,
	CPUID_D1_EAX,
	CPUID_6_EAX,
	CPUID_EXT7_EDX,
	CPUID_WORDS,
};
enum { REG_EAX, REG_EBX, REG_ECX, REG_EDX };

struct cpuid_words {
	u32 w[CPUID_WORDS];
};
extern struct cpuid_words cpuid_words; /* [I] after cpu_features_init() */

struct cpuid_source {
	u32 leaf;
	u8 sub, reg;
};
extern const struct cpuid_source cpuid_sources[CPUID_WORDS];
/* Blank-separated names of bits 0..31; "-" for one without a name. */
extern const char *const cpuid_names[CPUID_WORDS];
