/* For the stages of processes: code that runs as a process, programs made from bytes. */
#pragma once
#include "../../proc/internal.h"
#include <debug/stage.h>
#include <uapi/elf.h>

/* Runs fn as a new process of the kernel's (no user memory), and gives its result as that of the stage. */
int proc_test_in_process(struct stage *s, int (*fn)(struct stage *s));

/* Programs, from arch/<port>/ktest/user_code.S. */
#define USER_CODES(X)                                                                              \
	X(exit42) X(argc) X(fault) X(privileged) X(illegal) X(spin) X(fork) X(handler) X(calls)
#define USER_CODE_DECLARE(name) extern const u8 user_code_##name[], user_code_##name##_end[];
USER_CODES(USER_CODE_DECLARE)
/* What the port makes of an instruction that programs may not execute. */
extern const u32 user_code_privileged_signal;

#define PROC_TEST_BASE 0x400000ul

/* A static program of one segment: headers and code, in buf (a page). Its size. */
size_t proc_test_make_elf(u8 *buf, const u8 *code, const u8 *end);
/* Writes a file that may be executed. 0, -EXXX. */
int proc_test_write_file(const char *path, const void *data, size_t n);
/* Makes the program and runs it with argv[0] its path: its wait status. 0, -EXXX. */
int proc_test_run(const u8 *code, const u8 *end, u32 *status);
#define PROC_TEST_RUN(name, status)                                                                \
	proc_test_run(user_code_##name, user_code_##name##_end, (status))
/* Starts it, not waited for; reference in *out; proc_test_end() kills and reaps it. */
int proc_test_start(const u8 *code, const u8 *end, struct proc **out);
#define PROC_TEST_START(name, out) proc_test_start(user_code_##name, user_code_##name##_end, (out))
u32 proc_test_end(struct proc *p);
void proc_test_sleep_ms(unsigned ms);
