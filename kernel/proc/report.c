/* One line in the log for every signal that ends a process: why, who, where. */
#include "internal.h"
#include <arch/thread.h>
#include <core/rcu.h>
#include <debug/event.h>
#include <debug/klog.h>

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

static const char *fault_reason(const struct siginfo *info)
{
	switch (info->si_signo) {
	case SIGSEGV:
		return info->si_code == SEGV_MAPERR   ? "nothing is mapped there"
		       : info->si_code == SEGV_ACCERR ? "the mapping does not allow it"
						      : "general protection or a bad frame";
	case SIGBUS:
		return info->si_code == BUS_ADRALN ? "misaligned" : "beyond the end of the object";
	case SIGILL: return "illegal instruction";
	case SIGFPE: return info->si_code == FPE_INTDIV ? "integer division" : "floating point";
	default: return "trap";
	}
}

static bool is_fault(const struct siginfo *info)
{
	return info->si_code > 0 && info->si_code != SI_KERNEL &&
	       (sigmask(info->si_signo) & SIG_SYNC_SET);
}

static void event_fatal(const struct siginfo *info, uptr_t ip)
{
	struct event *e;

	if (!event_on(EVC_SIGNAL))
		return;
	e = kmalloc(sizeof(*e), 0);
	if (!e)
		return;
	event_begin(e, "fatal_signal");
	event_s64(e, "pid", current->proc->pid);
	event_s64(e, "tid", current->tid);
	event_str(e, "comm", current->comm);
	event_s64(e, "sig", info->si_signo);
	event_s64(e, "code", info->si_code);
	event_hex(e, "ip", ip);
	event_hex(e, "addr", is_fault(info) ? info->si_addr : 0);
	event_end(e);
	kfree(e);
}

void report_fatal_signal(const struct siginfo *info)
{
	const struct regs *regs = arch_thread_regs(current);
	uptr_t ip = regs_ip(regs);
	s32 pid = current->proc->pid;

	event_fatal(info, ip);
	if (is_fault(info))
		log_info("%s[%d]: %s: %s; address 0x%lx, ip 0x%lx, sp 0x%lx, code %d",
			 current->comm, pid, signal_name(info->si_signo), fault_reason(info),
			 (unsigned long)info->si_addr, ip, regs_sp(regs), info->si_code);
	else if (info->si_code <= 0)
		log_info("%s[%d]: ended by %s from pid %d, uid %u; ip 0x%lx", current->comm, pid,
			 signal_name(info->si_signo), info->si_pid, info->si_uid, ip);
	else
		log_info("%s[%d]: ended by %s from the kernel; ip 0x%lx", current->comm, pid,
			 signal_name(info->si_signo), ip);
}
