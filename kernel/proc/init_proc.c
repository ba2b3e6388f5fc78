/* PID 1: the first program. */
#include "internal.h"
#include <arch/thread.h>
#include <debug/event.h>
#include <debug/klog.h>
#include <debug/panic.h>
#include <uapi/fcntl.h>

/* Descriptors 0 to 2 are the console, if there is one. */
static void open_console(void)
{
	struct file *f;

	if (file_open("/dev/console", O_RDWR, 0, &f)) {
		log_warn("init: no /dev/console: the first program starts without open files");
		return;
	}
	for (int fd = 0; fd < 3; fd++) {
		file_get(f);
		if (fd_alloc_install(f, false) < 0)
			file_put(f);
	}
	file_put(f);
}

static void announce(const char *path)
{
	static struct event e;

	if (!proc_report_init_exit)
		return;
	event_begin(&e, "run_begin");
	event_u64(&e, "pid", (u64)current->proc->pid);
	event_str(&e, "path", path);
	event_end(&e);
}

static void run_init(void *arg)
{
	const char *path = arg;
	char *const argv[] = { (char *)path, NULL };
	char *const envp[] = { (char *)"HOME=/", (char *)"TERM=linux",
			       (char *)"PATH=/bin:/sbin:/usr/bin:/usr/sbin", NULL };
	int error;

	open_console();
	announce(path);
	error = proc_exec(path, argv, envp);
	if (error)
		panic("init: cannot execute %s: error %d", path, error);
	arch_enter_user();
}

int proc_start_init(const char *path)
{
	struct files *files;
	int error = files_create(&files);

	if (error)
		return error;
	error = proc_spawn(&kernel_proc, 1, "init", run_init, (void *)path, files, NULL);
	if (error)
		files_put(files);
	return error;
}
