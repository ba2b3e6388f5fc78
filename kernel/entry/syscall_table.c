/*
 * The dispatch table, from syscalls.tbl, and what happens to a number nobody serves: ENOSYS, counted, and
 * named once in the log.
 */
#include <arch/regs.h>
#include <debug/later.h>
#include <entry/syscall.h>
#include <lib/errno.h>
#include <sched/thread.h>
#include <syscalls_gen.h>

#define ROW(nr, name, nargs) [nr] = (syscall_fn)(uintptr_t)sys_##name,
#define HOLE(nr) [nr] = (syscall_fn)(uintptr_t)syscall_unknown,
const syscall_fn syscall_table[SYSCALL_TABLE_SIZE] = { SYSCALLS(ROW) SYSCALL_HOLES(HOLE) };

#define NAME(nr, text) [nr] = text,
static const char *const names[SYSCALL_TABLE_SIZE] = { SYSCALL_NAMES(NAME) };
static u32 unknown_counts[SYSCALL_TABLE_SIZE + 1]; /* [a]; the last one: beyond the table */

const char *syscall_name(unsigned long nr)
{
	return nr < SYSCALL_TABLE_SIZE ? names[nr] : NULL;
}

u32 syscall_unknown_count(unsigned long nr)
{
	return READ_ONCE(unknown_counts[min(nr, (unsigned long)SYSCALL_TABLE_SIZE)]);
}

long syscall_unknown(void)
{
	unsigned long nr = regs_syscall_nr(arch_thread_regs(current));
	unsigned long at = min(nr, (unsigned long)SYSCALL_TABLE_SIZE);
	const char *name = syscall_name(nr);

	if (!__atomic_fetch_add(&unknown_counts[at], 1, __ATOMIC_RELAXED))
		log_later(LOG_WARN, "syscall: %s (%lu) is not implemented; %s (%ld) asked for it",
			  name ? name : "unknown", nr, current->comm, current->tid);
	return -ENOSYS;
}
