# Programs for the kernel: static ELF with the port's C library, so that the very same stagetest runs on
# Linux (the oracle; another port's under its emulator) and in Cairn. tests/ARCH/ holds what is the port's own.
#   make user              $(O)/user/init, $(O)/user/stagetest
#   make test-user-host    every test of stagetest on the host (as root)

USER_CC ?= $(CROSS)gcc
USER_CFLAGS := -std=gnu11 -O2 -g -Wall -Wextra -Werror -Wshadow -Wmissing-prototypes -Wstrict-prototypes \
	-fno-omit-frame-pointer -fno-toplevel-reorder -D_GNU_SOURCE -MMD -MP -Iuserspace/tests/$(ARCH)
user_objs = $(patsubst userspace/%.c,$(O)/user/obj/%.o,$(sort $(wildcard userspace/$(1)/*.c)))
USER_INIT_OBJS := $(call user_objs,init)
USER_TEST_OBJS := $(call user_objs,tests) $(call user_objs,tests/$(ARCH))

$(O)/user/obj/%.o: userspace/%.c userspace/user.mk
	@mkdir -p $(@D)
	$(call say,CC,$<) $(USER_CC) $(USER_CFLAGS) -c $< -o $@

$(O)/user/init: $(USER_INIT_OBJS)
	$(call say,LD,$@) $(USER_CC) -static $^ -o $@
$(O)/user/stagetest: $(USER_TEST_OBJS)
	$(call say,LD,$@) $(USER_CC) -static -pthread $^ -o $@

.PHONY: user test-user-host
user: $(O)/user/init $(O)/user/stagetest ## the programs of userspace/
test-user-host: $(O)/user/stagetest ## the user stages, on the host's Linux
	@$(O)/user/stagetest --all

-include $(USER_INIT_OBJS:.o=.d) $(USER_TEST_OBJS:.o=.d)
