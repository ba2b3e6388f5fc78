/* Stages of core/: spinlocks, preemption count, clocks, interrupt lines, the vDSO's page. */
#include "../../arch/common/clock.h"
#include "team.h"
#include <arch/irq.h>
#include <arch/vdso.h>
#include <core/spinlock.h>
#include <core/time.h>
#include <lib/errno.h>
#include <stages_gen.h>

int stage_clock_monotonic(struct stage *s)
{
	u64 last = time_monotonic_ns(), first = last;

	for (unsigned i = 0; i < 20000; i++) {
		u64 now = time_monotonic_ns();

		STAGE_CHECK(s, now >= last);
		last = now;
	}
	STAGE_CHECK(s, last > first);
	return 0;
}

/* For deadlines up to eleven days after the start. */
int stage_clock_deadline_count(struct stage *s)
{
	for (u64 ns = 1000; ns < 1000000ull * NSEC_PER_SEC; ns = ns * 3 + 1) {
		u64 count = clock_count_at(ns);

		STAGE_CHECK(s, arch_clock_raw_ns(count) >= ns);
		STAGE_CHECK(s, arch_clock_raw_ns(count - 2) < ns);
	}
	return 0;
}

int stage_clock_realtime_set(struct stage *s)
{
	u64 mono = time_monotonic_ns(), real = time_realtime_ns();
	s64 offset = time_realtime_offset();

	STAGE_CHECK_EQ(s, time_set_realtime(1000000000ull * NSEC_PER_SEC), 0);
	STAGE_CHECK(s, time_realtime_ns() - 1000000000ull * NSEC_PER_SEC < NSEC_PER_SEC);
	STAGE_CHECK(s, time_monotonic_ns() - mono < NSEC_PER_SEC);
	STAGE_CHECK_EQ(s, time_set_realtime(~0ull), -EINVAL);
	STAGE_CHECK_EQ(s, time_set_realtime(time_monotonic_ns() + (u64)offset), 0);
	STAGE_CHECK(s, time_realtime_ns() - real < NSEC_PER_SEC);
	return 0;
}

int stage_clock_vdso_page(struct stage *s)
{
	const struct vdso_data *d = vdso_data;
	u32 seq;

	time_vdso_update();
	if (!d)
		return stage_skip(s, "the port has no vDSO data page");
	seq = READ_ONCE(d->seq);
	STAGE_CHECK_EQ(s, seq & 1, 0);
	STAGE_CHECK_EQ(s, d->mult, arch_clock_params.mult);
	STAGE_CHECK_EQ(s, d->realtime_offset_ns, time_realtime_offset());
	time_set_realtime(time_realtime_ns());
	STAGE_CHECK_EQ(s, READ_ONCE(d->seq), seq + 2);
	return 0;
}

int stage_spinlock_basic(struct stage *s)
{
	struct spinlock l;
	irqflags_t flags;

	spin_init(&l, "test", RANK_NONE);
	STAGE_CHECK_EQ(s, preempt_depth(), 0);
	spin_lock(&l);
	STAGE_CHECK_EQ(s, preempt_depth(), 1);
	STAGE_CHECK(s, spin_is_locked(&l) && !spin_trylock(&l));
	STAGE_CHECK_EQ(s, preempt_depth(), 1);
	spin_unlock(&l);
	STAGE_CHECK(s, spin_trylock(&l));
	spin_unlock(&l);
	flags = spin_lock_irqsave(&l);
	STAGE_CHECK(s, !arch_irqs_enabled());
	spin_unlock_irqrestore(&l, flags);
	STAGE_CHECK(s, arch_irqs_enabled());
	STAGE_CHECK_EQ(s, preempt_depth(), 0);
	return 0;
}

int stage_spinlock_nested_irqsave(struct stage *s)
{
	struct spinlock a, b;
	irqflags_t fa, fb;

	spin_init(&a, "outer", RANK_NONE);
	spin_init(&b, "inner", RANK_NONE);
	fa = spin_lock_irqsave(&a);
	fb = spin_lock_irqsave(&b);
	STAGE_CHECK_EQ(s, preempt_depth(), 2);
	spin_unlock_irqrestore(&b, fb);
	STAGE_CHECK(s, !arch_irqs_enabled());
	spin_unlock_irqrestore(&a, fa);
	STAGE_CHECK(s, arch_irqs_enabled());
	return 0;
}

