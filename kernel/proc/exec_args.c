/*
 * The strings that a program is started with. They are copied once from the caller into one buffer, in the
 * order in which they will lie on the new stack: argv, envp, then the path for AT_EXECFN. The limits are
 * those of execve(2): 128 KiB each, and all with their pointers a quarter of RLIMIT_STACK, at most 6 MiB.
 */
#include "internal.h"
#include <arch/uaccess.h>
#include <mm/vmalloc.h>

#define ARGS_FIRST 4096u
#define ARGS_MAX (6u << 20)
#define ARGS_MIN (128u << 10)
#define VMALLOC_FROM (128u << 10)

static char *buffer_alloc(size_t size)
{
	return size > VMALLOC_FROM ? vmalloc(size) : kmalloc(size, ALLOC_USER);
}

static void buffer_free(char *p, size_t size)
{
	if (size > VMALLOC_FROM)
		vfree(p);
	else
		kfree(p);
}

void exec_args_free(struct exec *e)
{
	if (e->args)
		buffer_free(e->args, e->args_size);
	e->args = NULL;
}

static size_t limit(const struct exec *e)
{
	u64 max = min(proc_limit(RLIMIT_STACK) / 4, (u64)ARGS_MAX);
	u64 pointers = ((u64)e->argc + e->envc) * sizeof(u64);

	max = max_t(u64, max, ARGS_MIN);
	return max > pointers ? max - pointers : 0;
}

/* Room for n more bytes. */
static int reserve(struct exec *e, size_t n)
{
	size_t size = max_t(size_t, e->args_size, ARGS_FIRST);
	char *p;

	if (e->args_len + n <= e->args_size)
		return 0;
	while (size < e->args_len + n)
		size *= 4;
	p = buffer_alloc(size);
	if (!p)
		return -ENOMEM;
	if (e->args) {
		memcpy(p, e->args, e->args_len);
		buffer_free(e->args, e->args_size);
	}
	e->args = p;
	e->args_size = size;
	return 0;
}

static int add_kernel(struct exec *e, const char *s)
{
	size_t n = strlen(s) + 1;
	int error;

	if (n > EXEC_STRING_MAX || e->args_len + n > limit(e))
		return -E2BIG;
	error = reserve(e, n);
	if (error)
		return error;
	memcpy(e->args + e->args_len, s, n);
	e->args_len += n;
	return 0;
}

static int add_user(struct exec *e, uptr_t s)
{
	for (;;) {
		size_t room = min_t(size_t, e->args_size - e->args_len, EXEC_STRING_MAX);
		ssize_t n = room ? copy_string_from_user(e->args + e->args_len, s, room)
				 : -ENAMETOOLONG;
		int error;

		if (n >= 0) {
			e->args_len += (size_t)n + 1;
			return e->args_len > limit(e) ? -E2BIG : 0;
		}
		if (n != -ENAMETOOLONG)
			return (int)n;
		if (room == EXEC_STRING_MAX || e->args_len + room > limit(e))
			return -E2BIG;
		error = reserve(e, room + 1);
		if (error)
			return error;
	}
}

/* Strings until the vector's end; *count of them. */
static int add_vector(struct exec *e, const struct arg_source *v, unsigned *count)
{
	for (;; ++*count) {
		int error;

		if (v->kernel) {
			if (!v->kernel[*count])
				return 0;
			error = add_kernel(e, v->kernel[*count]);
		} else {
			u64 p;

			if (!v->user)
				return 0;
			if (get_user_u64(&p, v->user + *count * sizeof(p)))
				return -EFAULT;
			if (!p)
				return 0;
			error = add_user(e, p);
		}
		if (error)
			return error;
	}
}

int exec_args_copy(struct exec *e, const struct arg_source *argv, const struct arg_source *envp)
{
	int error = reserve(e, 1);

	if (!error)
		error = add_vector(e, argv, &e->argc);
	if (!error && !e->argc) { /* programs rely on argv[0] */
		e->argc = 1;
		error = add_kernel(e, "");
	}
	e->env_at = e->args_len;
	if (!error)
		error = add_vector(e, envp, &e->envc);
	e->path_at = e->args_len;
	if (!error)
		error = add_kernel(e, e->path);
	return error;
}

int exec_args_script(struct exec *e, const char *interp, const char *arg, const char *script)
{
	const char *first[3] = { interp, arg ? arg : script, arg ? script : NULL };
	size_t old = strlen(e->args) + 1, n = 0;
	char *to;
	int error;

	for (unsigned i = 0; i < 3 && first[i]; i++)
		n += strlen(first[i]) + 1;
	e->argc += arg ? 2 : 1;
	if (e->args_len + n - old > limit(e))
		return -E2BIG;
	error = reserve(e, n);
	if (error)
		return error;
	memmove(e->args + n, e->args + old, e->args_len - old);
	to = e->args;
	for (unsigned i = 0; i < 3 && first[i]; i++) {
		size_t len = strlen(first[i]) + 1;

		memcpy(to, first[i], len);
		to += len;
	}
	e->args_len += n - old;
	e->env_at += n - old;
	e->path_at += n - old;
	return 0;
}
