/* Boot stages: kernel/init/stages.tbl is the table; see docs/planning/0001-boot.md. */
#pragma once
#include <lib/types.h>
#include <stages_gen.h>

enum stage_phase {
	PHASE_BOOT,
	PHASE_MM,
	PHASE_IRQ,
	PHASE_SCHED,
	PHASE_SMP,
	PHASE_DEV,
	PHASE_FS,
	PHASE_PROC,
	PHASE_USER
};

struct stage {
	unsigned n; /* from 1 */
	const char *id, *title;
	enum stage_phase phase;
	bool user;
	unsigned deadline_ms;
	int (*fn)(struct stage *);
	char detail[192]; /* why it failed, or was skipped */
};

#define STAGE_SKIP 1 /* returned by a stage function: cannot be tried here; detail says why */

/* A stage function returns 0 (pass), STAGE_SKIP, or -EXXX with detail set. */
__printf(2, 3) int stage_fail(struct stage *s, const char *fmt, ...);
__printf(2, 3) int stage_skip(struct stage *s, const char *fmt, ...);

#define STAGE_CHECK(s, cond)                                                                       \
	do {                                                                                       \
		if (unlikely(!(cond)))                                                             \
			return stage_fail(s, "%s:%d: %s", __FILE__, __LINE__, #cond);              \
	} while (0)
#define STAGE_CHECK_EQ(s, a, b)                                                                    \
	do {                                                                                       \
		long long a_ = (long long)(a), b_ = (long long)(b);                                \
		if (unlikely(a_ != b_))                                                            \
			return stage_fail(s, "%s:%d: %s is %lld, expected %lld", __FILE__,         \
					  __LINE__, #a, a_, b_);                                   \
	} while (0)

/* Runs the selected stages of a phase, in table order. Boot CPU. */
void stages_run(enum stage_phase phase);
bool stages_wanted(void); /* stages=… was given */
void stages_finish(void); /* stages_done */
/* Registered by proc/: runs a user stage as a process; fills detail; 0, STAGE_SKIP, -EXXX. */
extern int (*stage_run_user)(struct stage *s);

/* Every row that is not of phase user has a function of its name. */
#define STAGE_PROTOTYPE_0(id) int stage_##id(struct stage *s);
#define STAGE_PROTOTYPE_1(id)
#define STAGE_PROTOTYPE(n, id, phase, title, subsystem, deadline, user) STAGE_PROTOTYPE_##user(id)
STAGES(STAGE_PROTOTYPE)
