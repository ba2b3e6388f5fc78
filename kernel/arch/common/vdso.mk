# The vDSO of any port: built for user space, linked as a shared object without relocations, embedded in the kernel
# by vdso_image.S. The port's vdso.mk sets VDSO_CFLAGS to what it adds, and includes this.
VDSO := kernel/arch/$(ARCH)/vdso
VDSO_OBJ := $(patsubst $(VDSO)/%,$(O)/vdso/%.o,$(sort $(wildcard $(VDSO)/*.[cS])))
VDSO_CFLAGS += -std=gnu11 -O2 -fPIC -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables \
	-fvisibility=default -Wall -Wextra -Werror -Ikernel/include -MMD -MP
VDSO_IMAGE := $(O)/kernel/arch/common/vdso_image.S.o

$(O)/vdso/%.c.o: $(VDSO)/%.c $(O)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<) $(KCC) $(VDSO_CFLAGS) -c $< -o $@
$(O)/vdso/%.S.o: $(VDSO)/%.S $(O)/flags
	@mkdir -p $(@D)
	$(call say,AS,$<) $(KCC) -c $< -o $@

$(O)/vdso/vdso.so: $(VDSO_OBJ) $(VDSO)/vdso.lds
	$(call say,VDSO,$@) $(KLD) -shared -soname linux-vdso.so.1 --hash-style=both --build-id=none -Bsymbolic \
		-z noexecstack -z max-page-size=4096 -T $(VDSO)/vdso.lds $(VDSO_OBJ) -o $@
	$(Q)! readelf -rW $@ | grep -q ' R_' || { echo "error: the vDSO has relocations" >&2; rm $@; exit 1; }

$(VDSO_IMAGE): $(O)/vdso/vdso.so
$(VDSO_IMAGE): private KCPPFLAGS += -I$(O)/vdso

-include $(VDSO_OBJ:.o=.d)
