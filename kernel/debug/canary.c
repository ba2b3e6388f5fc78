/*
 * The stack protector's canary: one value for the whole kernel, made random at the start of the boot CPU.
 * Only a function that never returns may set it.
 */
#include <arch/cpu.h>
#include <arch/time.h>
#include <debug/panic.h>
#include <debug/symbols.h>

uintptr_t __stack_chk_guard = STACK_GUARD_INITIAL; /* [I] after stack_guard_init() */

__attribute__((no_stack_protector)) void stack_guard_init(void)
{
	uintptr_t guard = 0;

	arch_random(&guard, sizeof(guard));
	guard ^= arch_clock_ns() * 0x9e3779b97f4a7c15ul ^ STACK_GUARD_INITIAL;
	guard &= ~0xfful; /* a zero byte stops string overruns */
	if (guard == (STACK_GUARD_INITIAL & ~0xfful))
		guard ^= 0x100;
	__stack_chk_guard = guard;
}

/* Called by compiled code that found its canary overwritten. */
void __stack_chk_fail(void);
void __stack_chk_fail(void)
{
	char sym[96];

	panic("stack canary overwritten in %s",
	      symbol_format((uintptr_t)__builtin_return_address(0), sym, sizeof(sym)));
}
