/* One line in the log for every signal that ends a process: why, who, where. */
#include "crash_internal.h"
#include <arch/thread.h>
#include <debug/klog.h>
#include <lib/format.h>

static const char *const names[] = {
	"?",         "SIGHUP",  "SIGINT",    "SIGQUIT", "SIGILL",   "SIGTRAP", "SIGABRT", "SIGBUS",
	"SIGFPE",    "SIGKILL", "SIGUSR1",   "SIGSEGV", "SIGUSR2",  "SIGPIPE", "SIGALRM", "SIGTERM",
	"SIGSTKFLT", "SIGCHLD", "SIGCONT",   "SIGSTOP", "SIGTSTP",  "SIGTTIN", "SIGTTOU", "SIGURG",
	"SIGXCPU",   "SIGXFSZ", "SIGVTALRM", "SIGPROF", "SIGWINCH", "SIGIO",   "SIGPWR",  "SIGSYS",
};

const char *signal_name(int sig)
{
	return sig > 0 && sig < (int)ARRAY_SIZE(names) ? names[sig] : "a real-time signal";
}

const char *crash_reason(const struct siginfo *info)
{
	if (info->si_code <= 0)
		return info->si_code == SI_USER || info->si_code == SI_TKILL ? "sent by a process"
									     : "queued or a timer";
	switch (info->si_signo) {
	case SIGSEGV:
		return info->si_code == SEGV_MAPERR   ? "nothing is mapped there"
		       : info->si_code == SEGV_ACCERR ? "the mapping does not allow it"
						      : "general protection or a bad frame";
	case SIGBUS:
		return info->si_code == BUS_ADRALN   ? "misaligned"
		       : info->si_code == BUS_ADRERR ? "beyond the end of the object"
						     : "bad segment";
	case SIGILL: return "illegal instruction";
	case SIGFPE: return info->si_code == FPE_INTDIV ? "integer division" : "floating point";
	case SIGTRAP: return "trap";
	case SIGSYS: return "forbidden system call";
	default: return "from the kernel";
	}
}

bool crash_is_fault(const struct siginfo *info)
{
	return info->si_code > 0 && info->si_code != SI_KERNEL &&
	       (sigmask(info->si_signo) & SIG_SYNC_SET);
}

/* The name is the program's own choice: nothing of it may look like a line of the log. */
static const char *printable(char *dst, const char *src, size_t size)
{
	size_t i;

	for (i = 0; i + 1 < size && src[i]; i++)
		dst[i] = src[i] >= ' ' && src[i] < 0x7f ? src[i] : '?';
	dst[i] = '\0';
	return dst;
}

void crash_log(const struct siginfo *info, const char *note)
{
	const struct regs *regs = arch_thread_regs(current);
	char comm[sizeof(current->comm)], why[64];

	if (crash_is_fault(info))
		scnprintf(why, sizeof(why), ", address 0x%lx", (unsigned long)info->si_addr);
	else if (info->si_code <= 0)
		scnprintf(why, sizeof(why), ", by pid %d, uid %u", info->si_pid, info->si_uid);
	else
		why[0] = '\0';
	log_info("crash: pid %d (%s), tid %d: %s, %s%s; ip 0x%lx, sp 0x%lx%s%s", current->proc->pid,
		 printable(comm, current->comm, sizeof(comm)), current->tid,
		 signal_name(info->si_signo), crash_reason(info), why, regs_ip(regs), regs_sp(regs),
		 note ? "; " : "", note ? note : "");
}
