# Cairn: the one front door. `make help` lists what there is.
#
#   O=DIR          where everything built goes            (build/ARCH[-VARIANT])
#   ARCH=...       x86_64 | aarch64                       (x86_64)
#   VARIANT=...    release | debug | inject               (release)
#   CC=...         gcc | clang                            (gcc)
#   DEBUG_EVENTS=  categories of events that are on from the start, as debug= on the kernel's command line
#   V=1            show commands
#   BRINGUP=1      link with unresolved symbols ignored: for work on half a kernel

ARCH ?= x86_64
VARIANT ?= release
O ?= build/$(ARCH)$(if $(filter-out release,$(VARIANT)),-$(VARIANT))
PYTHON := /usr/bin/python3
NM ?= nm
ifeq ($(origin CC),default)
CC := gcc
endif
# The port names its tools (CROSS, CLANG_TARGET) and flags.
include kernel/arch/$(ARCH)/arch.mk
KCC := $(if $(findstring clang,$(CC)),$(CC) $(CLANG_TARGET),$(CROSS)$(CC))
KLD := $(CROSS)$(LD)
KNM := $(CROSS)$(NM)
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' $(1) $(2);)

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

GEN := $(O)/gen
KDIRS := lib debug core sched mm dev fs net tty proc entry syscall init tests/ktest arch/common arch/$(ARCH)

# --- flags ---------------------------------------------------------------------------------------
WARN := -Wall -Wextra -Werror -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wvla -Wundef \
	-Wno-unused-parameter -Wno-sign-compare
KCPPFLAGS := -nostdinc -isystem $(shell $(KCC) -print-file-name=include) -Ikernel/include \
	-Ikernel/arch/$(ARCH)/include -I$(GEN) -D__KERNEL__ -MMD -MP
KCFLAGS := -std=gnu11 -O2 -g -ffreestanding -fno-builtin-printf -fno-common -fno-strict-aliasing \
	-fno-omit-frame-pointer -fno-optimize-sibling-calls -fno-delete-null-pointer-checks -fno-pic -fno-pie \
	-fno-asynchronous-unwind-tables -fwrapv -ffunction-sections $(WARN)
ifneq ($(findstring clang,$(CC)),)
KCFLAGS += -Wno-gnu-variable-sized-type-not-at-end -Wno-address-of-packed-member -Wno-unknown-warning-option
else
KCFLAGS += -fno-tree-loop-distribute-patterns -fno-allow-store-data-races
# Each object has its calls and frame sizes beside it, for `xtask hotpath`.
KCFLAGS += -fcallgraph-info=su
endif
KCFLAGS += $(ARCH_CFLAGS)
KLDFLAGS := -nostdlib -static -z noexecstack -z max-page-size=4096 --build-id=none --no-warn-rwx-segments \
	$(ARCH_LDFLAGS)
ifeq ($(VARIANT),debug)
KCPPFLAGS += -DCONFIG_DEBUG
KCFLAGS += -fsanitize=undefined -fno-sanitize=alignment,vptr,object-size,pointer-overflow
else ifeq ($(VARIANT),inject)
KCPPFLAGS += -DCONFIG_INJECT
else ifneq ($(VARIANT),release)
$(error VARIANT is release, debug or inject, not '$(VARIANT)')
endif
KCPPFLAGS += $(if $(DEBUG_EVENTS),-DDEBUG_EVENTS='"$(DEBUG_EVENTS)"')
KCPPFLAGS += -DVARIANT='"$(VARIANT)"' -DARCH_NAME='"$(ARCH)"'
KLDFLAGS += $(if $(BRINGUP),--unresolved-symbols=ignore-all)

# --- kernel --------------------------------------------------------------------------------------
# vdso/ is a program for user space with rules of its own; tests/host is for the host.
KSRC := $(sort $(filter-out kernel/arch/$(ARCH)/vdso/%,$(shell find $(addprefix kernel/,$(KDIRS)) \
	-name '*.[cS]' 2>/dev/null)))
KOBJ := $(KSRC:%=$(O)/%.o)
GENERATED := $(GEN)/stages_gen.h $(GEN)/syscalls_gen.h $(GEN)/syscall_limit.h $(GEN)/trace_gen.h \
	$(GEN)/syscall_capture_gen.h $(GEN)/font_gen.h
