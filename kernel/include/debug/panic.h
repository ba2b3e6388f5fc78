/* Ends of the line: panic, assertions, warnings. Panic only for a bug of the kernel's own. */
#pragma once
#include <lib/types.h>

struct event;
struct regs;

/* Reports on log and event channel (reason, all CPUs' registers and backtraces), stops the machine. */
__noreturn __printf(1, 2) void panic(const char *fmt, ...);
__noreturn __printf(2, 3) void panic_regs(const struct regs *regs, const char *fmt, ...);

bool panic_in_progress(void);
/* Registered by proc/: what this CPU was doing, in words ("process 12 (sh), tid 12"). */
extern void (*panic_describe_current)(char *buf, size_t size);
/* What else a report has, after the CPUs' registers: writes events, with the buffer it is given. The other
 * CPUs have stopped, anywhere: no lock may be taken. Boot CPU. */
#define PANIC_SECTIONS 4
void panic_section_register(void (*section)(struct event *));

#define BUG_ON(cond)                                                                               \
	do {                                                                                       \
		if (unlikely(cond))                                                                \
			panic("%s:%d: BUG: %s", __FILE__, __LINE__, #cond);                        \
	} while (0)

/* Logged with a backtrace, once per place; the value is the condition's. */
void warn_report(const char *file, int line, const char *what);
#define WARN_ON(cond)                                                                              \
	({                                                                                         \
		static u8 warned_;                                                                 \
		bool c_ = !!(cond);                                                                \
		if (unlikely(c_) && !__atomic_exchange_n(&warned_, 1, __ATOMIC_RELAXED))           \
			warn_report(__FILE__, __LINE__, #cond);                                    \
		c_;                                                                                \
	})

/* Checked in debug builds only. */
#ifdef CONFIG_DEBUG
#define ASSERT(cond) BUG_ON(!(cond))
#else
#define ASSERT(cond) ((void)sizeof(!(cond)))
#endif

/* A sleep is about to be possible: a bug with preemption or interrupts off. */
#ifdef CONFIG_DEBUG
void might_sleep(void);
#else
static inline void might_sleep(void)
{
}
#endif

/* The stack protector's value before stack_guard_init() made it random. The latter is for a caller that
 * never returns, on the boot CPU. */
#define STACK_GUARD_INITIAL 0x595e9fbd94fda766ul
extern uintptr_t __stack_chk_guard;
void stack_guard_init(void);
