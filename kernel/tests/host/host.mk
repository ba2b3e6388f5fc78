# Tests of kernel/lib on the host, under the address and undefined-behaviour sanitizers.
# make test-host [SEED=N]     runs all; SEED repeats a run.

HOST_CC ?= gcc
HOST_TESTS := $(patsubst kernel/tests/host/%.c,%,$(sort $(wildcard kernel/tests/host/*_test.c)))
HOST_BINS := $(HOST_TESTS:%=$(O)/host/%)
# string.c and format.c are included by their tests under other names; the host's own serve the rest.
HOST_LIB_SRCS := $(filter-out kernel/lib/string.c kernel/lib/format.c,$(sort $(wildcard kernel/lib/*.c)))
HOST_LIB_OBJS := $(HOST_LIB_SRCS:kernel/lib/%.c=$(O)/host/lib/%.o)
HOST_CFLAGS := -std=gnu11 -O1 -g -Wall -Wextra -Werror -Wshadow -Wmissing-prototypes \
	-Wstrict-prototypes -Wvla -fsanitize=address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer -I kernel/include -I $(GEN) -MMD -MP

$(O)/host/lib/%.o: kernel/lib/%.c
	@mkdir -p $(@D)
	@$(HOST_CC) $(HOST_CFLAGS) -c $< -o $@

$(O)/host/%_test: kernel/tests/host/%_test.c kernel/tests/host/harness.c kernel/tests/host/harness.h $(HOST_LIB_OBJS) | $(GENERATED)
	@mkdir -p $(@D)
	@$(HOST_CC) $(HOST_CFLAGS) $(filter %.c %.o,$^) -o $@ -pthread

.SECONDARY: $(HOST_LIB_OBJS)
.PHONY: test-host
test-host: $(HOST_BINS)
	@sh kernel/tests/host/run.sh $(HOST_BINS)

-include $(HOST_LIB_OBJS:.o=.d) $(HOST_BINS:=.d)
