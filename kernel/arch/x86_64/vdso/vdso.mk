# What the x86_64 port adds to arch/common/vdso.mk.
VDSO_CFLAGS := -mno-avx -fcf-protection=none
include kernel/arch/common/vdso.mk
