/*
 * The arch contract: struct regs, the user (or interrupted kernel) registers as entry saves them, and
 * accessors for what generic code needs: system-call number, arguments, result, restart.
 */
#pragma once
#include <lib/types.h>

/*
 * <asm/regs.h> defines struct regs and, inline:
 *   bool  regs_user_mode(const struct regs *)
 *   uptr_t regs_ip(const struct regs *), regs_sp, regs_fp; void regs_set_ip(struct regs *, uptr_t), regs_set_sp
 *   unsigned long regs_syscall_nr(r)          number the call was made with (orig); -1: not in a call
 *   unsigned long regs_syscall_arg(r, i)      i in 0..5
 *   long  regs_syscall_result(r); void regs_set_syscall_result(r, long)
 *   void  regs_restart_syscall(r)             back to the instruction, number restored
 *   void  regs_restart_block(r)               back to the instruction, as restart_syscall(2)
 *   void  regs_clear_syscall(r)               orig number := -1: no restart from here on
 */
#include <asm/regs.h>

/* Writes the registers as `name=0x...` words to buf for reports; returns the length. */
int arch_regs_format(const struct regs *r, char *buf, size_t size);
/* Iterates name and value for event reports: returns false past the last. */
bool arch_regs_get(const struct regs *r, unsigned i, const char **name, u64 *value);
