/* Stages of several CPUs: threads and translations follow, load spreads, idle CPUs rest. */
#include "team.h"
#include <arch/mmu.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <mm/page.h>
#include <mm/pgtable.h>
#include <mm/vmalloc.h>
#include <stages_gen.h>

static void visit_all(void *arg, unsigned i)
{
	u32 *wrong = arg;

	(void)i;
	for (unsigned n = 0; n < 3 * nr_cpus_online; n++) {
		unsigned cpu = test_nth_cpu(n);

		if (sched_set_affinity(current, BIT(cpu)))
			(*wrong)++;
		preempt_disable();
		if (this_cpu() != cpu)
			(*wrong)++;
		preempt_enable();
	}
}

int stage_smp_migrate_self(struct stage *s)
{
	static u32 wrong;

	wrong = 0;
	STAGE_CHECK_EQ(s, team_run(1, TEAM_ANYWHERE, visit_all, &wrong, 3000), 0);
	STAGE_CHECK_EQ(s, wrong, 0);
	return 0;
}

static u32 seen_mask; /* [a] */
static u32 spinners; /* [a] */
static u32 let_go;

static void spin_and_note(void *arg, unsigned i)
{
	(void)arg, (void)i;
	__atomic_fetch_add(&spinners, 1, __ATOMIC_SEQ_CST);
	while (!READ_ONCE(let_go)) {
		preempt_disable();
		__atomic_fetch_or(&seen_mask, 1u << this_cpu(), __ATOMIC_SEQ_CST);
		preempt_enable();
		for (unsigned k = 0; k < 100; k++)
			cpu_relax();
	}
}

static int spread(struct stage *s, struct team *team)
{
	u64 end = time_monotonic_ns() + 2 * NSEC_PER_SEC;

	while (READ_ONCE(seen_mask) != cpu_online_mask && time_monotonic_ns() < end)
		test_sleep_ms(2);
	WRITE_ONCE(let_go, 1);
	STAGE_CHECK_EQ(s, team_wait(team, 2000), 0);
	if (seen_mask != cpu_online_mask)
		return stage_fail(s, "of CPUs 0x%lx only 0x%x ran a thread", cpu_online_mask,
				  seen_mask);
	return 0;
}

int stage_smp_load_spreads(struct stage *s)
{
	static struct team team;

	seen_mask = spinners = let_go = 0;
	STAGE_CHECK_EQ(s, team_create(&team, nr_cpus_online, TEAM_ANYWHERE, spin_and_note, NULL),
		       0);
	team_start(&team);
	return spread(s, &team);
}

/* All start on one CPU and are freed then: the idle ones must come and take them. */
int stage_smp_idle_steals(struct stage *s)
{
	static struct team team;

	seen_mask = spinners = let_go = 0;
	STAGE_CHECK_EQ(s, team_create(&team, nr_cpus_online, 0, spin_and_note, NULL), 0);
	team_start(&team);
	STAGE_CHECK_EQ(s, test_wait_u32(&spinners, nr_cpus_online, 2000), 0);
	STAGE_CHECK_EQ(s, seen_mask, 1);
	for (unsigned i = 0; i < team.n; i++)
		STAGE_CHECK_EQ(s, sched_set_affinity(team.members[i].thread, ~0ull), 0);
	return spread(s, &team);
}

struct window {
	const volatile u64 *va;
	u64 seen[MAX_CPUS];
};

static void read_window(void *arg, unsigned i)
{
	struct window *w = arg;

	w->seen[i] = *w->va;
}

static int read_everywhere(struct stage *s, struct window *w, u64 expected)
{
	STAGE_CHECK_EQ(s, team_run(nr_cpus_online, TEAM_SPREAD, read_window, w, 2000), 0);
	for (unsigned i = 0; i < nr_cpus_online; i++)
		STAGE_CHECK_EQ(s, w->seen[i], expected);
	return 0;
}

static int map_window(void *va, paddr_t pa)
{
	return kernel_map((vaddr_t)va, pa, PAGE_SIZE, PT_READ | PT_WRITE | PT_GLOBAL);
}

int stage_smp_tlb_shootdown(struct stage *s)
{
	static struct window w;
	struct page *a = page_alloc(0, ALLOC_ZERO), *b = page_alloc(0, ALLOC_ZERO);
	void *hole = vmalloc(PAGE_SIZE);
	pte_t *pte;
	pte_t own;
	int level, error;

	STAGE_CHECK(s, a && b && hole);
	*(u64 *)page_to_virt(a) = 0x1111;
	*(u64 *)page_to_virt(b) = 0x2222;
	w.va = hole;
	pte = pgtable_lookup(kernel_root, (vaddr_t)hole, &level);
	STAGE_CHECK(s, pte && level == 0);
	own = pte_read(pte);
	kernel_unmap((vaddr_t)hole, PAGE_SIZE);
	STAGE_CHECK_EQ(s, map_window(hole, page_to_phys(a)), 0);
	error = read_everywhere(s, &w, 0x1111);
	kernel_unmap((vaddr_t)hole, PAGE_SIZE);
	STAGE_CHECK_EQ(s, map_window(hole, page_to_phys(b)), 0);
	if (!error)
		error = read_everywhere(s, &w, 0x2222);
	kernel_unmap((vaddr_t)hole, PAGE_SIZE);
	STAGE_CHECK_EQ(s, map_window(hole, pte_paddr(own)), 0); /* as vfree() expects it */
	vfree(hole);
	page_put(a);
	page_put(b);
	return error;
}

int stage_smp_idle_halts(struct stage *s)
{
	u64 idle[MAX_CPUS], start;

	test_sleep_ms(10); /* last ticks */
	start = time_monotonic_ns();
	for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++)
		idle[cpu] = sched_idle_ns(cpu);
	test_sleep_ms(60);
	start = time_monotonic_ns() - start;
	for (unsigned i = 0; i < nr_cpus_online; i++) {
		unsigned cpu = test_nth_cpu(i);
		u64 ns = sched_idle_ns(cpu) - idle[cpu];

		if (ns < start / 3)
			return stage_fail(s, "cpu %u was idle for %llu of %llu us", cpu, ns / 1000,
					  start / 1000);
	}
	return 0;
}