struct shared {
	struct spinlock lock;
	u64 plain, inside, overlaps;
	unsigned rounds;
};

static void count_locked(void *arg, unsigned i)
{
	struct shared *sh = arg;

	(void)i;
	for (unsigned n = 0; n < sh->rounds; n++) {
		spin_lock(&sh->lock);
		if (sh->inside++)
			sh->overlaps++;
		sh->plain = READ_ONCE(sh->plain) + 1;
		sh->inside--;
		spin_unlock(&sh->lock);
	}
}

int stage_spinlock_exclusion(struct stage *s)
{
	static struct shared sh;

	sh = (struct shared){ .rounds = 5000 };
	spin_init(&sh.lock, "test", RANK_NONE);
	STAGE_CHECK_EQ(s, team_run(4, TEAM_ANYWHERE, count_locked, &sh, 3000), 0);
	STAGE_CHECK_EQ(s, sh.plain, 4 * sh.rounds);
	STAGE_CHECK_EQ(s, sh.overlaps, 0);
	return 0;
}

int stage_lock_ranks(struct stage *s)
{
#ifdef CONFIG_DEBUG
	struct spinlock low, high;
	u32 before = spin_violations;

	STAGE_CHECK_EQ(s, before, 0);
	spin_init(&low, "test-low", RANK_FILES);
	spin_init(&high, "test-high", RANK_RCU);
	spin_lock(&low);
	spin_lock(&high);
	spin_unlock(&high);
	spin_unlock(&low);
	STAGE_CHECK_EQ(s, spin_violations, before);
	spin_violation_expected = true;
	spin_lock(&high);
	spin_lock(&low);
	spin_unlock(&low);
	spin_unlock(&high);
	spin_violation_expected = false;
	STAGE_CHECK_EQ(s, spin_violations, before + 1);
	spin_violations = before;
	return 0;
#else
	return stage_skip(s, "lock ranks are checked in debug builds only");
#endif
}

struct line_test {
	unsigned calls;
	bool mine, in_irq_seen;
};

static bool line_handler(unsigned irq, void *arg)
{
	struct line_test *t = arg;

	(void)irq;
	t->calls++;
	t->in_irq_seen = !arch_irqs_enabled();
	return t->mine;
}

static void deliver(unsigned irq)
{
	irqflags_t flags = arch_irq_save();

	irq_dispatch(irq);
	arch_irq_restore(flags);
}

static int share_line(struct stage *s, unsigned irq)
{
	static struct line_test a, b;
	u64 before = irq_count(irq);

	a = (struct line_test){ .mine = false };
	b = (struct line_test){ .mine = true };
	STAGE_CHECK_EQ(s, irq_request(irq, line_handler, &a, "test-a"), 0);
	STAGE_CHECK_EQ(s, irq_request(irq, line_handler, &b, "test-b"), 0);
	STAGE_CHECK_EQ(s, irq_request(NR_IRQS, line_handler, &a, "none"), -EINVAL);
	deliver(irq);
	STAGE_CHECK_EQ(s, a.calls, 1);
	STAGE_CHECK_EQ(s, b.calls, 1);
	STAGE_CHECK(s, a.in_irq_seen && b.in_irq_seen);
	irq_free(irq, &a);
	deliver(irq);
	STAGE_CHECK_EQ(s, a.calls, 1);
	STAGE_CHECK_EQ(s, b.calls, 2);
	irq_free(irq, &b);
	STAGE_CHECK_EQ(s, irq_count(irq), before + 2);
	return 0;
}

int stage_irq_shared_line(struct stage *s)
{
	struct arch_msi msi;
	int error;

	if (arch_msi_alloc(MSI_NO_DEVICE, &msi))
		return stage_skip(s, "no spare interrupt number");
	error = share_line(s, msi.irq);
	if (!error)
		arch_msi_free(msi.irq);
	return error;
}
