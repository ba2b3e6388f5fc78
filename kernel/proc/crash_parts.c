/*
 * Parts of a crash report: who called whom, the last system calls, the mappings.
 *
 * A chain of frames is believed while each lies above the last one, in memory that can be read, and returns
 * into a mapping that may be executed. Code without frame pointers breaks it, so the words on the stack that
 * could be return addresses are listed too; the report calls them a guess.
 */
#include "crash_internal.h"
#include <arch/debug.h>
#include <lib/format.h>

#define FRAMES_MAX 32
#define GUESSES_MAX 16
#define GUESS_WORDS 512 /* looked at from the stack pointer up */
#define MAPS_MAX 64
#define MAP_NAME_MAX 96 /* the end of a longer one */

/* --- the stack --- */

static const struct vma *vma_at(uptr_t addr)
{
	const struct vma *v = vma_find(current->mm, addr);

	return v && v->start <= addr ? v : NULL;
}

static bool executable(const struct crash *c, uptr_t addr)
{
	const struct vma *v;

	if (!c->space)
		return addr >= PAGE_SIZE && addr < USER_TOP;
	v = vma_at(addr);
	return v && v->flags & VM_EXEC;
}

static void put_frames(struct crash *c)
{
	uptr_t fp = regs_fp(c->regs), frame[2];

	event_list_begin(c->e, "backtrace");
	if (executable(c, c->ip))
		event_hex(c->e, NULL, c->ip);
	for (unsigned n = 0; n < FRAMES_MAX && !(fp & 7); n++) {
		if (crash_read_user(frame, fp, sizeof(frame)) < sizeof(frame) ||
		    !executable(c, frame[1]))
			break;
		event_hex(c->e, NULL, frame[1]);
		if (frame[0] <= fp)
			break;
		fp = frame[0];
	}
	event_list_end(c->e);
}

static void put_guesses(struct crash *c)
{
	uptr_t sp = regs_sp(c->regs) & ~7ul, words[32];
	unsigned found = 0;

	event_list_begin(c->e, "guess");
	for (unsigned at = 0; at < GUESS_WORDS && found < GUESSES_MAX; at += ARRAY_SIZE(words)) {
		size_t n = crash_read_user(words, sp + at * sizeof(uptr_t), sizeof(words));

		for (unsigned i = 0; i < n / sizeof(uptr_t) && found < GUESSES_MAX; i++) {
			if (!executable(c, words[i]))
				continue;
			event_hex(c->e, NULL, words[i]);
			found++;
		}
		if (n < sizeof(words))
			break;
	}
	event_list_end(c->e);
}

void crash_put_stack(struct crash *c)
{
	put_frames(c);
	/* Without the mappings any number would look like an address of code. */
	if (c->space)
		put_guesses(c);
}

/* --- system calls --- */

void crash_put_call(struct event *e, const struct syscall_record *r)
{
	const char *name = crash_syscall_name ? crash_syscall_name(r->nr) : NULL;

	event_object_begin(e, NULL);
	event_s64(e, "tid", r->tid);
	event_u64(e, "nr", r->nr);
	event_str(e, "name", name ? name : "?");
	event_list_begin(e, "args");
	for (unsigned i = 0; i < ARRAY_SIZE(r->arg); i++)
		event_hex(e, NULL, r->arg[i]);
	event_list_end(e);
	event_u64(e, "start_ns", r->start_ns);
	if (r->done) {
		event_s64(e, "result", r->result);
		event_u64(e, "end_ns", r->end_ns);
	}
	event_object_end(e);
}

/* From the last one back: what comes first is not lost when the line is cut. */
void crash_put_syscalls(struct crash *c, const struct crash_calls *calls)
{
	event_list_begin(c->e, "syscalls");
	for (unsigned i = calls->n; i-- > 0;)
		crash_put_call(c->e, &calls->r[i]);
	event_list_end(c->e);
}

/* --- mappings --- */

static void put_map(struct event *e, const struct vma *v, char *buf, size_t size)
{
	char perms[8];
	const char *name = proc_vma_name(v, v->mm);
	size_t len;

	if (v->file && !name)
		name = file_path(v->file, buf, size);
	len = name ? strlen(name) : 0;
	scnprintf(perms, sizeof(perms), "%c%c%c%c%s", v->flags & VM_READ ? 'r' : '-',
		  v->flags & VM_WRITE ? 'w' : '-', v->flags & VM_EXEC ? 'x' : '-',
		  v->flags & VM_SHARED ? 's' : 'p', v->flags & VM_GROWSDOWN ? "d" : "");
	event_object_begin(e, NULL);
	event_hex(e, "start", v->start);
	event_hex(e, "end", v->end);
	event_str(e, "perms", perms);
	if (v->file) {
		event_hex(e, "offset", v->pgoff << 12);
		event_hex(e, "file_size", file_size(v->file));
	}
	if (len)
		event_str(e, "name", len > MAP_NAME_MAX ? name + len - MAP_NAME_MAX : name);
	event_object_end(e);
}

/* Is it, or one beside it, what the crash is about? */
static bool of_interest(const struct crash *c, const struct vma *v)
{
	uptr_t at[] = { c->ip, regs_sp(c->regs), regs_fp(c->regs), c->info->si_addr };
	unsigned n = ARRAY_SIZE(at) - !crash_is_fault(c->info);

	for (unsigned i = 0; i < n; i++)
		if (at[i] + MM_STACK_GAP >= v->start && at[i] < v->end + MM_STACK_GAP)
			return true;
	return false;
}

/* The lowest ones, and of the others those of interest. */
void crash_put_maps(struct crash *c, char *buf, size_t size)
{
	unsigned shown = 0, keep = MAPS_MAX;
	struct mm *mm = current->mm;

	for (struct vma *v = vma_find(mm, 0); v; v = vma_next(v))
		keep -= keep > MAPS_MAX / 2 && of_interest(c, v);
	event_u64(c->e, "maps_total", mm->nr_vmas);
	event_list_begin(c->e, "maps");
	for (struct vma *v = vma_find(mm, 0); v && shown < MAPS_MAX; v = vma_next(v)) {
		if (!of_interest(c, v)) {
			if (!keep)
				continue;
			keep--;
		}
		put_map(c->e, v, buf, size);
		shown++;
	}
	event_list_end(c->e);
}
