/*
 * What only x86_64 has: frames forged for sigreturn, addresses no page table can map, single steps, segment
 * bases, 32-bit code, vector registers across handlers. Most of it must end the program that tries, and
 * nothing else.
 */
#include "../catch.h"
#include "port.h"
#include <asm/prctl.h>
#include <cpuid.h>
#include <ucontext.h>

#define NON_CANONICAL 0x8000000000000000ul

static volatile int codes[64];
static volatile long traps[64], errors[64], addresses[64];

static void note(int sig, siginfo_t *si, void *ctx)
{
	ucontext_t *uc = ctx;

	if (hits < 64) {
		codes[hits] = si->si_code;
		traps[hits] = uc->uc_mcontext.gregs[REG_TRAPNO];
		errors[hits] = uc->uc_mcontext.gregs[REG_ERR];
		addresses[hits] = uc->uc_mcontext.gregs[REG_CR2];
	}
	hits++;
	if (sig == SIGSEGV || sig == SIGILL)
		uc->uc_mcontext.gregs[REG_RIP] += 2;
}

TEST(x86_trap_numbers,
     "a handler finds vector, error code and address of the exception in its frame")
{
	char *none = bad_address();
	long unused;

	on_siginfo(SIGSEGV, note, 0);
	on_siginfo(SIGILL, note, 0);
	__asm__ volatile("movb (%1), %%al" : "=a"(unused) : "b"(none + 5));
	CHECK(codes[0] == SEGV_MAPERR && traps[0] == 14 && errors[0] == 4 &&
	      addresses[0] == (long)(none + 5));
	__asm__ volatile("movb %%al, (%0)" : : "b"(none));
	CHECK(traps[1] == 14 && errors[1] == 6);
	__asm__ volatile("movb (%1), %%al" : "=a"(unused) : "b"(0xffffffff80000000ul));
	CHECK(codes[2] == SEGV_MAPERR && traps[2] == 14 && errors[2] == 5);
	__asm__ volatile("movb (%1), %%al" : "=a"(unused) : "b"(NON_CANONICAL));
	CHECK(codes[3] == SI_KERNEL && traps[3] == 13);
	__asm__ volatile("ud2");
	CHECK(codes[4] == ILL_ILLOPN && traps[4] == 6);
	CHECK_EQ(hits, 5);
}

TEST(x86_single_step, "the trap flag stops after each instruction, system calls included")
{
	long rax = SYS_getpid;

	on_siginfo(SIGTRAP, note, 0);
	__asm__ volatile("pushfq; orq $0x100, (%%rsp); popfq; nop; syscall; nop; nop; pushfq;"
			 "andq $~0x100, (%%rsp); popfq"
			 : "+a"(rax)
			 :
			 : "rcx", "r11", "memory", "cc");
	CHECK_EQ(rax, getpid());
	CHECK(hits >= 6 && hits <= 8);
	for (int i = 0; i < hits; i++)
		CHECK(codes[i] == TRAP_TRACE && traps[i] == 1);
}

enum forgery {
	HEADER_BITS,
	HEADER_COMPACT,
	BAD_MXCSR,
	NO_MAGIC,
	NO_STATE,
	UNALIGNED,
	OUT_OF_REACH,
	BAD_IP,
	KERNEL_IP,
	KERNEL_SEGMENT,
	ALL_FLAGS,
	FORGERIES
};

static volatile enum forgery forgery;

static void forge(int sig, siginfo_t *si, void *ctx)
{
	ucontext_t *uc = ctx;
	greg_t *r = uc->uc_mcontext.gregs;
	char *fp = (char *)uc->uc_mcontext.fpregs;
	uint32_t size;

	(void)sig, (void)si;
	memcpy(&size, fp + 480, sizeof(size));
	switch (forgery) {
	case HEADER_BITS: memset(fp + 512, 0xff, 8); break;
	case HEADER_COMPACT: memset(fp + 528, 0xff, 48); break;
	case BAD_MXCSR: memset(fp + 24, 0xff, 4); break;
	case NO_MAGIC: memset(fp + size, 0, 4); break;
	case NO_STATE: uc->uc_mcontext.fpregs = NULL; break;
	case UNALIGNED: uc->uc_mcontext.fpregs = (void *)(fp + 8); break;
	case OUT_OF_REACH: uc->uc_mcontext.fpregs = (void *)0xffffffff80000000ul; break;
	case BAD_IP: r[REG_RIP] = (greg_t)NON_CANONICAL; break;
	case KERNEL_IP: r[REG_RIP] = (greg_t)0xffffffff80000000ul; break;
	case KERNEL_SEGMENT: r[REG_CSGSFS] = 0x0018000000000010; break;
	default: r[REG_EFL] = ~0ul; break;
	}
}

