/* An exception in the kernel that nothing could fix: the end, with what it was in words. */
#include <arch/debug.h>
#include <debug/panic.h>

void kernel_fault(struct regs *regs, const char *what, u64 error, uintptr_t addr)
{
	panic_regs(regs, "%s in the kernel, address 0x%lx, error 0x%llx", what, (unsigned long)addr,
		   (unsigned long long)error);
}
