/* See proc_test.h. */
#include "proc_test.h"
#include <arch/thread.h>
#include <asm/abi.h>
#include <core/time.h>
#include <fs/vfs.h>
#include <lib/format.h>
#include <uapi/fcntl.h>

#define LIMIT_NS (10 * NSEC_PER_SEC)

struct job {
	struct stage *stage;
	int (*fn)(struct stage *s);
	int result;
};

static void run_job(void *arg)
{
	struct job *j = arg;

	j->result = j->fn(j->stage);
	proc_exit_group(WSTATUS_EXIT(0));
}

int proc_test_in_process(struct stage *s, int (*fn)(struct stage *s))
{
	struct job j = { s, fn, -EIO };
	struct wait_result r;
	struct files *files;
	struct proc *p;
	int error = files_create(&files);

	if (error)
		return stage_fail(s, "no file table: %d", error);
	error = proc_spawn(&kernel_proc, 0, "proc_test", run_job, &j, files, &p);
	if (error) {
		files_put(files);
		return stage_fail(s, "no process: %d", error);
	}
	proc_wait_kernel(&kernel_proc, p->pid, TIME_NEVER, &r);
	proc_put(p);
	return j.result;
}

size_t proc_test_make_elf(u8 *buf, const u8 *code, const u8 *end)
{
	struct elf64_ehdr *h = (struct elf64_ehdr *)buf;
	struct elf64_phdr *ph = (struct elf64_phdr *)(h + 1);
	size_t at = sizeof(*h) + sizeof(*ph), n = at + (size_t)(end - code);

	memset(buf, 0, PAGE_SIZE);
	memcpy(h->e_ident, ELF_MAGIC, 4);
	h->e_ident[EI_CLASS] = ELFCLASS64;
	h->e_ident[EI_DATA] = ELFDATA2LSB;
	h->e_ident[EI_VERSION] = EV_CURRENT;
	h->e_type = ET_EXEC;
	h->e_machine = ELF_MACHINE;
	h->e_version = EV_CURRENT;
	h->e_entry = PROC_TEST_BASE + at;
	h->e_phoff = sizeof(*h);
	h->e_ehsize = sizeof(*h);
	h->e_phentsize = sizeof(*ph);
	h->e_phnum = 1;
	*ph = (struct elf64_phdr){ .p_type = PT_LOAD,
				   .p_flags = PF_R | PF_X,
				   .p_vaddr = PROC_TEST_BASE,
				   .p_paddr = PROC_TEST_BASE,
				   .p_filesz = n,
				   .p_memsz = n,
				   .p_align = PAGE_SIZE };
	memcpy(buf + at, code, (size_t)(end - code));
	return n;
}

int proc_test_write_file(const char *path, const void *data, size_t n)
{
	struct file *f;
	ssize_t done;
	int error = file_open(path, O_CREAT | O_TRUNC | O_WRONLY, 0755, &f);

	if (error)
		return error;
	done = file_write_kernel(f, data, n, 0);
	file_put(f);
	return done == (ssize_t)n ? 0 : done < 0 ? (int)done : -EIO;
}

/* A file for each program: one that runs is not overwritten. */
static void program_path(char *buf, size_t size, const u8 *code)
{
	snprintf(buf, size, "/proc_test_%lx", (unsigned long)code);
}

static int write_program(const char *path, const u8 *code, const u8 *end)
{
	u8 *buf;
	struct path there;
	int error;

	if (!path_lookup(path, LOOKUP_FOLLOW, &there)) { /* written before, may be running */
		path_put(&there);
		return 0;
	}
	buf = kmalloc(PAGE_SIZE, 0);
	if (!buf)
		return -ENOMEM;
	error = proc_test_write_file(path, buf, proc_test_make_elf(buf, code, end));
	kfree(buf);
	return error;
}

int proc_test_run(const u8 *code, const u8 *end, u32 *status)
{
	char path[32];
	const char *argv[] = { path, "a", "b", NULL };
	int error;

	program_path(path, sizeof(path), code);
	error = write_program(path, code, end);
	return error ? error : stage_run_program(argv, LIMIT_NS, status);
}

static void exec_program(void *code)
{
	char path[32];
	char *const argv[] = { path, NULL };
	char *const envp[] = { NULL };

	program_path(path, sizeof(path), code);
	if (!proc_exec(path, argv, envp))
		arch_enter_user();
	proc_exit_group(WSTATUS_EXIT(127));
}

int proc_test_start(const u8 *code, const u8 *end, struct proc **out)
{
	struct files *files;
	char path[32];
	int error;

	program_path(path, sizeof(path), code);
	error = write_program(path, code, end);
	if (!error)
		error = files_create(&files);
	if (error)
		return error;
	error = proc_spawn(&kernel_proc, 0, "proc_test", exec_program, (void *)code, files, out);
	if (error)
		files_put(files);
	return error;
}

u32 proc_test_end(struct proc *p)
{
	struct wait_result r = { .status = ~0u };

	signal_send_kernel(p, SIGKILL);
	proc_wait_kernel(&kernel_proc, p->pid, time_monotonic_ns() + LIMIT_NS, &r);
	proc_put(p);
	return r.status;
}

void proc_test_sleep_ms(unsigned ms)
{
	sched_sleep_until(time_monotonic_ns() + ms * NSEC_PER_MSEC, false);
}
