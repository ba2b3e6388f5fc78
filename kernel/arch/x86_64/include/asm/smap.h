/*
 * Opening and closing user memory to the kernel (SMAP). Each site is a 3-byte instruction that
 * cpu_features_init() overwrites with a no-op on CPUs without SMAP, before the text becomes read-only.
 */
#pragma once

#ifdef __ASSEMBLER__
/* clang-format off */
.macro SMAP_SITE insn:req
661:	\insn
	.pushsection .smap_sites, "a"
	.quad 661b
	.popsection
.endm
/* clang-format on */
#define USER_ACCESS_BEGIN SMAP_SITE stac
#define USER_ACCESS_END SMAP_SITE clac
#else
#define SMAP_SITE(insn)                                                                            \
	"661: " insn "\n\t.pushsection .smap_sites, \"a\"\n\t.quad 661b\n\t.popsection\n\t"
static __always_inline void user_access_begin(void)
{
	asm volatile(SMAP_SITE("stac") : : : "memory", "cc");
}
static __always_inline void user_access_end(void)
{
	asm volatile(SMAP_SITE("clac") : : : "memory", "cc");
}
#endif
