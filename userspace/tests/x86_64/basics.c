/* Tests that every port has, in this one's instructions. */
#include "../stagetest.h"
#include <setjmp.h>
#include <ucontext.h>

static sigjmp_buf jump;
static volatile sig_atomic_t hits;
static volatile siginfo_t info;

static void catch (int sig, siginfo_t *si, void *uc)
{
	(void)uc;
	info = *si;
	hits++;
	siglongjmp(jump, sig);
}

TEST(syscall_registers, "a system call keeps all registers but its own")
{
	long out[12] = { 0 };

	__asm__ volatile(
		"mov $11, %%rbx; mov $12, %%rdi; mov $13, %%rsi; mov $14, %%rdx; mov $15, %%r8;"
		"mov $16, %%r9; mov $17, %%r10; mov $18, %%r12; mov $19, %%r13; mov $20, %%r14;"
		"mov $39, %%eax; syscall;" /* getpid */
		"mov %%rbx, 0(%%r15); mov %%rdi, 8(%%r15); mov %%rsi, 16(%%r15); mov %%rdx, 24(%%r15);"
		"mov %%r8, 32(%%r15); mov %%r9, 40(%%r15); mov %%r10, 48(%%r15); mov %%r12, 56(%%r15);"
		"mov %%r13, 64(%%r15); mov %%r14, 72(%%r15); mov %%rax, 80(%%r15)"
		:
		: "r"(({
			register long *p __asm__("r15") = out;
			p;
		}))
		: "rax", "rbx", "rdi", "rsi", "rdx", "rcx", "r8", "r9", "r10", "r11", "r12", "r13",
		  "r14", "memory");
	for (int i = 0; i < 10; i++)
		CHECK_EQ(out[i], 11 + i);
	CHECK_EQ(out[10], getpid());
}

TEST(sigfpe_sigill, "division by zero, bad instructions and breakpoints become signals")
{
	volatile int zero = 0;

	on_siginfo(SIGFPE, catch, 0);
	on_siginfo(SIGILL, catch, 0);
	on_siginfo(SIGTRAP, catch, 0);
	if (sigsetjmp(jump, 1) == 0) {
		hits = 7 / zero;
		FAIL("divided by zero");
	}
	CHECK(info.si_signo == SIGFPE && info.si_code == FPE_INTDIV);
	if (sigsetjmp(jump, 1) == 0)
		__builtin_trap();
	CHECK_EQ(info.si_signo, SIGILL);
	CHECK(info.si_addr != NULL);
	if (sigsetjmp(jump, 1) == 0)
		__asm__ volatile("int3");
	CHECK_EQ(info.si_signo, SIGTRAP);
}

TEST(privileged_instruction, "a privileged instruction is a signal, the kernel goes on")
{
	on_siginfo(SIGSEGV, catch, 0);
	if (sigsetjmp(jump, 1) == 0) {
		__asm__ volatile("hlt");
		FAIL("hlt ran");
	}
	if (sigsetjmp(jump, 1) == 0) {
		__asm__ volatile("mov %%cr3, %%rax" ::: "rax");
		FAIL("cr3 was read");
	}
	if (sigsetjmp(jump, 1) == 0) {
		__asm__ volatile("out %%al, $0x80" ::: "memory");
		FAIL("out ran");
	}
	CHECK_EQ(hits, 3);
}

static void clobber_fpu(int sig)
{
	volatile double x = 1.0;

	(void)sig;
	for (int i = 0; i < 50; i++)
		x = x * 1.7 + 3;
	__asm__ volatile(
		"pxor %%xmm0, %%xmm0; pxor %%xmm7, %%xmm7; pxor %%xmm15, %%xmm15; fninit; fldpi" ::
			: "xmm0", "xmm7", "xmm15", "st");
	hits++;
}

TEST(fpu_across_signal, "floating-point registers come through a handler unharmed")
{
	on_signal(SIGUSR1, clobber_fpu, 0);
	for (int i = 1; i <= 20; i++) {
		double a = i * 1.25, b = i / 3.0, x0 = a, x7 = b, x15 = a * b;
		long nr = SYS_kill, ret, pid = getpid(), sig = SIGUSR1;

		__asm__ volatile("movsd %1, %%xmm0; movsd %2, %%xmm7; movsd %3, %%xmm15; syscall;"
				 "movsd %%xmm0, %1; movsd %%xmm7, %2; movsd %%xmm15, %3"
				 : "=a"(ret), "+m"(x0), "+m"(x7), "+m"(x15)
				 : "0"(nr), "D"(pid), "S"(sig)
				 : "rcx", "r11", "memory", "xmm0", "xmm7", "xmm15");
		CHECK(ret == 0 && x0 == a && x7 == b && x15 == a * b);
		CHECK_EQ(hits, i);
	}
}

static void skip_write(int sig, siginfo_t *si, void *ctx)
{
	ucontext_t *uc = ctx;

	(void)sig, (void)si;
	hits++;
	uc->uc_mcontext.gregs[REG_RIP] += 3; /* the length of: movb %al,(%rbx) is 2, + nop */
	uc->uc_mcontext.gregs[REG_RAX] = 4242;
}

TEST(ucontext_change, "a handler may change the registers it returns to")
{
	unsigned long rax = 1;

	on_siginfo(SIGSEGV, skip_write, 0);
	__asm__ volatile("movb %%al, (%1); nop" : "+a"(rax) : "b"(bad_address()) : "memory");
	CHECK_EQ(hits, 1);
	CHECK_EQ(rax, 4242);
}
