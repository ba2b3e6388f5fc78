/* System calls that only this port's ABI has. */
#include <arch/thread.h>
#include <syscalls_gen.h>

long sys_arch_prctl(int op, uptr_t addr)
{
	return arch_prctl(op, addr);
}
