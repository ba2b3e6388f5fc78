/* Stages of exec and of programs: loader, stack, scripts, ends. */
#include "proc_test.h"
#include <arch/thread.h>
#include <arch/uaccess.h>
#include <core/rcu.h>
#include <core/time.h>
#include <lib/format.h>
#include <proc/crash.h>
#include <stages_gen.h>

#define BAD_PATH "/proc_test_bad"
#define GOOD_PATH "/proc_test_good"
#define SCRIPT_PATH "/proc_test_script"
#define LEAK_RUNS 40
#define LEAK_TOLERANCE 8 /* pages */

struct bad {
	const char *what;
	void (*spoil)(struct elf64_ehdr *h, struct elf64_phdr *ph);
	int error;
};

#define SPOIL(name, code)                                                                          \
	static void spoil_##name(struct elf64_ehdr *h, struct elf64_phdr *ph)                      \
	{                                                                                          \
		code;                                                                              \
	}
SPOIL(magic, h->e_ident[0] = 0)
SPOIL(class, h->e_ident[EI_CLASS] = 1)
SPOIL(machine, h->e_machine = EM_386)
SPOIL(type, h->e_type = ET_REL)
SPOIL(phentsize, h->e_phentsize = 55)
SPOIL(no_headers, h->e_phnum = 0)
SPOIL(too_many, h->e_phnum = 0xffff)
SPOIL(phoff, h->e_phoff = ~0ull - 8)
SPOIL(phoff_past, h->e_phoff = 1 << 20)
SPOIL(no_load, ph->p_type = PT_NOTE)
SPOIL(filesz, ph->p_filesz = ph->p_memsz + 1)
SPOIL(offset, ph->p_offset = ~0ull - 0xfff)
SPOIL(alignment, ph->p_vaddr += 8)
SPOIL(kernel, ph->p_vaddr = 0xffffffff80000000)
SPOIL(wraps, ph->p_memsz = ~0ull)
SPOIL(huge, ph->p_memsz = USER_TOP)
SPOIL(entry, h->e_entry = ~0ull)
SPOIL(interp, ph->p_type = PT_INTERP)

static const struct bad bad[] = {
	{ "magic", spoil_magic, -ENOEXEC },
	{ "class", spoil_class, -ENOEXEC },
	{ "machine", spoil_machine, -ENOEXEC },
	{ "type", spoil_type, -ENOEXEC },
	{ "e_phentsize", spoil_phentsize, -ENOEXEC },
	{ "no headers", spoil_no_headers, -ENOEXEC },
	{ "too many headers", spoil_too_many, -ENOEXEC },
	{ "e_phoff wraps", spoil_phoff, -ENOEXEC },
	{ "e_phoff past the end", spoil_phoff_past, -ENOEXEC },
	{ "no PT_LOAD", spoil_no_load, -ENOEXEC },
	{ "p_filesz > p_memsz", spoil_filesz, -ENOEXEC },
	{ "p_offset wraps", spoil_offset, -ENOEXEC },
	{ "p_vaddr and p_offset differ in the page", spoil_alignment, -ENOEXEC },
	{ "p_vaddr in the kernel", spoil_kernel, -ENOMEM },
	{ "p_memsz wraps", spoil_wraps, -ENOMEM },
	{ "p_memsz too large", spoil_huge, -ENOMEM },
	{ "e_entry in the kernel", spoil_entry, -ENOMEM },
	{ "interpreter without a path", spoil_interp, -ENOEXEC },
};

static int exec_bad(struct stage *s)
{
	char *const argv[] = { (char *)BAD_PATH, NULL };
	u8 *buf = kmalloc(PAGE_SIZE, 0);

	STAGE_CHECK(s, buf);
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		struct elf64_ehdr *h = (struct elf64_ehdr *)buf;
		size_t n = proc_test_make_elf(buf, user_code_exit42, user_code_exit42_end);
		int error;

		bad[i].spoil(h, (struct elf64_phdr *)(h + 1));
		STAGE_CHECK_EQ(s, proc_test_write_file(BAD_PATH, buf, n), 0);
		error = proc_exec(BAD_PATH, argv, argv + 1);
		if (error != bad[i].error)
			return stage_fail(s, "%s: exec returned %d, expected %d", bad[i].what,
					  error, bad[i].error);
	}
	kfree(buf);
	return 0;
}

