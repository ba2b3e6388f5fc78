/* Mapping, unmapping, protection, the heap. */
#include "stagetest.h"
#include "port.h"
#include <setjmp.h>
#include <sys/resource.h>

static sigjmp_buf jump;

static void catch (int sig)
{
	siglongjmp(jump, sig);
}

/* The signal that touching p gives, 0 for none. */
static int probe(volatile char *p, int write)
{
	int sig;

	on_signal(SIGSEGV, catch, 0);
	on_signal(SIGBUS, catch, 0);
	sig = sigsetjmp(jump, 1);
	if (sig == 0) {
		if (write)
			*p = 1;
		else
			(void)*p;
	}
	return sig;
}

static char *map_anon(size_t len, int prot)
{
	char *p = mmap(NULL, len, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		FAIL("mmap of %zu: %s", len, strerror(errno));
	return p;
}

#define RW (PROT_READ | PROT_WRITE)

TEST(mmap_anon, "anonymous memory is zero, writable, and gone after munmap")
{
	char *p = map_anon(4 * PAGE + 1, RW);

	CHECK_EQ((uintptr_t)p % PAGE, 0);
	for (size_t i = 0; i < 5 * PAGE; i++)
		CHECK_EQ(p[i], 0);
	memset(p, 0x5a, 5 * PAGE);
	OK(munmap(p, 4 * PAGE + 1));
	CHECK_EQ(probe(p, 0), SIGSEGV);
	CHECK_EQ(probe(p + 4 * PAGE, 0), SIGSEGV);
	CHECK_ERRNO(mmap(NULL, 0, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), EINVAL);
	CHECK_ERRNO(mmap(NULL, PAGE, RW, MAP_ANONYMOUS, -1, 0),
		    EINVAL); /* neither shared nor private */
	CHECK_ERRNO(mmap(NULL, PAGE, RW, MAP_PRIVATE, -1, 0), EBADF);
	CHECK_ERRNO(munmap(p + 1, PAGE), EINVAL);
	CHECK_ERRNO(munmap(p, 0), EINVAL);
	OK(munmap(p, PAGE)); /* nothing there: no error */
	CHECK_ERRNO(mmap(NULL, 1ul << 62, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
}

TEST(mmap_fixed, "MAP_FIXED replaces what is there; NOREPLACE refuses; a hint is followed")
{
	char *p = map_anon(4 * PAGE, RW), *q;

	memset(p, 1, 4 * PAGE);
	q = mmap(p + PAGE, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	CHECK(q == p + PAGE);
	CHECK(p[0] == 1 && p[PAGE] == 0 && p[2 * PAGE] == 1);
	CHECK_ERRNO(mmap(p + 1, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), EINVAL);
	CHECK_ERRNO(mmap(p, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0),
		    EEXIST);
	OK(munmap(p, 4 * PAGE));
	q = mmap(p, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	CHECK(q == p);
	q = mmap(p + 2 * PAGE, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		 0); /* free: taken as asked */
	CHECK(q == p + 2 * PAGE);
	q = mmap(p, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); /* taken: elsewhere */
	CHECK(q != MAP_FAILED && q != p);
	CHECK_ERRNO(mmap((void *)0xffff800000000000ul, PAGE, RW,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
		    ENOMEM);
}

TEST(munmap_split, "unmapping the middle leaves both ends; one call spans several areas")
{
	char *p = map_anon(9 * PAGE, RW);

	for (int i = 0; i < 9; i++)
		p[(size_t)i * PAGE] = (char)(i + 1);
	OK(munmap(p + 3 * PAGE, 2 * PAGE));
	CHECK(p[2 * PAGE] == 3 && p[5 * PAGE] == 6);
	CHECK_EQ(probe(p + 3 * PAGE, 0), SIGSEGV);
	CHECK_EQ(probe(p + 5 * PAGE - 1, 0), SIGSEGV);
	OK(munmap(p + 2 * PAGE, 5 * PAGE)); /* over the hole */
	CHECK(p[PAGE] == 2 && p[7 * PAGE] == 8);
	CHECK_EQ(probe(p + 2 * PAGE, 0), SIGSEGV);
	CHECK_EQ(probe(p + 6 * PAGE, 0), SIGSEGV);
}

TEST(mprotect_call, "mprotect takes effect at once, splits areas, and back")
{
	char *p = map_anon(5 * PAGE, RW);

	memset(p, 7, 5 * PAGE);
	OK(mprotect(p + PAGE, 2 * PAGE, PROT_READ));
	CHECK_EQ(probe(p + PAGE, 0), 0);
	CHECK_EQ(probe(p + PAGE, 1), SIGSEGV);
	CHECK_EQ(probe(p, 1), 0);
	CHECK_EQ(probe(p + 3 * PAGE, 1), 0);
	OK(mprotect(p, 5 * PAGE, PROT_NONE));
	CHECK_EQ(probe(p + PAGE, 0), SIGSEGV);
	CHECK_EQ(probe(p + 4 * PAGE, 0), SIGSEGV);
	OK(mprotect(p, 5 * PAGE, RW));
	CHECK(p[PAGE] == 7 && p[5 * PAGE - 1] == 7);
	CHECK_EQ(probe(p + PAGE, 1), 0);
	CHECK_ERRNO(mprotect(p + 1, PAGE, RW), EINVAL);
	CHECK_ERRNO(mprotect(p, PAGE, 0x80), EINVAL);
	OK(munmap(p + 2 * PAGE, PAGE));
	CHECK_ERRNO(mprotect(p, 5 * PAGE, PROT_READ), ENOMEM); /* a hole */
	CHECK_EQ(probe(p, 1), SIGSEGV); /* what lay before it was changed */
}

static void *make_code(void *p)
{
	static const unsigned char code[] = { PORT_RETURN_42 };

	memcpy(p, code, sizeof(code));
	__builtin___clear_cache(p, (char *)p + sizeof(code));
	return p;
}

TEST(mprotect_exec, "code written to memory runs only when it may be executed")
{
	void *p = make_code(map_anon(PAGE, RW));
	int (*volatile fn)(void) = (int (*)(void))(uintptr_t)p;
	int sig;

	on_signal(SIGSEGV, catch, 0);
	sig = sigsetjmp(jump, 1);
	if (sig == 0)
		FAIL("data ran as code: %d", fn());
	CHECK_EQ(sig, SIGSEGV);
	OK(mprotect(p, PAGE, PROT_READ | PROT_EXEC));
	CHECK_EQ(fn(), 42);
}

TEST(brk_semantics, "brk grows zeroed memory, shrinks, and never reports an error")
{
	char *start = (char *)syscall(SYS_brk, 0), *p;

	p = (char *)syscall(SYS_brk, start + 3 * PAGE + 100);
	CHECK(p == start + 3 * PAGE + 100);
	for (char *q = start; q < p; q++)
		CHECK_EQ(*q, 0);
	memset(start, 1, 3 * PAGE);
	CHECK((char *)syscall(SYS_brk, start) == start);
	CHECK((char *)syscall(SYS_brk, start + 2 * PAGE) == start + 2 * PAGE);
	CHECK_EQ(start[PAGE], 0); /* what was given back is not seen again */
	CHECK((char *)syscall(SYS_brk, 4096) == start + 2 * PAGE); /* refused: the break as it is */
	CHECK((char *)syscall(SYS_brk, -1l) == start + 2 * PAGE);
}

TEST(stack_grows, "the stack grows on demand, far below what is in use")
{
	size_t size = 4 << 20;
	volatile char *big = __builtin_alloca(size);

	for (size_t i = size; i > 0; i -= PAGE)
		big[i - 1] = (char)(i / PAGE);
	for (size_t i = size; i > 0; i -= PAGE)
		CHECK_EQ(big[i - 1], (char)(i / PAGE));
}

TEST(stack_limit, "the stack stops at RLIMIT_STACK")
{
	struct rlimit rl = { 1 << 20, 1 << 20 };
	pid_t pid = xfork();

	if (pid == 0) {
		size_t size = 3 << 20;
		volatile char *big;

		OK(setrlimit(RLIMIT_STACK, &rl));
		big = __builtin_alloca(size);
		for (size_t i = size; i > 0; i -= PAGE)
			big[i - 1] = 1;
		_exit(0);
	}
	CHECK_KILLED(pid, SIGSEGV);
}

TEST(mremap_basic, "mremap shrinks, grows, moves with its content")
{
	char *p = map_anon(2 * PAGE, RW), *q, *r;

	memset(p, 3, 2 * PAGE);
	q = mremap(p, 2 * PAGE, 64 * PAGE, MREMAP_MAYMOVE);
	CHECK(q != MAP_FAILED);
	CHECK(q[0] == 3 && q[2 * PAGE - 1] == 3 && q[2 * PAGE] == 0 && q[64 * PAGE - 1] == 0);
	q[63 * PAGE] = 9;
	CHECK(mremap(q, 64 * PAGE, PAGE, 0) == q);
	CHECK_EQ(probe(q + PAGE, 0), SIGSEGV);
	r = map_anon(4 * PAGE, RW);
	CHECK(mremap(q, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, r + PAGE) == r + PAGE);
	CHECK(r[PAGE] == 3 && r[2 * PAGE - 1] == 3);
	CHECK_EQ(probe(q, 0), SIGSEGV);
	CHECK_ERRNO(mremap(r, PAGE, 2 * PAGE, 0), ENOMEM); /* no room, may not move */
	CHECK_ERRNO(mremap(bad_address(), PAGE, 2 * PAGE, MREMAP_MAYMOVE), EFAULT);
	CHECK_ERRNO(mremap(r + 1, PAGE, 2 * PAGE, MREMAP_MAYMOVE), EINVAL);
	CHECK_ERRNO(mremap(r, PAGE, PAGE, MREMAP_FIXED, r), EINVAL);
}

TEST(madvise_dontneed, "MADV_DONTNEED drops pages: zeros for anonymous, the file's again for files")
{
	char *p = map_anon(4 * PAGE, RW), *f;
	int fd = temp_fd();

	memset(p, 4, 4 * PAGE);
	OK(madvise(p + PAGE, 2 * PAGE, MADV_DONTNEED));
	CHECK(p[0] == 4 && p[PAGE] == 0 && p[2 * PAGE] == 0 && p[3 * PAGE] == 4);
	p[PAGE] = 5;
	CHECK_EQ(write(fd, "file", 4), 4);
	f = mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 0);
	CHECK(f != MAP_FAILED);
	f[0] = 'X';
	OK(madvise(f, PAGE, MADV_DONTNEED));
	CHECK(memcmp(f, "file", 4) == 0);
	CHECK_ERRNO(madvise(p, PAGE, 9999), EINVAL);
	CHECK_ERRNO(madvise(p + 1, PAGE, MADV_DONTNEED), EINVAL);
	OK(munmap(p + PAGE, PAGE));
	CHECK_ERRNO(madvise(p, 3 * PAGE, MADV_DONTNEED), ENOMEM);
}

TEST(mincore, "mincore tells which pages are there")
{
	unsigned char vec[4];
	char *p = map_anon(4 * PAGE, RW);

	OK(madvise(p, 4 * PAGE, MADV_NOHUGEPAGE) == 0 || errno == EINVAL ? 0 : -1);
	p[PAGE] = 1;
	OK(mincore(p, 4 * PAGE, vec));
	CHECK(!(vec[0] & 1) && (vec[1] & 1) && !(vec[2] & 1) && !(vec[3] & 1));
	CHECK_ERRNO(mincore(bad_address(), PAGE, vec), ENOMEM);
	CHECK_ERRNO(mincore(p + 1, PAGE, vec), EINVAL);
	CHECK_ERRNO(mincore(p, PAGE, bad_address()), EFAULT);
}

TEST(mmap_lazy, "a gigabyte is mapped at once, and filled page by page")
{
	size_t size = 1ul << 30;
	char *p = mmap(NULL, size, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	long before, after;

	CHECK(p != MAP_FAILED);
	madvise(p, size, MADV_NOHUGEPAGE);
	before = proc_status_field("/proc/self/status", "VmRSS");
	for (size_t i = 0; i < 64; i++)
		p[i * (size / 64)] = (char)(i + 1);
	for (size_t i = 0; i < 64; i++)
		CHECK_EQ(p[i * (size / 64)], (char)(i + 1));
	after = proc_status_field("/proc/self/status", "VmRSS");
	CHECK(before > 0 && after >= before + 200 && after < before + 8192); /* KiB */
	OK(munmap(p, size));
	CHECK(proc_status_field("/proc/self/status", "VmRSS") < after - 200);
}

TEST(memory_random_rw, "a megabyte of random writes reads back, through splits and protections")
{
	size_t size = 1 << 20, step;
	uint32_t *p = (uint32_t *)(void *)map_anon(size, RW), x = 12345, n = size / 4;

	for (step = 0; step < 60000; step++) {
		x = x * 1664525 + 1013904223;
		p[(x >> 8) % n] = (x >> 8) % n ^ 0xabcd1234;
		if (step % 5000 == 0) {
			char *at = (char *)p + ((x >> 10) % (size / PAGE)) * PAGE;

			OK(mprotect(at, PAGE, PROT_READ));
			OK(mprotect(at, PAGE, RW));
		}
	}
	for (uint32_t i = 0; i < n; i++)
		CHECK(p[i] == 0 || p[i] == (i ^ 0xabcd1234));
}

TEST(mmap_many_areas, "two thousand areas are found, listed and removed again")
{
	char *p = mmap(NULL, 4000 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	for (size_t i = 0; i < 4000; i += 2)
		OK(mprotect(p + i * PAGE, PAGE, RW));
	for (size_t i = 0; i < 4000; i += 2)
		p[i * PAGE] = (char)i;
	for (size_t i = 0; i < 4000; i += 2)
		CHECK_EQ(p[i * PAGE], (char)i);
	CHECK_EQ(probe(p + 1001 * PAGE, 0), SIGSEGV);
	OK(munmap(p, 4000 * PAGE));
	CHECK_EQ(probe(p + 1000 * PAGE, 0), SIGSEGV);
}
