/* Tests that every port has, in this one's instructions. */
#include "../instructions.h"

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

static void divide_by_zero(void)
{
	volatile int zero = 0;

	hits = 7 / zero;
}

static void bad_instruction(void)
{
	__asm__ volatile("ud2");
}

static void breakpoint(void)
{
	__asm__ volatile("int3");
}

const struct trap port_traps[] = {
	{ divide_by_zero, SIGFPE, FPE_INTDIV },
	{ bad_instruction, SIGILL, ILL_ILLOPN },
	{ breakpoint, SIGTRAP, SI_KERNEL },
	{ NULL, 0, 0 },
};

static void halt(void)
{
	__asm__ volatile("hlt");
}

static void read_page_table_base(void)
{
	__asm__ volatile("mov %%cr3, %%rax" ::: "rax");
}

static void write_port(void)
{
	__asm__ volatile("out %%al, $0x80" ::: "memory");
}

const struct trap port_privileged[] = {
	{ halt, SIGSEGV, SI_KERNEL },
	{ read_page_table_base, SIGSEGV, SI_KERNEL },
	{ write_port, SIGSEGV, SI_KERNEL },
	{ NULL, 0, 0 },
};

void port_clobber_fpu(void)
{
	volatile double x = 1.0;

	for (int i = 0; i < 50; i++)
		x = x * 1.7 + 3;
	__asm__ volatile("pxor %%xmm0, %%xmm0; pxor %%xmm7, %%xmm7; pxor %%xmm8, %%xmm8; "
			 "pxor %%xmm15, %%xmm15; fninit; fldpi" ::
				 : "xmm0", "xmm7", "xmm8", "xmm15", "st");
}

long port_kill_with_fpu(int sig, const double in[4], double out[4])
{
	long rax = SYS_kill;

	__asm__ volatile("movsd (%3), %%xmm0; movsd 8(%3), %%xmm7; movsd 16(%3), %%xmm8; "
			 "movsd 24(%3), %%xmm15; syscall; movsd %%xmm0, (%4); "
			 "movsd %%xmm7, 8(%4); movsd %%xmm8, 16(%4); movsd %%xmm15, 24(%4)"
			 : "+a"(rax)
			 : "D"((long)getpid()), "S"((long)sig), "r"(in), "r"(out)
			 : "rcx", "r11", "memory", "xmm0", "xmm7", "xmm8", "xmm15");
	return rax;
}

long port_write(void *address)
{
	long rax = 1;

	__asm__ volatile("movb %%al, (%1); nop" : "+a"(rax) : "b"(address) : "memory");
	return rax;
}

void port_skip_write(ucontext_t *uc, long value)
{
	uc->uc_mcontext.gregs[REG_RIP] += 3; /* movb %al, (%rbx) has two bytes, nop one */
	uc->uc_mcontext.gregs[REG_RAX] = value;
}