int stage_elf_rejects(struct stage *s)
{
	return proc_test_in_process(s, exec_bad);
}

/* Any prefix, and garbage in any byte of the headers, must end in an error or a program, never worse. */
static int exec_garbage(struct stage *s)
{
	static const char *const paths[] = { BAD_PATH, BAD_PATH "2" };
	unsigned accepted = 0;
	char *const argv[] = { (char *)BAD_PATH, NULL };
	u8 *buf = kmalloc(PAGE_SIZE, 0);

	STAGE_CHECK(s, buf);
	(void)proc_test_make_elf(buf, user_code_exit42, user_code_exit42_end);
	for (size_t len = 0; len < sizeof(struct elf64_ehdr) + sizeof(struct elf64_phdr);
	     len += 3) {
		STAGE_CHECK_EQ(s, proc_test_write_file(BAD_PATH, buf, len), 0);
		STAGE_CHECK(s, proc_exec(BAD_PATH, argv, argv + 1) < 0);
	}
	for (unsigned i = 0; i < 64; i++) {
		u64 noise[2];
		size_t n = proc_test_make_elf(buf, user_code_exit42, user_code_exit42_end);

		random_bytes(noise, sizeof(noise));
		memcpy(buf + 64 + i % 6 * 8, noise, 8);
		/* What could be executed is in use, and not overwritten. */
		STAGE_CHECK_EQ(s, proc_test_write_file(paths[accepted & 1], buf, n), 0);
		accepted += !proc_exec(paths[accepted & 1], argv, argv + 1);
	}
	kfree(buf);
	return 0;
}

int stage_elf_garbage(struct stage *s)
{
	return proc_test_in_process(s, exec_garbage);
}

static u64 word_at(uptr_t addr)
{
	u64 v = 0;

	return get_user_u64(&v, addr) ? ~0ull : v;
}

static bool string_is(uptr_t addr, const char *expected)
{
	char buf[64];

	return copy_string_from_user(buf, addr, sizeof(buf)) >= 0 && !strcmp(buf, expected);
}

static u64 aux_value(uptr_t auxv, u64 type)
{
	for (unsigned i = 0; i < 40; i++, auxv += 16)
		if (word_at(auxv) == type)
			return word_at(auxv + 8);
		else if (!word_at(auxv))
			break;
	return ~0ull;
}

static int check_stack(struct stage *s)
{
	char *const argv[] = { (char *)"first", (char *)"", (char *)"third word", NULL };
	char *const envp[] = { (char *)"A=1", (char *)"LONG=environment", NULL };
	uptr_t sp, auxv;
	u8 *buf = kmalloc(PAGE_SIZE, 0);

	STAGE_CHECK(s, buf);
	STAGE_CHECK_EQ(s,
		       proc_test_write_file(
			       GOOD_PATH, buf,
			       proc_test_make_elf(buf, user_code_exit42, user_code_exit42_end)),
		       0);
	kfree(buf);
	STAGE_CHECK_EQ(s, proc_exec(GOOD_PATH, argv, envp), 0);
	sp = regs_sp(arch_thread_regs(current));
	STAGE_CHECK_EQ(s, sp & 15, 0);
	STAGE_CHECK_EQ(s, word_at(sp), 3);
	for (unsigned i = 0; i < 3; i++)
		STAGE_CHECK(s, string_is(word_at(sp + 8 + i * 8), argv[i]));
	STAGE_CHECK_EQ(s, word_at(sp + 32), 0);
	STAGE_CHECK(s, string_is(word_at(sp + 40), "A=1"));
	STAGE_CHECK(s, string_is(word_at(sp + 48), "LONG=environment"));
	STAGE_CHECK_EQ(s, word_at(sp + 56), 0);
	auxv = sp + 64;
	STAGE_CHECK_EQ(s, aux_value(auxv, AT_PAGESZ), PAGE_SIZE);
	STAGE_CHECK_EQ(s, aux_value(auxv, AT_PHDR), PROC_TEST_BASE + sizeof(struct elf64_ehdr));
	STAGE_CHECK_EQ(s, aux_value(auxv, AT_PHNUM), 1);
	STAGE_CHECK_EQ(s, aux_value(auxv, AT_ENTRY), regs_ip(arch_thread_regs(current)));
	STAGE_CHECK_EQ(s, aux_value(auxv, AT_UID), 0);
	STAGE_CHECK(s, string_is(aux_value(auxv, AT_EXECFN), GOOD_PATH));
	STAGE_CHECK(s, word_at(aux_value(auxv, AT_RANDOM)) != ~0ull);
	STAGE_CHECK(s, !strcmp(current->comm, "proc_test_good"));
	return 0;
}

