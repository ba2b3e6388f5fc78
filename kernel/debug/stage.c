/* What stage functions use to say why they failed or were skipped. The runner is in kernel/init. */
#include <debug/stage.h>
#include <lib/errno.h>
#include <lib/format.h>

int (*stage_run_user)(struct stage *s);

int stage_fail(struct stage *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vscnprintf(s->detail, sizeof(s->detail), fmt, ap);
	va_end(ap);
	return -EIO;
}

int stage_skip(struct stage *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vscnprintf(s->detail, sizeof(s->detail), fmt, ap);
	va_end(ap);
	return STAGE_SKIP;
}
