/* Tests that every port has, in this one's instructions. */
#include "../instructions.h"

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

/* Here the CPU defines it. */
static void divide_by_zero(void)
{
	volatile int zero = 0;

	CHECK_EQ(7 / zero, 0);
}

static void bad_instruction(void)
{
	__asm__ volatile(".inst 0"); /* UDF: permanently undefined */
}

static void breakpoint(void)
{
	__asm__ volatile("brk #1000");
}

const struct trap port_traps[] = {
	{ divide_by_zero, 0, 0 },
	{ bad_instruction, SIGILL, ILL_ILLOPC },
	{ breakpoint, SIGTRAP, TRAP_BRKPT },
	{ NULL, 0, 0 },
};

static void mask_interrupts(void)
{
	__asm__ volatile("msr daifset, #2");
}

static void read_page_table_base(void)
{
	__asm__ volatile("mrs x0, ttbr0_el1" ::: "x0");
}

static void flush_tlb(void)
{
	__asm__ volatile("tlbi vmalle1");
}

static void call_hypervisor(void)
{
	__asm__ volatile("hvc #0");
}

const struct trap port_privileged[] = {
	{ mask_interrupts, SIGILL, ILL_ILLOPC },
	{ read_page_table_base, SIGILL, ILL_ILLOPC },
	{ flush_tlb, SIGILL, ILL_ILLOPC },
	{ call_hypervisor, SIGILL, ILL_ILLOPC },
	{ NULL, 0, 0 },
};

void port_clobber_fpu(void)
{
	__asm__ volatile("movi v0.16b, #1; movi v7.16b, #2; movi v15.16b, #3; movi v31.16b, #4; "
			 "msr fpsr, xzr" ::
				 : "v0", "v7", "v15", "v31");
}

long port_kill_with_fpu(int sig, const double in[4], double out[4])
{
	long pid = getpid();
	register long nr __asm__("x8") = SYS_kill;
	register long x0 __asm__("x0") = pid;
	register long x1 __asm__("x1") = sig;

	__asm__ volatile("ldr d0, [%[in]]; ldr d7, [%[in], #8]; ldr d15, [%[in], #16];"
			 "ldr d31, [%[in], #24]; svc #0;"
			 "str d0, [%[out]]; str d7, [%[out], #8]; str d15, [%[out], #16];"
			 "str d31, [%[out], #24]"
			 : "+r"(x0)
			 : "r"(nr), "r"(x1), [in] "r"(in), [out] "r"(out)
			 : "memory", "v0", "v7", "v15", "v31");
	return x0;
}

long port_write(void *address)
{
	register long x19 __asm__("x19") = 1;

	__asm__ volatile("str x19, [%1]" : "+r"(x19) : "r"(address) : "memory");
	return x19;
}

void port_skip_write(ucontext_t *uc, long value)
{
	uc->uc_mcontext.pc += 4;
	uc->uc_mcontext.regs[19] = (unsigned long)value;
}