int stage_exec_stack(struct stage *s)
{
	return proc_test_in_process(s, check_stack);
}

static int long_arguments(struct stage *s)
{
	char *big = kmalloc(EXEC_STRING_MAX + 1, 0);
	char *argv[] = { (char *)GOOD_PATH, big, NULL }, *envp[] = { NULL };

	STAGE_CHECK(s, big);
	memset(big, 'x', EXEC_STRING_MAX);
	big[EXEC_STRING_MAX] = '\0';
	STAGE_CHECK_EQ(s, proc_exec(GOOD_PATH, argv, envp), -E2BIG);
	big[EXEC_STRING_MAX - 1] = '\0';
	STAGE_CHECK_EQ(s, proc_exec(GOOD_PATH, argv, envp), 0);
	STAGE_CHECK_EQ(
		s, user_strnlen(word_at(regs_sp(arch_thread_regs(current)) + 16), EXEC_STRING_MAX),
		EXEC_STRING_MAX - 1);
	kfree(big);
	return 0;
}

int stage_exec_argument_limit(struct stage *s)
{
	return proc_test_in_process(s, long_arguments);
}

static int run_script(struct stage *s)
{
	static const char text[] = "#! " GOOD_PATH "  one argument \nrest\n",
			  loop[] = "#!" BAD_PATH "\n";
	char *const argv[] = { (char *)"zero", (char *)"last", NULL };
	uptr_t sp;

	STAGE_CHECK_EQ(s, proc_test_write_file(BAD_PATH, loop, sizeof(loop) - 1), 0);
	STAGE_CHECK_EQ(s, proc_exec(BAD_PATH, argv, argv + 2), -ELOOP);
	STAGE_CHECK_EQ(s, proc_test_write_file(BAD_PATH, "#!   \n", 6), 0);
	STAGE_CHECK_EQ(s, proc_exec(BAD_PATH, argv, argv + 2), -ENOEXEC);
	STAGE_CHECK_EQ(s, proc_test_write_file(SCRIPT_PATH, text, sizeof(text) - 1), 0);
	STAGE_CHECK_EQ(s, proc_exec(SCRIPT_PATH, argv, argv + 2), 0);
	sp = regs_sp(arch_thread_regs(current));
	STAGE_CHECK_EQ(s, word_at(sp), 4);
	STAGE_CHECK(s, string_is(word_at(sp + 8), GOOD_PATH));
	STAGE_CHECK(s, string_is(word_at(sp + 16), "one argument"));
	STAGE_CHECK(s, string_is(word_at(sp + 24), SCRIPT_PATH));
	STAGE_CHECK(s, string_is(word_at(sp + 32), "last"));
	return 0;
}

int stage_exec_script(struct stage *s)
{
	return proc_test_in_process(s, run_script);
}

int stage_user_exit_status(struct stage *s)
{
	u32 status = ~0u;

	STAGE_CHECK_EQ(s, PROC_TEST_RUN(exit42, &status), 0);
	STAGE_CHECK_EQ(s, status, WSTATUS_EXIT(42));
	STAGE_CHECK_EQ(s, PROC_TEST_RUN(argc, &status), 0);
	STAGE_CHECK_EQ(s, status, WSTATUS_EXIT(3));
	return 0;
}

int stage_user_fault_signal(struct stage *s)
{
	u32 status = ~0u;

	STAGE_CHECK_EQ(s, PROC_TEST_RUN(fault, &status), 0);
	STAGE_CHECK_EQ(s, status, WSTATUS_SIGNAL(SIGSEGV));
	STAGE_CHECK_EQ(s, PROC_TEST_RUN(privileged, &status), 0);
	STAGE_CHECK_EQ(s, status, WSTATUS_SIGNAL(user_code_privileged_signal));
	STAGE_CHECK_EQ(s, PROC_TEST_RUN(illegal, &status), 0);
	STAGE_CHECK_EQ(s, status, WSTATUS_SIGNAL(SIGILL));
	return 0;
}

