/* x86_64: what a thread keeps while it is switched out. */
#pragma once
#include <arch/regs.h>
#include <lib/types.h>

struct arch_thread {
	u64 sp; /* kernel stack pointer while switched out; offset 0, known to switch.S */
	u64 stack_top; /* [I] end of the kernel stack; struct regs lies just below; offset 8 */
	void *fpu; /* XSAVE area, 64-byte aligned; NULL: kernel thread */
	u64 tls, gsbase; /* user's FS and GS bases, while switched out */
	s32 fpu_cpu; /* CPU whose registers may still hold the FPU state; -1: none */
	/* [o] the last exception that became a signal, for its frame: vector, error code, CR2 */
	u32 fault_vector, fault_error;
	u64 fault_addr;
};

/* What switch_stacks() pops for a thread that runs for the first time; rbx and r12 are thread_entry()'s. */
struct first_frame {
	u64 r15, r14, r13, argument, function, fp, ip;
	u64 end; /* return address 0: where backtraces end */
};
