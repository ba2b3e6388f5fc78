/* Events of processes that are written where they happen: signals taken, ends. */
#include "internal.h"
#include <debug/event.h>
#include <proc/trace.h>

/* An event about current, or NULL: the category is off, or there is no memory. */
static struct event *begin(bool wanted, const char *type)
{
	struct event *e = wanted ? kmalloc(sizeof(*e), 0) : NULL;

	if (!e)
		return NULL;
	event_begin(e, type);
	event_s64(e, "pid", current->proc->pid);
	event_s64(e, "tid", current->tid);
	return e;
}

static void end(struct event *e)
{
	event_end(e);
	kfree(e);
}

void trace_signal(const struct siginfo *info, bool handled)
{
	struct event *e = begin(event_on(EVC_SIGNAL), "signal");
	bool fault = info->si_code > 0 && info->si_code != SI_KERNEL &&
		     (sigmask(info->si_signo) & SIG_SYNC_SET);

	if (!e)
		return;
	event_s64(e, "sig", info->si_signo);
	event_s64(e, "code", info->si_code);
	event_bool(e, "handled", handled);
	if (fault) {
		event_hex(e, "addr", info->si_addr);
	} else if (info->si_code <= 0 || info->si_signo == SIGCHLD) {
		event_s64(e, "from", info->si_pid);
		event_u64(e, "uid", info->si_uid);
	}
	if (info->si_signo == SIGCHLD && info->si_code > 0)
		event_s64(e, "status", info->si_status);
	end(e);
}

void trace_exit(u32 status, bool last)
{
	struct event *e = begin(event_on(EVC_PROCESS), "exit");

	if (!e)
		return;
	event_u64(e, "status", status);
	event_bool(e, "last", last);
	end(e);
}
