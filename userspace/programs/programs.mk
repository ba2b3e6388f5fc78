# Programs that the guest tests run: static, each from one file; threads64 with both C libraries, where the
# port has both. programs/ARCH/ holds what is written in the port's own instructions.
PROGRAMS := $(addprefix $(O)/user/,traced hostile bombs storm threads64 hello-dynamic hello-static-pie gdbstate \
	crash bench screen copy) $(if $(MUSL_CC),$(O)/user/threads64-musl)
PROGRAM_CFLAGS := -O2 -g -fno-omit-frame-pointer -Wall -Wextra -Werror

$(O)/user/%-musl: userspace/programs/%.c
	@mkdir -p $(@D)
	$(call say,USERCC,$@) $(MUSL_CC) -static -O2 -Wall -Wextra -Werror $< -o $@
$(O)/user/%-dynamic: userspace/programs/%.c
	@mkdir -p $(@D)
	$(call say,USERCC,$@) $(USER_CC) -O2 -Wall -Wextra -Werror $< -o $@ -lm
$(O)/user/%-static-pie: userspace/programs/%.c
	@mkdir -p $(@D)
	$(call say,USERCC,$@) $(USER_CC) -static-pie -fPIE -O2 -Wall -Wextra -Werror $< -o $@ -lm
$(O)/user/crash $(O)/user/storm: $(wildcard userspace/programs/$(ARCH)/*.h)
$(O)/user/%: userspace/programs/%.c userspace/programs/programs.mk
	@mkdir -p $(@D)
	$(call say,USERCC,$@) $(USER_CC) -static $(PROGRAM_CFLAGS) -Iuserspace/programs/$(ARCH) $< -o $@ -pthread

programs: $(PROGRAMS) ## the programs that the guest tests run
.PHONY: programs