/* Each death is reported once, whatever else becomes of it. */
int stage_crash_reports(struct stage *s)
{
	u64 before = crash_reports_made();
	u32 status;

	STAGE_CHECK_EQ(s, PROC_TEST_RUN(fault, &status), 0);
	STAGE_CHECK_EQ(s, crash_reports_made() - before, 1);
	STAGE_CHECK_EQ(s, PROC_TEST_RUN(illegal, &status), 0);
	STAGE_CHECK_EQ(s, crash_reports_made() - before, 2);
	STAGE_CHECK_EQ(s, PROC_TEST_RUN(exit42, &status), 0);
	STAGE_CHECK_EQ(s, crash_reports_made() - before, 2);
	return 0;
}

int stage_user_fork_wait(struct stage *s)
{
	u32 status = ~0u;

	STAGE_CHECK_EQ(s, PROC_TEST_RUN(fork, &status), 0);
	STAGE_CHECK_EQ(s, status, WSTATUS_EXIT(7));
	return 0;
}

int stage_user_signal_handler(struct stage *s)
{
	u32 status = ~0u;

	STAGE_CHECK_EQ(s, PROC_TEST_RUN(handler, &status), 0);
	STAGE_CHECK_EQ(s, status, WSTATUS_EXIT(33));
	return 0;
}

#define MAX_CACHES 64
#define OBJECT_TOLERANCE 8 /* of one kind, in use or not yet freed */

/* Pages in use but for those of slabs, which keep what once was needed; and objects in use by cache. */
struct usage {
	s64 pages;
	u64 active[MAX_CACHES];
};

static void measure(struct usage *u)
{
	struct kcache_info info;
	struct mem_stats mem;

	for (unsigned i = 0; i < 3; i++) { /* freed by callbacks that come from callbacks */
		synchronize_rcu();
		proc_test_sleep_ms(2);
	}
	mem_stats(&mem);
	u->pages = (s64)(mem.total_pages - mem.free_pages - mem.slab_pages);
	for (unsigned i = 0; i < MAX_CACHES && kcache_info(i, &info); i++)
		u->active[i] = info.active;
}

static bool more_pages(const struct usage *before, const struct usage *after)
{
	return after->pages > before->pages + LEAK_TOLERANCE;
}

/* The first cache that has more objects than it may, or MAX_CACHES. */
static unsigned grown_cache(const struct usage *before, const struct usage *after)
{
	unsigned i = 0;

	while (i < MAX_CACHES && after->active[i] <= before->active[i] + OBJECT_TOLERANCE)
		i++;
	return i;
}

int stage_proc_no_leak(struct stage *s)
{
	static struct usage before, after;
	struct kcache_info info;
	unsigned grown;
	u32 status;

	for (unsigned i = 0; i < 5; i++)
		STAGE_CHECK_EQ(s, PROC_TEST_RUN(fork, &status), 0);
	measure(&before);
	for (unsigned i = 0; i < LEAK_RUNS; i++)
		STAGE_CHECK_EQ(s, PROC_TEST_RUN(fork, &status), 0);
	/* What is freed after a grace period comes late when the host is busy; what leaked never comes. */
	for (unsigned i = 0; i < 100; i++) {
		measure(&after);
		grown = grown_cache(&before, &after);
		if (!more_pages(&before, &after) && grown == MAX_CACHES)
			break;
	}
	if (more_pages(&before, &after))
		return stage_fail(s, "%lld pages more after %d runs of fork and exit",
				  after.pages - before.pages, LEAK_RUNS);
	if (grown < MAX_CACHES && kcache_info(grown, &info))
		return stage_fail(s, "%llu objects more in cache %s after %d runs",
				  (unsigned long long)(after.active[grown] - before.active[grown]),
				  info.name, LEAK_RUNS);
	STAGE_CHECK_EQ(s, proc_thread_count(), 0);
	return 0;
}
