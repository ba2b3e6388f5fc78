/* What tests/ARCH/basics.c brings to instructions.c: the port's own instructions. */
#pragma once
#include "catch.h"
#include <ucontext.h>

/* An instruction, and the signal it becomes with its code; signal 0: none, it goes on. The last has no run. */
struct trap {
	void (*run)(void);
	int signal, code;
};
extern const struct trap port_traps[]; /* a division by zero, a bad instruction, a breakpoint */
extern const struct trap port_privileged[]; /* what only the kernel may do */

void port_clobber_fpu(void);
/* kill(2) of this process with in[] in four FPU registers; out[]: what they hold afterwards. Its result. */
long port_kill_with_fpu(int sig, const double in[4], double out[4]);
/* Writes to an address: what the register that port_skip_write() changes holds afterwards. */
long port_write(void *address);
/* In the handler: the write is done, and that register holds value. */
void port_skip_write(ucontext_t *uc, long value);