/* May end by a signal, or go on: but as an unprivileged program. */
static _Noreturn void forge_one(void)
{
	unsigned long flags;

	on_siginfo(SIGUSR1, forge, 0);
	on_signal(SIGTRAP, SIG_IGN, 0);
	raise(SIGUSR1);
	__asm__ volatile("pushfq; popq %0" : "=r"(flags));
	_exit(flags & 0x3000 || !(flags & 0x200));
}

TEST(x86_forged_frames,
     "frames forged for sigreturn end the program or do nothing, never the kernel")
{
	for (volatile int i = 0; i < FORGERIES; i++) {
		pid_t pid;
		int status;

		forgery = i;
		pid = xfork();
		if (!pid)
			forge_one();
		status = xwait(pid);
		if (WIFEXITED(status) ? WEXITSTATUS(status)
				      : WTERMSIG(status) != SIGSEGV && WTERMSIG(status) != SIGTRAP)
			FAIL("forgery %d: wait status 0x%x", i, status);
		if ((i == BAD_IP || i == KERNEL_IP || i == OUT_OF_REACH) && !WIFSIGNALED(status))
			FAIL("forgery %d went unnoticed", i);
	}
}

TEST(x86_bad_handler, "a handler at an address that cannot be is SIGSEGV")
{
	static const unsigned long where[] = { NON_CANONICAL, 0x00007ffffffff000,
					       0x0000800000000000, 0xffffffff80000000 };

	for (size_t i = 0; i < ARRAY_SIZE(where); i++)
		check_bad_handler(where[i]);
}

static char *volatile frame_at;

static void find_frame(int sig, siginfo_t *si, void *uc)
{
	(void)sig, (void)si;
	frame_at = PORT_FRAME_START(si, uc);
}

/* Where the frame of SIGUSR1 begins if it comes while the stack pointer is this. */
static char *frame_from(char *sp)
{
	long rax = SYS_kill;

	frame_at = NULL;
	__asm__ volatile("movq %%rsp, %%rbx; movq %3, %%rsp; syscall; movq %%rbx, %%rsp"
			 : "+a"(rax)
			 : "D"((long)getpid()), "S"((long)SIGUSR1), "r"(sp)
			 : "rbx", "rcx", "r11", "memory");
	CHECK_EQ(rax, 0);
	return frame_at;
}

TEST(x86_altstack_red_zone, "the red zone counts when a frame is put on the alternate stack")
{
	static char area[4][16384] __attribute__((aligned(4096)));
	char *base = area[2], *end = area[3];
	char *top;

	OK(sigaltstack(&(stack_t){ base, 0, (size_t)(end - base) }, NULL));
	on_siginfo(SIGUSR1, find_frame, SA_ONSTACK);
	top = frame_from(area[1]);
	CHECK(top > base && top < end);
	CHECK(frame_from(top) < top); /* on it: goes on below */
	CHECK(frame_from(base + 128) == top); /* nothing of it is left: from its end again */
	CHECK(frame_from(end + 64) < top); /* below the red zone it is on it */
	CHECK(frame_from(end + 192) == top);
}

