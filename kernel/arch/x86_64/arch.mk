# Flags of the x86_64 port. General registers only: the FPU belongs to user programs. No red zone:
# interrupts use the kernel stack below the stack pointer.
ARCH_CFLAGS := -m64 -march=x86-64 -mcmodel=kernel -mno-red-zone -mgeneral-regs-only \
	-fcf-protection=none -fstack-protector-strong -mstack-protector-guard=global
ifeq ($(findstring clang,$(CC)),)
ARCH_CFLAGS += -mskip-rax-setup -mpreferred-stack-boundary=3
else
ARCH_CFLAGS += -mstack-alignment=8
endif
ARCH_LDFLAGS := -m elf_x86_64

# The second C library that test programs are built with.
MUSL_CC := musl-gcc
# The board that `make test-stages` boots beside the default one.
SECOND_MACHINE := microvm
