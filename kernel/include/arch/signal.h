/* The arch contract: signal frames on the user stack, laid out as Linux does on the port. */
#pragma once
#include <lib/types.h>
#include <uapi/signal.h>

struct regs;

/* What delivery has decided; filled by kernel/proc/signal. */
struct signal_delivery {
	int sig;
	uptr_t handler, restorer;
	u64 flags; /* SA_* */
	u64 saved_mask; /* to be restored by sigreturn */
	struct sigaltstack altstack; /* as it was set: uc_stack */
	bool use_altstack; /* SA_ONSTACK, one is set and the thread is not on it */
	bool on_altstack; /* the interrupted code was on it */
	uptr_t top; /* the frame goes below: the alternate stack's end, or what is in use of this one */
	const struct siginfo *info;
};

/*
 * Pushes a frame (siginfo, ucontext, FPU) and points regs at the handler. The frame saves the ORIGINAL
 * stack pointer. 0, or -EFAULT when the frame cannot be written (the caller forces SIGSEGV).
 */
int arch_signal_push(struct regs *regs, const struct signal_delivery *d);

/*
 * Pops a frame: restores registers and FPU from the user stack, gives back the mask and the alternate
 * stack. 0 or -EFAULT/-EINVAL for a frame that no handler could have been entered with.
 */
int arch_signal_pop(struct regs *regs, u64 *mask, struct sigaltstack *alt);

/* MINSIGSTKSZ of the port with this CPU's FPU state, for AT_MINSIGSTKSZ. */
size_t arch_signal_frame_min(void);