KELF := $(O)/cairn.elf
# What is booted, where that is not the ELF file itself: named by arch.mk, made by its rule.
KIMAGE := $(IMAGE:%=$(O)/%)

-include $(wildcard kernel/arch/$(ARCH)/vdso/vdso.mk)

# A change of flags or tools rebuilds.
FLAGS := $(KCC) $(KCPPFLAGS) $(KCFLAGS) $(KLDFLAGS)
$(O)/flags: FORCE
	@mkdir -p $(@D)
	@printf '%s' '$(subst ','\'',$(FLAGS))' | cmp -s - $@ || printf '%s' '$(subst ','\'',$(FLAGS))' >$@

$(O)/%.c.o: %.c $(O)/flags | $(GENERATED)
	@mkdir -p $(@D)
	$(call say,CC,$<) $(KCC) $(KCPPFLAGS) $(KCFLAGS) $(CFLAGS_$(notdir $<)) -c $< -o $@

$(O)/%.S.o: %.S $(O)/flags | $(GENERATED)
	@mkdir -p $(@D)
	$(call say,AS,$<) $(KCC) $(KCPPFLAGS) $(filter -m%,$(KCFLAGS)) -D__ASSEMBLY__ -g -fno-pic -c $< -o $@

# For people: make O=… build/…/kernel/path/file.o
$(O)/%.o: $(O)/%.c.o ;

