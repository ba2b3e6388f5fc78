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

/* x0 to x30 but for x8 (the number) and x29 (frame pointer): 100 + their number, before and after. */
TEST(syscall_registers, "a system call keeps all registers but its own")
{
	static long out[31];
	register long *where __asm__("x28") = out;

	__asm__ volatile(
		".irp n, 0,1,2,3,4,5,6,7,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,30\n\t"
		"mov x\\n, #100 + \\n\n\t"
		".endr\n\t"
		"mov x8, %[nr]\n\t"
		"svc #0\n\t"
		".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,30\n\t"
		"str x\\n, [x28, #8 * \\n]\n\t"
		".endr"
		:
		: [nr] "i"(SYS_getpid), "r"(where)
		: "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12",
		  "x13", "x14", "x15", "x16", "x17", "x18", "x19", "x20", "x21", "x22", "x23",
		  "x24", "x25", "x26", "x27", "x30", "memory");
	CHECK_EQ(out[0], getpid());
	CHECK_EQ(out[8], SYS_getpid);
	for (int i = 1; i < 31; i++)
		if (i != 8 && i != 28 && i != 29)
			CHECK_EQ(out[i], 100 + i);
}

TEST(sigfpe_sigill, "division by zero, bad instructions and breakpoints become signals")
{
	volatile int zero = 0;

	on_siginfo(SIGILL, catch, 0);
	on_siginfo(SIGTRAP, catch, 0);
	CHECK_EQ(7 / zero, 0); /* here the CPU defines it */
	if (sigsetjmp(jump, 1) == 0)
		__asm__ volatile(".inst 0"); /* UDF: permanently undefined */
	CHECK(info.si_signo == SIGILL && info.si_code == ILL_ILLOPC);
	CHECK(info.si_addr != NULL);
	if (sigsetjmp(jump, 1) == 0)
		__builtin_trap();
	CHECK(info.si_signo == SIGTRAP && info.si_code == TRAP_BRKPT);
	CHECK(info.si_addr != NULL);
	CHECK_EQ(hits, 2);
}

TEST(privileged_instruction, "a privileged instruction is a signal, the kernel goes on")
{
	on_siginfo(SIGILL, catch, 0);
	if (sigsetjmp(jump, 1) == 0) {
		__asm__ volatile("msr daifset, #2");
		FAIL("interrupts were masked");
	}
	if (sigsetjmp(jump, 1) == 0) {
		__asm__ volatile("mrs x0, ttbr0_el1" ::: "x0");
		FAIL("ttbr0_el1 was read");
	}
	if (sigsetjmp(jump, 1) == 0) {
		__asm__ volatile("tlbi vmalle1");
		FAIL("the TLB was flushed");
	}
	if (sigsetjmp(jump, 1) == 0) {
		__asm__ volatile("hvc #0");
		FAIL("the hypervisor was called");
	}
	CHECK_EQ(hits, 4);
	CHECK_EQ(info.si_code, ILL_ILLOPC);
}

static void clobber_fpu(int sig)
{
	(void)sig;
	__asm__ volatile(
		"movi v0.16b, #1; movi v7.16b, #2; movi v15.16b, #3; movi v31.16b, #4; msr fpsr, xzr" ::
			: "v0", "v7", "v15", "v31");
	hits++;
}

TEST(fpu_across_signal, "floating-point registers come through a handler unharmed")
{
	on_signal(SIGUSR1, clobber_fpu, 0);
	for (int i = 1; i <= 20; i++) {
		double a = i * 1.25, b = i / 3.0, in[4] = { a, b, a * b, a + b }, out[4];
		long pid = getpid();
		register long nr __asm__("x8") = SYS_kill;
		register long ret __asm__("x0") = pid;
		register long sig __asm__("x1") = SIGUSR1;

		__asm__ volatile("ldr d0, [%[in]]; ldr d7, [%[in], #8]; ldr d15, [%[in], #16];"
				 "ldr d31, [%[in], #24]; svc #0;"
				 "str d0, [%[out]]; str d7, [%[out], #8]; str d15, [%[out], #16];"
				 "str d31, [%[out], #24]"
				 : "+r"(ret)
				 : "r"(nr), "r"(sig), [in] "r"(in), [out] "r"(out)
				 : "memory", "v0", "v7", "v15", "v31");
		CHECK_EQ(ret, 0);
		CHECK(memcmp(in, out, sizeof(in)) == 0);
		CHECK_EQ(hits, i);
	}
}

static void skip_write(int sig, siginfo_t *si, void *ctx)
{
	ucontext_t *uc = ctx;

	(void)sig, (void)si;
	hits++;
	uc->uc_mcontext.pc += 4;
	uc->uc_mcontext.regs[19] = 4242;
}

TEST(ucontext_change, "a handler may change the registers it returns to")
{
	register long x19 __asm__("x19") = 1;

	on_siginfo(SIGSEGV, skip_write, 0);
	__asm__ volatile("str x19, [%1]" : "+r"(x19) : "r"(bad_address()) : "memory");
	CHECK_EQ(x19, 4242);
	CHECK_EQ(hits, 1);
}
