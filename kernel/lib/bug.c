/* The weak end of lib_bug(): traps. debug/ has the one that reports. */
#include <lib/types.h>

__weak
void lib_bug(const char *what)
{
	(void)what;
	__builtin_trap();
}
