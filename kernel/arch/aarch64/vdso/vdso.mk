# What the aarch64 port adds to arch/common/vdso.mk.
VDSO_CFLAGS := -mgeneral-regs-only
include kernel/arch/common/vdso.mk
