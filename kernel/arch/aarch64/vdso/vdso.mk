# The vDSO: built for user space, linked as a shared object without relocations, embedded in the kernel.
VDSO := kernel/arch/aarch64/vdso
VDSO_CFLAGS := -std=gnu11 -O2 -fPIC -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables \
	-fvisibility=default -mgeneral-regs-only -Wall -Wextra -Werror

$(O)/vdso/vdso.so: $(VDSO)/vdso.c $(VDSO)/sigreturn.S $(VDSO)/vdso.lds $(O)/flags
	@mkdir -p $(@D)
	$(call say,VDSO,$@) $(KCC) $(VDSO_CFLAGS) -c $(VDSO)/vdso.c -o $(O)/vdso/vdso.o
	$(Q)$(KCC) -c $(VDSO)/sigreturn.S -o $(O)/vdso/sigreturn.o
	$(Q)$(KLD) -shared -soname linux-vdso.so.1 --hash-style=both --build-id=none -Bsymbolic -z noexecstack \
		-z max-page-size=4096 -T $(VDSO)/vdso.lds $(O)/vdso/vdso.o $(O)/vdso/sigreturn.o -o $@
	$(Q)! readelf -rW $@ | grep -q R_AARCH64 || { echo "error: the vDSO has relocations" >&2; rm $@; exit 1; }

$(O)/vdso/image.o: $(VDSO)/image.S $(O)/vdso/vdso.so
	$(call say,AS,$<) $(KCC) -c -Wa,-I$(O)/vdso $< -o $@

KOBJ += $(O)/vdso/image.o
