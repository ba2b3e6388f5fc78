# Programs that the guest tests run: static, each from one file; threads64 with both C libraries.
PROGRAMS := $(O)/user/traced $(O)/user/hostile $(O)/user/crash $(O)/user/bombs $(O)/user/storm $(O)/user/threads64 $(O)/user/threads64-musl $(O)/user/hello-dynamic $(O)/user/gdbstate

$(O)/user/%-musl: userspace/programs/%.c
	@mkdir -p $(@D)
	$(call say,USERCC,$@) musl-gcc -static -O2 -Wall -Wextra -Werror $< -o $@
$(O)/user/%-dynamic: userspace/programs/%.c
	@mkdir -p $(@D)
	$(call say,USERCC,$@) gcc -O2 -Wall -Wextra -Werror $< -o $@ -lm
$(O)/user/%: userspace/programs/%.c userspace/programs/programs.mk
	@mkdir -p $(@D)
	$(call say,USERCC,$@) gcc -static -O2 -g -fno-omit-frame-pointer -Wall -Wextra -Werror $< -o $@ -pthread

programs: $(PROGRAMS) ## the programs that the guest tests run
.PHONY: programs
