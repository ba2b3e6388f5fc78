# Tools and flags of the aarch64 port. General registers only: the FPU belongs to user programs. x18 is the
# address of this CPU's per-CPU area (asm/percpu.h). Atomics are inline and of ARMv8.0, which every CPU has.
CROSS := aarch64-linux-gnu-
CLANG_TARGET := --target=aarch64-linux-gnu
PACKAGES := aarch64
ARCH_CFLAGS := -march=armv8-a -mcmodel=small -mgeneral-regs-only -mno-outline-atomics -ffixed-x18 \
	-mbranch-protection=none -fstack-protector-strong -mstack-protector-guard=global
ARCH_LDFLAGS := -m aarch64linux

# The flat binary with the boot header that loaders of Linux kernels start.
IMAGE := Image
$(O)/Image: $(O)/cairn.elf
	$(call say,IMAGE,$@) $(CROSS)objcopy -O binary $< $@
# The board that `make test-stages` boots beside the default one.
SECOND_MACHINE := virt-gic2
