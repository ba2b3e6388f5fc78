/*
 * aarch64: registers as entry saves them, at the top of the kernel stack for user mode. The first 34 words
 * are Linux's struct user_pt_regs, which debuggers know.
 */
#pragma once
#include <lib/types.h>

struct regs {
	u64 x[31];
	u64 sp, pc, pstate;
	u64 orig_x0; /* first argument of the system call: the result overwrites x[0] */
	s64 nr; /* system-call number (w8); -1: not in a call */
};

#define PSR_MODE 0x1ful /* with the bit of 32-bit states; EL0 is 0 */
#define PSR_F 0x40ul
#define PSR_I 0x80ul
#define PSR_A 0x100ul
#define PSR_D 0x200ul
#define PSR_BTYPE 0xc00ul
#define PSR_SSBS 0x1000ul
#define PSR_DIT (1ul << 24)
#define PSR_TCO (1ul << 25)
#define PSR_NZCV 0xf0000000ul

static inline bool regs_user_mode(const struct regs *r)
{
	return !(r->pstate & PSR_MODE);
}
static inline uptr_t regs_ip(const struct regs *r)
{
	return r->pc;
}
static inline void regs_set_ip(struct regs *r, uptr_t ip)
{
	r->pc = ip;
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
	return r->x[29];
}

static inline unsigned long regs_syscall_nr(const struct regs *r)
{
	return (unsigned long)r->nr;
}
static inline unsigned long regs_syscall_arg(const struct regs *r, unsigned i)
{
	return i ? r->x[i] : r->orig_x0;
}
static inline long regs_syscall_result(const struct regs *r)
{
	return (long)r->x[0];
}
static inline void regs_set_syscall_result(struct regs *r, long result)
{
	r->x[0] = (u64)result;
}
/* Back to the SVC instruction (4 bytes) with the first argument; the number still is in x8. */
static inline void regs_restart_syscall(struct regs *r)
{
	r->x[0] = r->orig_x0;
	r->pc -= 4;
}
/* As above, but the call made next is restart_syscall(2). */
static inline void regs_restart_block(struct regs *r)
{
	r->x[0] = r->orig_x0;
	r->x[8] = 128;
	r->pc -= 4;
}
static inline void regs_clear_syscall(struct regs *r)
{
	r->nr = -1;
}
