/*
 * x86_64: registers as entry saves them, at the top of the kernel stack for user mode. The order is
 * Linux's struct pt_regs, which debuggers know.
 */
#pragma once
#include <lib/types.h>

struct regs {
	u64 r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di;
	u64 orig_ax; /* system-call number; -1: not in a call; vector or error code for exceptions */
	u64 ip, cs, flags, sp, ss; /* the frame that the CPU's return wants */
};

static inline bool regs_user_mode(const struct regs *r)
{
	return r->cs & 3;
}
static inline uptr_t regs_ip(const struct regs *r)
{
	return r->ip;
}
static inline void regs_set_ip(struct regs *r, uptr_t ip)
{
	r->ip = ip;
}
static inline uptr_t regs_sp(const struct regs *r)
{
	return r->sp;
}
static inline void regs_set_sp(struct regs *r, uptr_t sp)
{
	r->sp = sp;
}
static inline uptr_t regs_fp(const struct regs *r)
{
	return r->bp;
}

static inline unsigned long regs_syscall_nr(const struct regs *r)
{
	return r->orig_ax;
}
static inline unsigned long regs_syscall_arg(const struct regs *r, unsigned i)
{
	switch (i) {
	case 0: return r->di;
	case 1: return r->si;
	case 2: return r->dx;
	case 3: return r->r10;
	case 4: return r->r8;
	default: return r->r9;
	}
}
static inline long regs_syscall_result(const struct regs *r)
{
	return (long)r->ax;
}
static inline void regs_set_syscall_result(struct regs *r, long result)
{
	r->ax = (u64)result;
}
/* Back to the SYSCALL instruction (2 bytes), with its number. */
static inline void regs_restart_syscall(struct regs *r)
{
	r->ax = r->orig_ax;
	r->ip -= 2;
}
/* As above, but the call made next is restart_syscall(2). */
static inline void regs_restart_block(struct regs *r)
{
	r->ax = 219;
	r->ip -= 2;
}
static inline void regs_clear_syscall(struct regs *r)
{
	r->orig_ax = ~0ul;
}