TEST(x86_segment_bases, "arch_prctl sets the bases of FS and GS for this thread alone")
{
	static uint64_t words[2] = { 0x1122334455667788, 99 };
	unsigned long fs = 0, gs = 0;
	uint64_t seen;
	pid_t pid;

	OK(syscall(SYS_arch_prctl, ARCH_GET_FS, &fs));
	CHECK(fs != 0);
	OK(syscall(SYS_arch_prctl, ARCH_SET_GS, words));
	OK(syscall(SYS_arch_prctl, ARCH_GET_GS, &gs));
	CHECK_EQ(gs, (unsigned long)words);
	pid = xfork();
	if (!pid) {
		__asm__ volatile("movq %%gs:0, %0" : "=r"(seen));
		CHECK_EQ(seen, words[0]);
		OK(syscall(SYS_arch_prctl, ARCH_SET_GS, words + 1));
		for (int i = 0; i < 100; i++)
			syscall(SYS_sched_yield);
		__asm__ volatile("movq %%gs:0, %0" : "=r"(seen));
		CHECK_EQ(seen, words[1]);
		_exit(5);
	}
	for (int i = 0; i < 100; i++) {
		syscall(SYS_sched_yield);
		__asm__ volatile("movq %%gs:0, %0" : "=r"(seen));
		CHECK_EQ(seen, words[0]);
	}
	CHECK_EXITS(pid, 5);
	CHECK_ERRNO(syscall(SYS_arch_prctl, ARCH_SET_GS, 0xffffffff80000000ul), EPERM);
	CHECK_ERRNO(syscall(SYS_arch_prctl, ARCH_SET_FS, NON_CANONICAL), EPERM);
	CHECK_ERRNO(syscall(SYS_arch_prctl, 0x7777, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_arch_prctl, ARCH_GET_FS, bad_address()), EFAULT);
}

TEST(x86_wide_number, "the number of a system call is 32 bits wide")
{
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(0x700000000l + SYS_getpid)
			 : "rcx", "r11", "memory");
	CHECK_EQ(result, getpid());
	__asm__ volatile("syscall" : "=a"(result) : "a"(-1l) : "rcx", "r11", "memory");
	CHECK_EQ(result, -ENOSYS);
	__asm__ volatile("syscall" : "=a"(result) : "a"(0x7fffffffl) : "rcx", "r11", "memory");
	CHECK_EQ(result, -ENOSYS);
}

/* mov $20,%eax; syscall; then the same by int $0x80 and sysenter; at the end an illegal instruction. */
TEST(x86_compat_code, "32-bit code cannot do more than 64-bit code")
{
	static const uint8_t call32[][16] = {
		{ 0xb8, 20, 0, 0, 0, 0x0f, 0x05, 0x0f, 0x0b },
		{ 0xb8, 20, 0, 0, 0, 0xcd, 0x80, 0x0f, 0x0b },
		{ 0xb8, 20, 0, 0, 0, 0x0f, 0x34, 0x0f, 0x0b },
	};
	uint8_t *low = mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	CHECK(low != MAP_FAILED);
	for (size_t i = 0; i < ARRAY_SIZE(call32); i++) {
		pid_t pid = xfork();

		if (!pid) {
			struct {
				uint32_t ip;
				uint16_t cs;
			} __attribute__((packed)) target = { (uint32_t)(uintptr_t)low, 0x23 };

			memcpy(low, call32[i], sizeof(call32[i]));
			__asm__ volatile("xorl %%ebp, %%ebp; ljmpl *%0"
					 :
					 : "m"(target)
					 : "memory", "rax", "rcx", "rdx");
		}
		CHECK(WIFSIGNALED(xwait(pid)));
	}
}

static void wipe_vectors(int sig)
{
	(void)sig;
	hits++;
	__asm__ volatile("vzeroall");
}

TEST(x86_avx_signal, "all of a wide vector register comes through a handler and a sleep")
{
	unsigned a, b, c, d;
	uint64_t in[4] = { 1, 22, 333, 4444 }, out[4];
	long rax;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_AVX) || !(c & bit_OSXSAVE))
		SKIP("no AVX");
	on_signal(SIGUSR1, wipe_vectors, 0);
	for (int i = 1; i <= 10; i++) {
		rax = SYS_kill;
		__asm__ volatile(
			"vmovups %2, %%ymm9; syscall; movl $24, %%eax; syscall; vmovups %%ymm9, %1; vzeroupper"
			: "+a"(rax), "=m"(out)
			: "m"(in), "D"((long)getpid()), "S"((long)SIGUSR1)
			: "rcx", "r11", "memory", "xmm9");
		CHECK_EQ(rax, 0);
		CHECK_EQ(hits, i);
		CHECK(memcmp(in, out, sizeof(in)) == 0);
		in[i % 4] += (uint64_t)i << 40;
	}
}
