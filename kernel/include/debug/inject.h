/*
 * Fault injection: INJECT(name) is true when `inject=name` was on the command line, in builds of
 * VARIANT=inject; constant false (and gone) in all others. Each place breaks one property on purpose,
 * so that the stage that checks it can be seen to go red.
 */
#pragma once
#include <lib/types.h>

#ifdef CONFIG_INJECT
bool inject_enabled(const char *name);
#define INJECT(name)                                                                               \
	({                                                                                         \
		static s8 on_ = -1;                                                                \
		if (unlikely(on_ < 0))                                                             \
			on_ = inject_enabled(name);                                                \
		on_ > 0;                                                                           \
	})
#else
#define INJECT(name) false
#endif
