/*
 * What a program finds on its stack, from the top down: eight zero bytes, the strings (path, environment,
 * arguments), the platform's name, 16 random bytes, and at the stack pointer argc, argv[], envp[], auxv[].
 * Written once the new address space is the thread's own. Manual: getauxval(3), execve(2).
 */
#include "internal.h"
#include <arch/cpu.h>
#include <arch/signal.h>
#include <arch/uaccess.h>
#include <debug/inject.h>
#include <uapi/elf.h>
#include <uapi/times.h>

/* Words written upwards in batches. */
struct out {
	uptr_t pos;
	unsigned n;
	int error;
	u64 words[64];
};

static void out_flush(struct out *o)
{
	if (!o->error && o->n)
		o->error = copy_to_user(o->pos, o->words, o->n * sizeof(u64));
	o->pos += o->n * sizeof(u64);
	o->n = 0;
}

static void out_word(struct out *o, u64 v)
{
	if (o->n == ARRAY_SIZE(o->words))
		out_flush(o);
	o->words[o->n++] = v;
}

struct auxv {
	unsigned n;
	u64 *v;
};

static void aux(struct auxv *a, u64 type, u64 value)
{
	a->v[a->n++] = type;
	a->v[a->n++] = value;
}

static void fill_auxv(struct exec *e, struct auxv *a, uptr_t random, uptr_t platform, uptr_t path)
{
	const struct cred *c = current->cred;

	aux(a, AT_SYSINFO_EHDR, current->mm->vdso);
	aux(a, AT_HWCAP, arch_hwcap());
	aux(a, AT_PAGESZ, PAGE_SIZE);
	aux(a, AT_CLKTCK, USER_HZ);
	aux(a, AT_PHDR, e->phdr);
	aux(a, AT_PHENT, sizeof(struct elf64_phdr));
	aux(a, AT_PHNUM, e->phnum);
	aux(a, AT_BASE, e->interp_base);
	aux(a, AT_FLAGS, 0);
	aux(a, AT_ENTRY, e->entry);
	aux(a, AT_UID, c->uid);
	aux(a, AT_EUID, c->euid);
	aux(a, AT_GID, c->gid);
	aux(a, AT_EGID, c->egid);
	aux(a, AT_SECURE, e->secure);
	aux(a, AT_RANDOM, random);
	aux(a, AT_HWCAP2, arch_hwcap2());
	aux(a, AT_EXECFN, path);
	aux(a, AT_PLATFORM, platform);
	aux(a, AT_MINSIGSTKSZ, arch_signal_frame_min());
	aux(a, AT_NULL, 0);
}

static int clear_tails(const struct exec *e)
{
	for (unsigned i = 0; i < e->nr_clear; i++)
		if (clear_user(e->clear[i].start, e->clear[i].len))
			return -ENOMEM;
	return 0;
}

/* Pointers to n strings that lie one after the other from kernel address s, user address u on. */
static const char *write_pointers(struct out *o, const char *s, uptr_t *u, unsigned n)
{
	while (n--) {
		size_t len = strlen(s) + 1;

		out_word(o, *u);
		*u += len;
		s += len;
	}
	out_word(o, 0);
	return s;
}

/* Strings, platform and random bytes; below them the words begin. */
static int write_strings(struct exec *e, uptr_t *base, uptr_t *platform, uptr_t *random)
{
	const char *name = arch_platform();
	uptr_t p = e->stack_top - sizeof(u64) - e->args_len;
	u8 bytes[16];

	*base = p;
	if (copy_to_user(p, e->args, e->args_len))
		return -EFAULT;
	p = (p - (exec_random_below(1 << 25) >> PAGE_SHIFT)) & ~15ul;
	p -= strlen(name) + 1;
	*platform = p;
	if (copy_to_user(p, name, strlen(name) + 1))
		return -EFAULT;
	p = (p - sizeof(bytes)) & ~15ul;
	*random = p;
	random_bytes(bytes, sizeof(bytes));
	if (INJECT("auxv_random_constant"))
		memset(bytes, 0x5a, sizeof(bytes));
	return copy_to_user(p, bytes, sizeof(bytes));
}

int elf_build_stack(struct exec *e, uptr_t *sp)
{
	struct mm *mm = current->mm;
	struct auxv a = { 0, mm->auxv };
	uptr_t base, platform, random, at;
	struct out o = { 0 };
	const char *s;
	int error = clear_tails(e);

	if (!error)
		error = write_strings(e, &base, &platform, &random);
	if (error)
		return error;
	mm->arg_start = base;
	mm->arg_end = mm->env_start = base + e->env_at;
	mm->env_end = base + e->path_at;
	fill_auxv(e, &a, random, platform, base + e->path_at);
	at = random - (1 + e->argc + 1 + e->envc + 1 + a.n) * sizeof(u64);
	at &= ~15ul;
	*sp = o.pos = mm->stack_start = at;
	out_word(&o, e->argc);
	at = base;
	s = write_pointers(&o, e->args, &at, e->argc);
	write_pointers(&o, s, &at, e->envc);
	for (unsigned i = 0; i < a.n; i++)
		out_word(&o, mm->auxv[i]);
	out_flush(&o);
	return o.error;
}
