/* aarch64: what a thread keeps while it is switched out. */
#pragma once
#include <arch/regs.h>
#include <lib/types.h>

struct arch_thread {
	u64 sp; /* kernel stack pointer while switched out; offset 0, known to switch.S */
	u64 stack_top; /* [I] end of the kernel stack; struct regs lies just below; offset 8 */
	struct fpu_state *fpu; /* NULL: kernel thread */
	u64 tls; /* user's TPIDR_EL0, while switched out */
	s32 fpu_cpu; /* CPU whose registers may still hold the FPU state; -1: none */
	/* [o] the last exception that became a signal, for its frame: syndrome and address */
	u32 fault_esr;
	u64 fault_addr;
	u64 pad_[2]; /* thread->flags is 64 bytes in, as entry assembly knows */
};

/* What switch_stacks() pops for a thread that runs for the first time; x19 and x20 are thread_entry()'s. */
struct first_frame {
	u64 fp, ip, x27, x28, x25, x26, x23, x24, x21, x22, function, argument;
};
BUILD_ASSERT(sizeof(struct first_frame) == 96);
