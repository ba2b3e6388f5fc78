/*
 * Signal frames, laid out as Linux does on arm64: siginfo, ucontext with the registers and, in the context's
 * reserved space, records that each begin with a magic number and their size: the FPU state, the syndrome of
 * the fault if there was one, and the end. Above the frame lies a frame record (x29, x30), for unwinding
 * through the handler. Reserved space that no record fills is left as it was.
 *
 * What a program hands back in sigreturn is untrusted: any state but EL0's with interrupts on is refused, and
 * so is a chain of records that Linux would not have written. Records of extensions this kernel does not
 * enable (SVE, SME), and EXTRA, which only they need, are refused too. Manual: sigreturn(2), sigaltstack(2).
 */
#include <arch/regs.h>
#include <arch/signal.h>
#include <arch/uaccess.h>
#include <arch/vdso.h>
#include <asm/fpu.h>
#include <asm/vdso.h>
#include <debug/inject.h>
#include <lib/errno.h>
#include <mm/mm.h>
#include <sched/thread.h>
#include <uapi/signal.h>

#define ESR_MAGIC 0x45535201u
#define RESERVED_SIZE 4096

struct record {
	u32 magic, size;
};
struct esr_record {
	struct record head;
	u64 esr;
};
struct sigcontext {
	u64 fault_address;
	u64 x[31];
	u64 sp, pc, pstate;
	u64 pad;
};
/* All of the frame before the records. */
struct signal_frame {
	struct siginfo info;
	u64 flags, link;
	struct sigaltstack stack;
	u64 sigmask;
	u64 unused[16]; /* room for more signals, and alignment */
	struct sigcontext mc;
};
struct frame_record {
	u64 fp, lr;
};
#define UC_AT offsetof(struct signal_frame, flags)
#define RECORDS_AT sizeof(struct signal_frame)
#define FRAME_SIZE (RECORDS_AT + RESERVED_SIZE)
BUILD_ASSERT(offsetof(struct signal_frame, mc) == 128 + 176);
BUILD_ASSERT(RECORDS_AT == 128 + 176 + 288 && FRAME_SIZE == 4688);

/* What the C library of a program that brings no restorer returns to. */
static uptr_t trampoline(const struct signal_delivery *d)
{
	return d->flags & SA_RESTORER ? d->restorer : current->mm->vdso + VDSO_SIGRETURN;
}

/* FPU state, syndrome, end. */
static int put_records(uptr_t at)
{
	struct esr_record esr = { { ESR_MAGIC, sizeof(esr) }, current->arch.fault_esr };
	u64 end[2] = { 0, 0 };

	if (copy_obj_to_user(at, fpu_sync()))
		return -EFAULT;
	at += sizeof(struct fpu_state);
	if (esr.esr) {
		if (copy_obj_to_user(at, &esr))
			return -EFAULT;
		at += sizeof(esr);
	}
	return copy_obj_to_user(at, &end);
}

static void fill_context(struct sigcontext *mc, const struct regs *r)
{
	mc->fault_address = current->arch.fault_addr;
	for (unsigned i = 0; i < 31; i++)
		mc->x[i] = r->x[i];
	mc->sp = r->sp;
	mc->pc = r->pc;
	mc->pstate = r->pstate;
	mc->pad = 0;
}

static int put_frame(uptr_t at, const struct regs *regs, const struct signal_delivery *d)
{
	struct signal_frame f;
	size_t from = d->flags & SA_SIGINFO ? 0 : UC_AT;

	if (!from)
		f.info = *d->info;
	f.flags = f.link = 0;
	f.stack = d->altstack;
	f.sigmask = d->saved_mask;
	for (unsigned i = 0; i < ARRAY_SIZE(f.unused); i++)
		f.unused[i] = 0;
	fill_context(&f.mc, regs);
	if (INJECT("signal.saved_sp") && d->use_altstack)
		f.mc.sp = at;
	return copy_to_user(at + from, (const char *)&f + from, sizeof(f) - from);
}

/*
 * A frame larger than what is left of the alternate stack goes below its base, and is written if memory is
 * there: as Linux on arm64, which checks only that all of it is user addresses (arch/arm64/kernel/signal.c,
 * get_sigframe(); the bound that x86 has since 5.14 was not added there).
 */
int arch_signal_push(struct regs *regs, const struct signal_delivery *d)
{
	struct frame_record record = { regs->x[29], regs->x[30] };
	uptr_t record_at = ALIGN_DOWN(d->top - sizeof(record), 16);
	uptr_t at = record_at - FRAME_SIZE;

	if (d->top > USER_TOP || at > d->top)
		return -EFAULT;
	if (put_frame(at, regs, d) || put_records(at + RECORDS_AT) ||
	    copy_obj_to_user(record_at, &record))
		return -EFAULT;

	regs->x[0] = (u64)d->sig;
	if (d->flags & SA_SIGINFO) {
		regs->x[1] = at;
		regs->x[2] = at + UC_AT;
	}
	regs->x[29] = record_at;
	regs->x[30] = trampoline(d);
	regs->sp = at;
	regs->pc = d->handler;
	regs->pstate &= ~(PSR_TCO | PSR_BTYPE);
	regs_clear_syscall(regs);
	return 0;
}

static int load_fpu(uptr_t at)
{
	struct fpu_state s;

	if (copy_obj_from_user(&s, at))
		return -EFAULT;
	fpu_set(&s);
	return 0;
}

/* Where the FPU state lies among the records; every one is looked at. */
static int find_fpu(uptr_t at, uptr_t *found)
{
	uptr_t end = at + RESERVED_SIZE;
	struct record r;

	*found = 0;
	for (; end - at >= sizeof(r); at += r.size) {
		if (copy_obj_from_user(&r, at))
			return -EFAULT;
		if (!r.magic)
			return !r.size && *found ? 0 : -EINVAL;
		if (r.magic == FPSIMD_MAGIC) {
			if (*found || r.size < sizeof(struct fpu_state))
				return -EINVAL;
			*found = at;
		} else if (r.magic != ESR_MAGIC) {
			return -EINVAL;
		}
		if (r.size < sizeof(r) || (r.size & 15) || r.size > end - at)
			return -EINVAL;
	}
	return -EINVAL;
}

static bool restore_context(struct regs *r, const struct sigcontext *mc)
{
	u64 may = PSR_NZCV | PSR_SSBS | PSR_DIT | PSR_TCO | PSR_BTYPE;

	for (unsigned i = 0; i < 31; i++)
		r->x[i] = mc->x[i];
	r->sp = mc->sp;
	r->pc = mc->pc;
	r->pstate = mc->pstate & may;
	regs_clear_syscall(r);
	return !(mc->pstate & (PSR_MODE | PSR_D | PSR_A | PSR_I | PSR_F));
}

int arch_signal_pop(struct regs *regs, u64 *mask, struct sigaltstack *alt)
{
	uptr_t at = regs->sp, fpu_at;
	struct signal_frame f;
	int error;

	if (at & 15)
		return -EFAULT;
	if (copy_from_user((char *)&f + UC_AT, at + UC_AT, sizeof(f) - UC_AT))
		return -EFAULT;
	if (!restore_context(regs, &f.mc))
		return -EINVAL;
	error = find_fpu(at + RECORDS_AT, &fpu_at);
	if (!error)
		error = load_fpu(fpu_at);
	if (error)
		return error;
	*mask = f.sigmask;
	*alt = f.stack;
	return 0;
}

size_t arch_signal_frame_min(void)
{
	return FRAME_SIZE + 2 * sizeof(struct frame_record);
}
