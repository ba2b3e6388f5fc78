/*
 * Signal frames, laid out as Linux does on x86_64: [restorer][ucontext][siginfo] and, above, the FPU state
 * on a 64-byte boundary. The frame saves the interrupted stack pointer, wherever the frame itself lies.
 *
 * What a program hands back in sigreturn is untrusted: segments are forced, flags masked, an ip that is
 * no user address refused. Manual: sigreturn(2), sigaltstack(2), the System V ABI's red zone.
 */
#include <arch/regs.h>
#include <arch/signal.h>
#include <arch/uaccess.h>
#include <asm/desc.h>
#include <asm/fpu.h>
#include <debug/inject.h>
#include <lib/errno.h>
#include <sched/thread.h>
#include <uapi/signal.h>

#define UC_FP_XSTATE 1
#define UC_SIGCONTEXT_SS 2
#define UC_STRICT_RESTORE_SS 4
/* Flags a program may change: carry, parity, adjust, zero, sign, trap, direction, overflow, align, RF. */
#define FLAGS_USER_MAY                                                                             \
	(0x1ul | 0x4 | 0x10 | 0x40 | 0x80 | 0x100 | 0x400 | 0x800 | 0x10000 | 0x40000)
#define FLAGS_ALWAYS 0x202ul

struct sigcontext {
	u64 r8, r9, r10, r11, r12, r13, r14, r15, di, si, bp, bx, dx, ax, cx, sp, ip, flags;
	u16 cs, gs, fs, ss;
	u64 err, trapno, oldmask, cr2;
	u64 fpstate;
	u64 reserved[8];
};
struct ucontext {
	u64 flags, link;
	struct sigaltstack stack;
	struct sigcontext mc;
	u64 sigmask;
};
struct signal_frame {
	u64 restorer;
	struct ucontext uc;
};
#define INFO_AT sizeof(struct signal_frame)
#define FRAME_SIZE (INFO_AT + sizeof(struct siginfo))
BUILD_ASSERT(sizeof(struct sigcontext) == 256);
BUILD_ASSERT(offsetof(struct signal_frame, uc.sigmask) == 8 + 296);

/* All of *mc, field by field: a frame has no byte that is left over from the kernel's stack. */
static void fill_context(struct sigcontext *mc, const struct regs *r, uptr_t fpstate, u64 mask)
{
	const struct arch_thread *t = &current->arch;

	mc->r8 = r->r8;
	mc->r9 = r->r9;
	mc->r10 = r->r10;
	mc->r11 = r->r11;
	mc->r12 = r->r12;
	mc->r13 = r->r13;
	mc->r14 = r->r14;
	mc->r15 = r->r15;
	mc->di = r->di;
	mc->si = r->si;
	mc->bp = r->bp;
	mc->bx = r->bx;
	mc->dx = r->dx;
	mc->ax = r->ax;
	mc->cx = r->cx;
	mc->sp = r->sp;
	mc->ip = r->ip;
	mc->flags = r->flags;
	mc->cs = (u16)r->cs;
	mc->gs = mc->fs = 0;
	mc->ss = (u16)r->ss;
	mc->err = t->fault_error;
	mc->trapno = t->fault_vector;
	mc->oldmask = mask;
	mc->cr2 = t->fault_addr;
	mc->fpstate = fpstate;
	for (unsigned i = 0; i < ARRAY_SIZE(mc->reserved); i++)
		mc->reserved[i] = 0;
}

/*
 * Does the frame lie on the alternate stack, if it was to? As Linux, which since 5.14 refuses one that does not
 * (arch/x86/kernel/signal.c, get_sigframe()): its lowest address is above the base.
 */
static bool within_altstack(const struct signal_delivery *d, uptr_t at)
{
	if (!d->use_altstack && !d->on_altstack)
		return true;
	return at > d->altstack.sp && at - d->altstack.sp <= d->altstack.size;
}

int arch_signal_push(struct regs *regs, const struct signal_delivery *d)
{
	uptr_t sp = d->top, fp_at, at;
	struct signal_frame f;

	fp_at = ALIGN_DOWN(sp - fpu_frame_size(), 64);
	/* At the handler's first instruction, sp + 8 is a multiple of 16, as after a call. */
	at = ALIGN_DOWN(fp_at - FRAME_SIZE, 16) - 8;
	if (sp >= USER_TOP || at > sp || !within_altstack(d, at))
		return -EFAULT;

	f.restorer = d->restorer;
	f.uc.link = 0;
	f.uc.flags =
		UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS | (cpu_has(CPUF_XSAVE) ? UC_FP_XSTATE : 0);
	f.uc.stack = d->altstack;
	f.uc.sigmask = d->saved_mask;
	fill_context(&f.uc.mc, regs, fp_at, d->saved_mask);
	if (INJECT("signal.saved_sp") && d->use_altstack)
		f.uc.mc.sp = sp;
	if (fpu_save_to_user(fp_at) || copy_obj_to_user(at, &f))
		return -EFAULT;
	if ((d->flags & SA_SIGINFO) && copy_obj_to_user(at + INFO_AT, d->info))
		return -EFAULT;

	regs->ip = d->handler;
	regs->sp = at;
	regs->di = (u64)d->sig;
	regs->si = at + INFO_AT;
	regs->dx = at + offsetof(struct signal_frame, uc);
	regs->ax = 0;
	regs->flags &= ~(0x400ul | 0x100 | 0x10000); /* direction, trap, resume */
	regs->cs = USER_CS;
	regs->ss = USER_DS;
	regs_clear_syscall(regs);
	return 0;
}

static void restore_context(struct regs *r, const struct sigcontext *mc)
{
	r->r8 = mc->r8;
	r->r9 = mc->r9;
	r->r10 = mc->r10;
	r->r11 = mc->r11;
	r->r12 = mc->r12;
	r->r13 = mc->r13;
	r->r14 = mc->r14;
	r->r15 = mc->r15;
	r->di = mc->di;
	r->si = mc->si;
	r->bp = mc->bp;
	r->bx = mc->bx;
	r->dx = mc->dx;
	r->ax = mc->ax;
	r->cx = mc->cx;
	r->sp = mc->sp;
	r->ip = mc->ip;
	r->flags = (mc->flags & FLAGS_USER_MAY) | FLAGS_ALWAYS;
	r->cs = USER_CS;
	r->ss = USER_DS;
	regs_clear_syscall(r);
}

int arch_signal_pop(struct regs *regs, u64 *mask, struct sigaltstack *alt)
{
	struct ucontext uc;

	/* The handler's return took the restorer off the stack. */
	if (copy_obj_from_user(&uc, regs->sp))
		return -EFAULT;
	if (uc.mc.ip >= USER_TOP)
		return -EFAULT;
	if (fpu_restore_from_user(uc.mc.fpstate))
		return -EFAULT;
	restore_context(regs, &uc.mc);
	*mask = uc.sigmask;
	*alt = uc.stack;
	return 0;
}

size_t arch_signal_frame_min(void)
{
	return ALIGN_UP(FRAME_SIZE + fpu_frame_size() + STACK_RED_ZONE + 64 + 16, 16);
}
