/*
 * The boot-stage runner.
 *
 * Owns the table of stages (generated from stages.tbl) and which were selected. A stage is announced,
 * run, judged by what its function returned, and reported, each as an event with the per-boot nonce; the
 * line on the log is for people only. Runs in one kernel thread, so nothing here is locked.
 *
 * With fault injection the runner itself can misbehave (inject=runner.…, at the stage inject_stage=ID),
 * to prove that the tool on the other side notices.
 */
#include <arch/cpu.h>
#include <arch/debug.h>
#include <arch/irq.h>
#include <core/param.h>
#include <core/time.h>
#include <debug/event.h>
#include <debug/inject.h>
#include <debug/klog.h>
#include <debug/panic.h>
#include <debug/stage.h>
#include <init/run.h>
#include <lib/errno.h>
#include <lib/string.h>

#define FN_user_0(id) stage_##id
#define FN_user_1(id) NULL
#define ROW(n_, id_, phase_, title_, subsystem_, deadline_, user_)                                 \
	{ .n = n_,                                                                                 \
	  .id = #id_,                                                                              \
	  .title = title_,                                                                         \
	  .phase = phase_,                                                                         \
	  .user = user_,                                                                           \
	  .deadline_ms = deadline_,                                                                \
	  .fn = FN_user_##user_(id_) },
static struct stage stages[] = { STAGES(ROW) };

static const char *selection; /* NULL: none */
static const char *nonce = "";
static const char *inject_stage = "";
static unsigned run, passed, failed, skipped;
static struct event ev;

static int set_stages(const char *value)
{
	selection = value;
	return *value ? 0 : -EINVAL;
}
KPARAM(stages, set_stages);

static int set_nonce(const char *value)
{
	nonce = value;
	return 0;
}
KPARAM(nonce, set_nonce);

static int set_inject_stage(const char *value)
{
	inject_stage = value;
	return 0;
}
KPARAM(inject_stage, set_inject_stage);

static bool in_list(const char *list, const char *id)
{
	size_t n = strlen(id);

	for (const char *p = list; p; p = strchr(p, ',')) {
		p += *p == ',';
		if (!strncmp(p, id, n) && (!p[n] || p[n] == ','))
			return true;
	}
	return false;
}

static bool selected(const struct stage *s)
{
	static bool from_reached;

	if (!selection)
		return false;
	if (!strncmp(selection, "from:", 5))
		return from_reached |= !strcmp(selection + 5, s->id);
	return !strcmp(selection, "all") || in_list(selection, s->id);
}

bool stages_wanted(void)
{
	return selection;
}

static void event_stage(const char *type, const struct stage *s)
{
	event_begin(&ev, type);
	event_str(&ev, "nonce", nonce);
	event_u64(&ev, "n", s->n);
	event_str(&ev, "id", s->id);
}

static void report_begin(const struct stage *s)
{
	event_stage("stage_begin", s);
	event_end(&ev);
}

static void report_end(const struct stage *s, const char *status, u64 took_ns)
{
	event_stage("stage_end", s);
	event_str(&ev, "status", status);
	event_u64(&ev, "took_ns", took_ns);
	event_str(&ev, "detail", s->detail);
	event_end(&ev);
	klog(*status == 'F' ? LOG_ERR : LOG_INFO, "[STAGE %03u/%03u] %s: %s ... %s %llu ms%s%s",
	     s->n, STAGE_COUNT, s->id, s->title, status,
	     (unsigned long long)(took_ns / NSEC_PER_MSEC), *s->detail ? ": " : "", s->detail);
}

static const char *judge(int result)
{
	if (!result) {
		passed++;
		return "PASS";
	}
	if (result == STAGE_SKIP) {
		skipped++;
		return "SKIP";
	}
	failed++;
	return "FAIL";
}

#ifdef CONFIG_INJECT
static void hang(void)
{
	for (;;)
		cpu_relax();
}

/* True when the stage has been dealt with, wrongly on purpose. */
static bool misbehave(struct stage *s, const struct stage *last)
{
	if (strcmp(inject_stage, s->id))
		return false;
	if (INJECT("runner.missing"))
		return true;
	if (INJECT("runner.early"))
		report_end(s, "PASS", 0);
	if (INJECT("runner.duplicate")) {
		report_begin(s);
		report_end(s, "PASS", 0);
	}
	if (INJECT("runner.swap") && s < last) {
		report_begin(s + 1);
		report_end(s + 1, "PASS", 0);
	}
	if (INJECT("runner.hang")) {
		report_begin(s);
		hang();
	}
	if (INJECT("runner.panic")) {
		report_begin(s);
		panic("injected panic in stage %s", s->id);
	}
	if (INJECT("runner.reset")) { /* as a triple fault looks from outside: nobody announced it */
		report_begin(s);
		arch_irq_disable();
		arch_reset_unannounced();
	}
	if (INJECT("runner.nonce"))
		nonce = "0123456789abcdef";
	return false;
}
#else
static bool misbehave(struct stage *s, const struct stage *last)
{
	return false;
}
#endif

static void run_stage(struct stage *s)
{
	u64 start;
	int result;

	s->detail[0] = '\0';
	if (misbehave(s, &stages[ARRAY_SIZE(stages) - 1]))
		return;
	report_begin(s);
	start = time_monotonic_ns();
	if (INJECT("runner.fail") && !strcmp(inject_stage, s->id))
		result = stage_fail(s, "injected failure");
	else if (s->user)
		result = stage_run_user ? stage_run_user(s) : stage_fail(s, "no user stage runner");
	else
		result = s->fn(s);
	run++;
	report_end(s, judge(result), time_monotonic_ns() - start);
}

void stages_announce(void)
{
	event_begin(&ev, "boot");
	event_str(&ev, "nonce", nonce);
	event_str(&ev, "arch", ARCH_NAME);
	event_u64(&ev, "cpus", 0);
	event_u64(&ev, "stages", STAGE_COUNT);
	event_str(&ev, "table", STAGE_TABLE_HASH);
	event_str(&ev, "variant", VARIANT);
	event_end(&ev);
}

void stages_run(enum stage_phase phase)
{
	for (unsigned i = 0; i < ARRAY_SIZE(stages); i++)
		if (stages[i].phase == phase && selected(&stages[i]))
			run_stage(&stages[i]);
}

void stages_finish(void)
{
	event_begin(&ev, "stages_done");
	event_str(&ev, "nonce", nonce);
	event_u64(&ev, "run", run);
	event_u64(&ev, "passed", passed);
	event_u64(&ev, "failed", failed);
	event_u64(&ev, "skipped", skipped);
	event_end(&ev);
	log_info("stages: %u passed, %u failed, %u skipped", passed, failed, skipped);
}
