/* What the files that make a crash report share. */
#pragma once
#include "internal.h"
#include <debug/event.h>
#include <proc/crash.h>

struct crash {
	struct event *e;
	const struct siginfo *info;
	const struct regs *regs; /* as entry saved them */
	uptr_t ip;
	bool space; /* the address space is locked for reading */
	unsigned nr_missing;
	const char *missing[4];
};

/* crash.c: user memory that is there, without faulting: bytes read. */
size_t crash_read_user(void *dst, uptr_t src, size_t n);
/* report.c */
bool crash_is_fault(const struct siginfo *info); /* this thread did it, si_addr is meant */
const char *crash_reason(const struct siginfo *info);
void crash_log(const struct siginfo *info, const char *note); /* the line in the log */
/* crash_parts.c */
void crash_put_call(struct event *e, const struct syscall_record *r);
void crash_put_stack(struct crash *c); /* the calls that led here */
void crash_put_syscalls(struct crash *c, const struct crash_calls *calls);
void crash_put_maps(struct crash *c, char *buf, size_t size); /* the address space is locked */