GENPY := $(wildcard xtask/gen/*.py)
$(GEN)/stages_gen.h: kernel/init/stages.tbl $(GENPY)
	$(call say,GEN,$@) $(PYTHON) -m xtask gen stages $< $@ --arch $(ARCH)
$(GEN)/syscalls_gen.h: kernel/syscall/syscalls.tbl $(GENPY)
	$(call say,GEN,$@) $(PYTHON) -m xtask gen syscalls $< $@ --arch $(ARCH)

$(GEN)/syscall_capture_gen.h: kernel/syscall/syscalls.tbl $(GENPY)
	$(call say,GEN,$@) $(PYTHON) -m xtask gen capture $< $@ --arch $(ARCH)
$(GEN)/trace_gen.h: kernel/debug/events.tbl $(GENPY)
	$(call say,GEN,$@) $(PYTHON) -m xtask gen events $< $@

$(GEN)/font_gen.h: kernel/tty/font.tbl $(GENPY)
	$(call say,GEN,$@) $(PYTHON) -m xtask gen font $< $@

# Written beside it: the one number of it that assembly needs.
$(GEN)/syscall_limit.h: $(GEN)/syscalls_gen.h
	@touch $@

# Two links: the second holds the table of the first one's symbols. The table comes last in .rodata's
# own page range, so that no address before it moves (link.ld keeps .ksyms behind everything).
LDSCRIPT := kernel/arch/$(ARCH)/boot/link.ld
$(O)/ksyms0.S:
	@mkdir -p $(@D)
	$(Q)$(PYTHON) -m xtask gen symbols /dev/null $@
$(O)/pass1.elf: $(KOBJ) $(LDSCRIPT) $(O)/ksyms0.S
	$(Q)$(KCC) -c $(O)/ksyms0.S -o $(O)/ksyms0.o
	$(call say,LD,$@) $(KLD) $(KLDFLAGS) -T $(LDSCRIPT) $(KOBJ) $(O)/ksyms0.o -o $@
$(KELF): $(O)/pass1.elf
	$(Q)$(KNM) -n $< >$(O)/pass1.nm
	$(Q)$(PYTHON) -m xtask gen symbols $(O)/pass1.nm $(O)/ksyms.S
	$(Q)$(KCC) -c $(O)/ksyms.S -o $(O)/ksyms.o
	$(call say,LD,$@) $(KLD) $(KLDFLAGS) -T $(LDSCRIPT) -Map=$(O)/cairn.map $(KOBJ) $(O)/ksyms.o -o $@.tmp
	$(Q)$(KNM) -n $@.tmp | grep -i ' [tw] ' >$(O)/pass2.t; grep -i ' [tw] ' $(O)/pass1.nm | cmp -s - $(O)/pass2.t || \
		{ echo "error: the symbol table moved the code: .ksyms must come last in link.ld" >&2; exit 1; }
	$(Q)mv $@.tmp $@

-include $(KOBJ:.o=.d)

include $(wildcard userspace/user.mk userspace/programs/programs.mk kernel/tests/host/host.mk)

.PHONY: FORCE all kernel user boot-stages run hotpath test $(TEST_STEPS) setup clean help
FORCE:
all: kernel user ## kernel and user programs
kernel: $(KELF) $(KIMAGE) ## the kernel image, $(O)/cairn.elf

# --- what people type ----------------------------------------------------------------------------
XTASK := $(PYTHON) -m xtask
MAKEARGS := --arch $(ARCH)

setup: ## install what is missing, and the git hooks
	@scripts/setup.sh build test hooks
need-build:
	@scripts/setup.sh build $(PACKAGES)
need-test:
	@scripts/setup.sh build test aarch64
.PHONY: need-build need-test gdb

boot-stages: need-build ## build, boot, and check every stage (ARGS="--smp 4 --only ID")
	@$(XTASK) boot-stages $(MAKEARGS) $(ARGS)
run: need-build ## an interactive shell in the kernel (ARGS=…)
	@scripts/setup.sh run
	@$(XTASK) run $(MAKEARGS) $(ARGS)
gdb: need-build ## GDB on a guest, stopped at the kernel's start (ARGS="--stage ID")
	@scripts/setup.sh debug
	@scripts/gdb_session.sh $(MAKEARGS) $(ARGS)
# The suite: everything is built first, then the steps run two at a time, each with its output in one piece.
# Each can be run by itself: `make test-guest`, `make build-aarch64-debug`.
TEST_BUILDS := x86_64 x86_64-debug x86_64-inject x86_64-clang aarch64 aarch64-debug aarch64-clang
TEST_STEPS := test-guest lint test-tools test-docs test-stages test-debug test-aarch64 test-parity test-hotpath \
	test-policy test-host test-user-host
test: need-test ## everything, on both ports: lint, host tests, tools, stages, guest programs, documents
	@$(MAKE) --no-print-directory -s -j2 $(TEST_BUILDS:%=build-%)
	@$(MAKE) --no-print-directory -k -j2 --output-sync=target $(TEST_STEPS)
	@echo "== all steps passed: $(TEST_STEPS)"
build-%: FORCE
	@$(MAKE) --no-print-directory O=build/$* ARCH=$(firstword $(subst -, ,$*)) \
		VARIANT=$(or $(filter debug inject,$(subst -, ,$*)),release) $(if $(findstring clang,$*),CC=clang kernel,kernel user)
PYTEST := $(PYTHON) -m pytest -q -p no:cacheprovider -n 2
test-tools: ## the kit's own tests
	@$(PYTEST) xtask/tests --ignore xtask/tests/guest
test-guest: ## programs in the kernel, compared with the host; fault injection; debuggers
	@$(PYTEST) --dist loadfile xtask/tests/guest
test-stages: ## boot stages on both machines, with four CPUs and with one
	@$(XTASK) boot-stages $(MAKEARGS) --smp 4 --json $(O)/stages.json
	@$(XTASK) boot-stages $(MAKEARGS) --machine $(SECOND_MACHINE) --no-build
test-debug: ## boot stages of the debug build: UBSan, lock ranks, poison, redzones
	@$(XTASK) boot-stages $(MAKEARGS) --variant debug --smp 2
test-aarch64: ## the same of the second port
	@$(MAKE) --no-print-directory ARCH=aarch64 O=build/aarch64 test-stages test-debug
test-clang: build-x86_64-clang build-aarch64-clang ## the kernel compiles without a warning under clang
test-parity: test-stages test-aarch64 ## how the ports compare is as the documents say
	@$(XTASK) parity --check
test-hotpath: ## what the hot paths of both ports reach, their stack, their instructions
	@$(XTASK) hotpath --arch x86_64
	@$(XTASK) hotpath --arch aarch64
test-policy: ## every change to a protected file, since the policy came in, carries its record
	@$(XTASK) policy audit
	@$(XTASK) policy generated
	@$(XTASK) policy symbols --map build/x86_64/cairn.map
test-docs: ## the documents: references live, runnable blocks print what they show
	@$(XTASK) docs
lint: ## formatting, static analysis, layers
	@$(XTASK) lint $(ARGS)
hotpath: need-test ## what the hot paths reach, their stack, their instructions (ARGS=…)
	@$(XTASK) hotpath --arch $(ARCH) $(ARGS)
clean: ## remove build/
	rm -rf build
help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22
