/*
 * The tests of the `user` stages. TEST(id, "title") { ... } defines one; it passes by returning. A failed
 * CHECK prints its place and the values on stderr and ends the process with 1; SKIP(why) ends it with 4.
 * The same binary runs on Linux, which says what is right.
 *
 * A test runs in a directory of its own. Tests must not depend on the load of the machine: times have
 * lower bounds only, waiting is for events.
 */
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct stage_test {
	const char *id, *title;
	void (*fn)(void);
};

#define TEST(id_, title_)                                                                          \
	static void test_##id_(void);                                                              \
	static const struct stage_test desc_##id_ = { #id_, title_, test_##id_ };                  \
	static const struct stage_test *const ptr_##id_                                            \
		__attribute__((used, section("stagetests"))) = &desc_##id_;                        \
	static void test_##id_(void)

/* A program within the program: `stagetest --child NAME ARGS...` calls it with argv[0] the name. */
struct stage_child {
	const char *name;
	int (*fn)(int argc, char **argv);
};
#define CHILD_PROGRAM(name_)                                                                       \
	static int child_##name_(int argc, char **argv);                                           \
	static const struct stage_child cdesc_##name_ = { #name_, child_##name_ };                 \
	static const struct stage_child *const cptr_##name_                                        \
		__attribute__((used, section("stagechildren"))) = &cdesc_##name_;                  \
	static int child_##name_(int argc, char **argv)

_Noreturn void test_fail(const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
_Noreturn void test_skip(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
extern int verbose; /* -v */

#define FAIL(...) test_fail(__FILE__, __LINE__, __VA_ARGS__)
#define SKIP(...) test_skip(__VA_ARGS__)
#define CHECK(cond)                                                                                \
	do {                                                                                       \
		if (!(cond))                                                                       \
			FAIL("%s (errno %d)", #cond, errno);                                       \
	} while (0)
#define CHECK_EQ(a, b)                                                                             \
	do {                                                                                       \
		long long a_ = (long long)(a), b_ = (long long)(b);                                \
		if (a_ != b_)                                                                      \
			FAIL("%s is %lld (0x%llx), expected %s: %lld (0x%llx)", #a, a_,            \
			     (unsigned long long)a_, #b, b_, (unsigned long long)b_);              \
	} while (0)
#define CHECK_GE(a, b)                                                                             \
	do {                                                                                       \
		long long a_ = (long long)(a), b_ = (long long)(b);                                \
		if (a_ < b_)                                                                       \
			FAIL("%s is %lld, expected at least %s: %lld", #a, a_, #b, b_);            \
	} while (0)
#define CHECK_STR(a, b)                                                                            \
	do {                                                                                       \
		const char *a_ = (a), *b_ = (b);                                                   \
		if (strcmp(a_, b_) != 0)                                                           \
			FAIL("%s is \"%s\", expected \"%s\"", #a, a_, b_);                         \
	} while (0)
/* The call fails, with this error. */
#define CHECK_ERRNO(expr, err)                                                                     \
	do {                                                                                       \
		long r_;                                                                           \
		errno = 0;                                                                         \
		r_ = (long)(expr);                                                                 \
		if (r_ != -1 || errno != (err))                                                    \
			FAIL("%s returned %ld, errno %d (%s); expected -1, %s", #expr, r_, errno,  \
			     strerror(errno), #err);                                               \
	} while (0)
/* The call succeeds; its value. */
#define OK(expr)                                                                                   \
	({                                                                                         \
		__typeof__(expr) v_ = (expr);                                                      \
		if ((long)v_ == -1)                                                                \
			FAIL("%s failed, errno %d (%s)", #expr, errno, strerror(errno));           \
		v_;                                                                                \
	})

#ifndef SS_AUTODISARM /* a flag of sigaltstack(2) that not every C library names */
#define SS_AUTODISARM (1u << 31)
#endif
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define PAGE 4096ul

/* fork() whose child dies with this process; flushes nothing. Fails the test on error. */
pid_t xfork(void);
/* The wait status of one child. */
int xwait(pid_t pid);
/* The child ends by exit with this code, by this signal. */
#define CHECK_EXITS(pid, code)                                                                     \
	do {                                                                                       \
		int st_ = xwait(pid);                                                              \
		if (!WIFEXITED(st_) || WEXITSTATUS(st_) != (code))                                 \
			FAIL("child's wait status is 0x%x, expected exit %d", st_, (int)(code));   \
	} while (0)
#define CHECK_KILLED(pid, sig)                                                                     \
	do {                                                                                       \
		int st_ = xwait(pid);                                                              \
		if (!WIFSIGNALED(st_) || WTERMSIG(st_) != (sig))                                   \
			FAIL("child's wait status is 0x%x, expected signal %d", st_, (int)(sig));  \
	} while (0)

/* A gate between processes: gate_wait() returns after gate_open(), once for each. */
struct gate {
	int fds[2];
};
void gate_init(struct gate *g);
void gate_open(struct gate *g);
void gate_wait(struct gate *g);

uint64_t now_ns(void); /* CLOCK_MONOTONIC */
void sleep_ms(unsigned ms);
/* Waits until pid is asleep in the kernel (state S, D or T in /proc); without /proc, a while. */
void wait_until_asleep(pid_t pid);
/* A new file with this text; an open descriptor of a new empty file. */
void make_file(const char *path, const char *text);
int temp_fd(void);
/* The file as a string, at most size - 1 bytes; its length. */
size_t read_text(const char *path, char *buf, size_t size);
/* The value of "Key:" in a /proc status file, or -1. */
long proc_status_field(const char *path, const char *key);
/* Installs a handler with flags; 0 mask. */
void on_signal(int sig, void (*handler)(int), int flags);
void on_siginfo(int sig, void (*handler)(int, siginfo_t *, void *), int flags);
/* Gives up root for good in this process: uid and gid 65534, no groups. */
void become_nobody(void);
const char *self_path(void); /* of this program */
/* An address where nothing is mapped, one page. */
void *bad_address(void);
/* Start of fork + exec of this program; out: read end of its stdout. The pid. */
pid_t spawn_self(int *out, const char *const argv[], char *const envp[]);
/* The same of `stagetest --child NAME args`. */
pid_t spawn_child(int *out, const char *const argv[]);
