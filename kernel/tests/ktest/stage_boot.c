/* Boot stages of what every port has before anything else: hand-over, log, events, symbols, linker sets. */
#include <arch/cpu.h>
#include <arch/debug.h>
#include <arch/mmu.h>
#include <arch/percpu.h>
#include <core/param.h>
#include <core/time.h>
#include <debug/event.h>
#include <debug/klog.h>
#include <debug/panic.h>
#include <debug/stage.h>
#include <debug/symbols.h>
#include <lib/errno.h>
#include <lib/string.h>

int stage_boot_memory_map(struct stage *s)
{
	u64 usable = 0;

	STAGE_CHECK(s, boot_info.nr_ranges > 0);
	for (unsigned i = 0; i < boot_info.nr_ranges; i++) {
		const struct memrange *r = &boot_info.ranges[i];

		STAGE_CHECK(s, r->size > 0 && r->base + r->size > r->base);
		if (i)
			STAGE_CHECK(s, r[-1].base + r[-1].size <= r->base);
		if (r->kind == MEM_USABLE)
			usable += r->size;
	}
	STAGE_CHECK(s, usable >= (16ull << 20));
	return 0;
}

int stage_boot_kernel_carved_out(struct stage *s)
{
	paddr_t here = virt_to_phys((const void *)(uintptr_t)stage_boot_kernel_carved_out);

	for (unsigned i = 0; i < boot_info.nr_ranges; i++) {
		const struct memrange *r = &boot_info.ranges[i];
		bool holds = here >= r->base && here < r->base + r->size;
		bool initrd = boot_info.initrd_size && boot_info.initrd_base >= r->base &&
			      boot_info.initrd_base < r->base + r->size;

		STAGE_CHECK(s, !holds || r->kind == MEM_KERNEL);
		STAGE_CHECK(s, !initrd || r->kind == MEM_INITRD);
	}
	return 0;
}

int stage_boot_cmdline(struct stage *s)
{
	const char *shown = kparam_public_cmdline();
	const char *nonce = strstr(boot_info.cmdline, "nonce=");

	STAGE_CHECK(s, shown && strstr(shown, "stages="));
	STAGE_CHECK(s, nonce && strlen(nonce) >= 14); /* the runner gives at least 8 digits */
	STAGE_CHECK(s, !memcmp(nonce, "nonce=", 6));
	nonce = strstr(shown, "nonce=");
	STAGE_CHECK(s, !nonce || nonce[6] == ' ' || nonce[6] == '\0' || nonce[6] == '*' ||
			       nonce[6] == 'x');
	return 0;
}

int stage_boot_percpu(struct stage *s)
{
	STAGE_CHECK(s, this_cpu() < MAX_CPUS);
	STAGE_CHECK(s, this_cpu_ptr(cpu_number) == per_cpu_ptr(this_cpu(), cpu_number));
	STAGE_CHECK_EQ(s, *per_cpu_ptr(0, cpu_number), 0);
	return 0;
}

int stage_boot_clock(struct stage *s)
{
	u64 a = arch_clock_ns(), b;

	arch_delay_us(500);
	b = arch_clock_ns();
	STAGE_CHECK(s, b - a >= 450 * NSEC_PER_USEC);
	STAGE_CHECK(s, b - a < 10 * NSEC_PER_SEC);
	return 0;
}

int stage_boot_rtc(struct stage *s)
{
	u64 now = arch_rtc_read();

	if (!now)
		return stage_skip(s, "no real-time clock");
	STAGE_CHECK(s, now > 1704000000ull); /* the end of 2023 */
	STAGE_CHECK(s, now < 4102444800ull); /* 2100 */
	return 0;
}

int stage_klog_ring(struct stage *s)
{
	static char text[1024];
	u64 pos = 0;
	bool found = false;
	size_t n;

	klog(LOG_DEBUG, "stage klog_ring: needle-%d", 4711);
	while ((n = klog_read(&pos, text, sizeof(text) - 1))) {
		text[n] = '\0';
		found = found || strstr(text, "needle-4711");
	}
	STAGE_CHECK(s, found);
	return 0;
}

int stage_event_escapes(struct stage *s)
{
	static struct event e;
	static const char hostile[] = "a\"b\\c\n\x01\xff";

	event_begin(&e, "test");
	event_strn(&e, "k", hostile, sizeof(hostile) - 1);
	e.buf[e.len] = '\0';
	STAGE_CHECK(
		s, !strcmp(e.buf, "{\"type\":\"test\",\"k\":\"a\\\"b\\\\c\\u000a\\u0001\\u00ff\""));
	return 0;
}

int stage_event_truncation(struct stage *s)
{
	static struct event e;
	int depth = 0;
	bool quoted = false;

	event_begin(&e, "test");
	event_list_begin(&e, "list");
	for (int i = 0; i < 400; i++)
		event_item_str(&e, "twenty characters...");
	event_list_end(&e);
	event_str(&e, "after", "does not fit");
	STAGE_CHECK(s, e.full && e.len < EVENT_MAX);
	for (size_t i = 0; i < e.len; i++) {
		quoted ^= e.buf[i] == '"';
		if (!quoted)
			depth += (e.buf[i] == '[') - (e.buf[i] == ']');
	}
	STAGE_CHECK(s, !quoted);
	STAGE_CHECK_EQ(s, depth, 0);
	return 0;
}

int stage_symbols(struct stage *s)
{
	size_t offset;
	const char *name = symbol_find((uintptr_t)stage_symbols, &offset);

	STAGE_CHECK(s, name && !strcmp(name, "stage_symbols"));
	STAGE_CHECK_EQ(s, offset, 0);
	STAGE_CHECK(s, !symbol_find(0, &offset));
	STAGE_CHECK(s, !symbol_find(~0ul, &offset));
	return 0;
}

int stage_backtrace(struct stage *s)
{
	uintptr_t pcs[16];
	unsigned n = arch_backtrace(arch_current_fp(), pcs, ARRAY_SIZE(pcs));
	size_t offset;
	const char *caller;

	STAGE_CHECK(s, n >= 2);
	caller = symbol_find(pcs[0], &offset);
	STAGE_CHECK(s, caller && strstr(caller, "stage"));
	/* A broken chain ends; it does not fault. */
	STAGE_CHECK(s, arch_backtrace(0x1234, pcs, ARRAY_SIZE(pcs)) <= 1);
	STAGE_CHECK(s, arch_backtrace(~0ul - 7, pcs, ARRAY_SIZE(pcs)) <= 1);
	return 0;
}

int stage_stack_canary(struct stage *s)
{
	STAGE_CHECK(s, __stack_chk_guard != 0);
	STAGE_CHECK(s, __stack_chk_guard != STACK_GUARD_INITIAL);
	return 0;
}

int stage_hw_random(struct stage *s)
{
	u64 a[4] = { 0 }, b[4] = { 0 };
	size_t n = arch_random(a, sizeof(a));

	if (n < sizeof(a))
		return stage_skip(s, "the CPU has no random-number instruction");
	STAGE_CHECK_EQ(s, arch_random(b, sizeof(b)), sizeof(b));
	STAGE_CHECK(s, memcmp(a, b, sizeof(a)) != 0);
	return 0;
}

int stage_stage_table(struct stage *s)
{
	STAGE_CHECK(s, s->n >= 1 && s->n <= STAGE_COUNT);
	STAGE_CHECK_EQ(s, strlen(STAGE_TABLE_HASH), 16);
	return 0;
}
