/*
 * What only aarch64 has: records in signal frames, frames forged for sigreturn, tagged pointers, the thread
 * pointer, all vector registers across handlers. Most of what is forged must end the program that tries, and
 * nothing else.
 */
#include "../catch.h"
#include <asm/sigcontext.h>
#include <sched.h>
#include <sys/auxv.h>
#include <ucontext.h>

#define KERNEL_ADDRESS 0xffffffff80000000ul

static volatile unsigned long syndrome, fault_address;

/* The record with this magic number in a frame, or NULL. */
static struct _aarch64_ctx *find_record(ucontext_t *uc, uint32_t magic)
{
	char *p = (char *)uc->uc_mcontext.__reserved;

	for (;;) {
		struct _aarch64_ctx *head = (struct _aarch64_ctx *)p;

		if (head->magic == magic)
			return head;
		if (!head->magic || head->size < sizeof(*head))
			return NULL;
		p += head->size;
	}
}

static void note(int sig, siginfo_t *si, void *ctx)
{
	ucontext_t *uc = ctx;
	struct esr_context *esr = (struct esr_context *)find_record(uc, ESR_MAGIC);

	(void)sig;
	info = *si;
	syndrome = esr ? esr->esr : 0;
	fault_address = uc->uc_mcontext.fault_address;
	uc->uc_mcontext.pc += 4;
	hits++;
}

TEST(arm64_fault_frames, "a handler finds syndrome and address of the fault in its frame")
{
	char *none = bad_address();

	on_siginfo(SIGSEGV, note, 0);
	__asm__ volatile("ldrb w9, [%0]" : : "r"(none + 5) : "x9", "memory");
	CHECK(info.si_code == SEGV_MAPERR && fault_address == (unsigned long)(none + 5));
	CHECK_EQ(syndrome >> 26, 0x24);
	CHECK(!(syndrome & 0x40) && (syndrome & 0x3c) == 4);
	__asm__ volatile("strb wzr, [%0]" : : "r"(none) : "memory");
	CHECK(syndrome & 0x40);
	__asm__ volatile("ldrb w9, [%0]" : : "r"(KERNEL_ADDRESS) : "x9", "memory");
	CHECK_EQ(info.si_code, SEGV_MAPERR);
	CHECK((syndrome & 0x3f) == 4); /* whatever is there */
	CHECK_EQ(hits, 3);
}

enum forgery {
	KERNEL_MODE,
	OTHER_MODE,
	MASKED,
	NO_FPU,
	FPU_TWICE,
	SHORT_RECORD,
	LONG_RECORD,
	UNKNOWN_RECORD,
	ENDLESS,
	UNALIGNED_FRAME,
	KERNEL_PC,
	UNALIGNED_PC,
	REFUSED, /* those above end the program */
	ALL_FLAGS = REFUSED,
	FORGERIES
};

static volatile enum forgery forgery;

static void forge(int sig, siginfo_t *si, void *ctx)
{
	ucontext_t *uc = ctx;
	struct _aarch64_ctx *fpu = find_record(uc, FPSIMD_MAGIC);
	struct _aarch64_ctx *next = (struct _aarch64_ctx *)((char *)fpu + fpu->size);

	(void)sig, (void)si;
	switch (forgery) {
	case KERNEL_MODE: uc->uc_mcontext.pstate |= 5; break;
	case OTHER_MODE: uc->uc_mcontext.pstate |= 0x10; break;
	case MASKED: uc->uc_mcontext.pstate |= 0x80; break;
	case NO_FPU: memset(fpu, 0, sizeof(*fpu)); break;
	case FPU_TWICE: memcpy(next, fpu, fpu->size); break;
	case SHORT_RECORD: fpu->size = 16; break;
	case LONG_RECORD: fpu->size = 1 << 20; break;
	case UNKNOWN_RECORD: *next = (struct _aarch64_ctx){ 0x12345678, 16 }; break;
	case ENDLESS: *next = (struct _aarch64_ctx){ ESR_MAGIC, 0 }; break;
	case KERNEL_PC: uc->uc_mcontext.pc = KERNEL_ADDRESS; break;
	case UNALIGNED_PC: uc->uc_mcontext.pc |= 2; break;
	default: uc->uc_mcontext.pstate |= ~0ul & ~0x3dful; break;
	}
}

/* May end by a signal, or go on: but as an unprivileged program. */
static _Noreturn void forge_one(void)
{
	on_siginfo(SIGUSR1, forge, 0);
	if (forgery == UNALIGNED_FRAME)
		__asm__ volatile("sub sp, sp, #16; add x9, sp, #8; mov sp, x9; mov x8, %0; svc #0"
				 :
				 : "i"(SYS_rt_sigreturn)
				 : "x8", "x9", "memory");
	raise(SIGUSR1);
	_exit(7);
}

TEST(arm64_forged_frames,
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
		if (i < REFUSED ? !WIFSIGNALED(status)
				: !WIFEXITED(status) || WEXITSTATUS(status) != 7)
			FAIL("forgery %d: wait status 0x%x", i, status);
		if (WIFSIGNALED(status) &&
		    WTERMSIG(status) != (i == UNALIGNED_PC ? SIGBUS : SIGSEGV))
			FAIL("forgery %d: signal %d", i, WTERMSIG(status));
	}
}

TEST(arm64_bad_handler, "a handler at an address that cannot be is a signal")
{
	static const unsigned long where[] = { KERNEL_ADDRESS, 0x0001000000000000,
					       0xffff000000000000 };

	for (size_t i = 0; i < ARRAY_SIZE(where); i++)
		check_bad_handler(where[i]);
}

TEST(arm64_alignment_signals,
     "a misaligned stack or program counter is SIGBUS, other data may lie anywhere")
{
	static char bytes[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 };
	stack_t alt = { .ss_size = SIGSTKSZ };
	uint64_t v;

	memcpy(&v, bytes + 1, 8);
	CHECK_EQ(*(volatile uint64_t *)(void *)(bytes + 1), v);
	alt.ss_sp = OK(mmap(NULL, alt.ss_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0));
	OK(sigaltstack(&alt, NULL));
	on_siginfo(SIGBUS, catch_signal, SA_ONSTACK);
	/* Not every emulator checks the stack pointer; one that does ends in the handler. */
	if (sigsetjmp(jump, 1) == 0)
		__asm__ volatile(
			"mov x11, sp; add x9, x11, #8; mov sp, x9; ldr x10, [sp]; mov sp, x11"
			:
			:
			: "x9", "x10", "x11", "memory");
	else
		CHECK(info.si_signo == SIGBUS && info.si_code == BUS_ADRALN);
	hits = 0;
	if (sigsetjmp(jump, 1) == 0)
		__asm__ volatile("adr x9, .; add x9, x9, #2; br x9" : : : "x9");
	CHECK(info.si_signo == SIGBUS && info.si_code == BUS_ADRALN);
	CHECK(((unsigned long)info.si_addr & 3) == 2);
	CHECK_EQ(hits, 1);
}

static volatile int child_saw;

static int child_with_pointer(void *arg)
{
	unsigned long tp;

	__asm__ volatile("mrs %0, tpidr_el0" : "=r"(tp));
	child_saw = tp == (unsigned long)arg;
	for (int i = 0; i < 100; i++)
		syscall(SYS_sched_yield);
	__asm__ volatile("mrs %0, tpidr_el0" : "=r"(tp));
	return child_saw && tp == (unsigned long)arg ? 5 : 1;
}

TEST(arm64_thread_pointer, "clone sets the thread pointer; each thread keeps its own")
{
	static char stack[32768] __attribute__((aligned(16))), area[4096];
	unsigned long before, after, readonly = 1;
	int pid;

	__asm__ volatile("mrs %0, tpidr_el0" : "=r"(before));
	pid = clone(child_with_pointer, stack + sizeof(stack), CLONE_SETTLS | SIGCHLD, area + 64,
		    NULL, area + 64);
	OK(pid);
	for (int i = 0; i < 100; i++)
		syscall(SYS_sched_yield);
	__asm__ volatile("mrs %0, tpidr_el0" : "=r"(after));
	CHECK(before && before == after);
	CHECK_EXITS(pid, 5);
	__asm__ volatile("mrs %0, tpidrro_el0" : "=r"(readonly));
	CHECK_EQ(readonly, 0);
}

static long call(long number, long first)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = first;

	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x8) : "memory");
	return x0;
}

TEST(arm64_wide_number, "the number of a system call is 32 bits wide")
{
	CHECK_EQ(call(0x700000000l + SYS_getpid, 0), getpid());
	CHECK_EQ(call(-1, 0), -ENOSYS);
	CHECK_EQ(call(0x7fffffff, 0), -ENOSYS);
	CHECK_EQ(call(0x80000000l + SYS_getpid, 0), -ENOSYS);
}

TEST(arm64_tagged_pointers,
     "the top byte of an address is ignored by the CPU, refused by system calls")
{
	static volatile char byte = 42;
	static char buf[4096];
	uintptr_t tag = 0x5aul << 56;

	CHECK_EQ(*(volatile char *)((uintptr_t)&byte | tag), 42);
	CHECK_ERRNO(syscall(SYS_getcwd, (uintptr_t)buf | tag, sizeof(buf)), EFAULT);
	on_siginfo(SIGSEGV, catch_signal, 0);
	if (sigsetjmp(jump, 1) == 0) {
		*(volatile char *)((uintptr_t)bad_address() | tag) = 1;
		FAIL("the write succeeded");
	}
	CHECK(info.si_code == SEGV_MAPERR && info.si_addr == bad_address());
}

TEST(arm64_system_registers, "programs read counter, cache and zeroing sizes, no more")
{
	unsigned long ctr, zero, count, later;

	__asm__ volatile("mrs %0, ctr_el0" : "=r"(ctr));
	__asm__ volatile("mrs %0, dczid_el0" : "=r"(zero));
	__asm__ volatile("isb; mrs %0, cntvct_el0" : "=r"(count));
	CHECK(ctr && (zero & 0x10) == 0);
	do
		__asm__ volatile("isb; mrs %0, cntvct_el0" : "=r"(later));
	while (later == count);
	CHECK(later > count);
	on_siginfo(SIGILL, catch_signal, 0);
	if (sigsetjmp(jump, 1) == 0) {
		__asm__ volatile("msr cntkctl_el1, xzr");
		FAIL("cntkctl_el1 was written");
	}
	if (sigsetjmp(jump, 1) == 0) {
		__asm__ volatile("mrs x9, pmccntr_el0" : : : "x9");
		FAIL("the cycle counter was read");
	}
	CHECK_EQ(hits, 2);
}

/* A field of an ID register, and the feature of AT_HWCAP (from 64 on: AT_HWCAP2) that is there from a value on. */
#define READ_ID(crm, op2)                                                                          \
	({                                                                                         \
		unsigned long v_;                                                                  \
		__asm__ volatile("mrs %0, s3_0_c0_c" #crm "_" #op2 : "=r"(v_));                    \
		v_;                                                                                \
	})
enum id_register { ISAR0, ISAR1, PFR0, MMFR2 };
static const struct {
	unsigned char in, shift, from, bit;
} id_fields[] = {
	{ ISAR0, 4, 1, 3 },   { ISAR0, 4, 2, 4 },   { ISAR0, 8, 1, 5 },   { ISAR0, 12, 1, 6 },
	{ ISAR0, 16, 1, 7 },  { ISAR0, 20, 2, 8 },  { ISAR0, 28, 1, 12 }, { ISAR1, 12, 1, 13 },
	{ ISAR1, 16, 1, 14 }, { ISAR1, 20, 1, 15 }, { ISAR1, 0, 1, 16 },  { ISAR0, 32, 1, 17 },
	{ ISAR0, 36, 1, 18 }, { ISAR0, 40, 1, 19 }, { ISAR0, 44, 1, 20 }, { ISAR0, 12, 2, 21 },
	{ PFR0, 32, 1, 22 },  { ISAR0, 48, 1, 23 }, { PFR0, 48, 1, 24 },  { MMFR2, 32, 1, 25 },
	{ ISAR1, 20, 2, 26 }, { ISAR0, 52, 1, 27 }, { ISAR1, 36, 1, 29 }, { ISAR1, 4, 1, 30 },
	{ ISAR1, 24, 1, 31 }, { ISAR1, 0, 2, 64 },  { ISAR0, 52, 2, 71 }, { ISAR1, 32, 1, 72 },
	{ ISAR1, 52, 1, 77 }, { ISAR1, 44, 1, 78 }, { ISAR1, 48, 1, 79 }, { ISAR0, 60, 1, 80 },
};

/* What is not a feature: who made the CPU, no place in the machine, 64-bit code only, no sizes of granules. */
static void check_fixed_ids(void)
{
	CHECK_EQ(READ_ID(4, 0) & 0xff, 0x11);
	CHECK(READ_ID(0, 0) & 0xfffffff0);
	CHECK_EQ(READ_ID(0, 5), 0x80000000);
	CHECK_EQ(READ_ID(0, 6), 0);
	CHECK_EQ(READ_ID(5, 0), 6);
	CHECK_EQ(READ_ID(7, 0) >> 24 & 0xff, 0xff);
	CHECK_EQ(READ_ID(7, 7), 0);
	__asm__ volatile("mrs xzr, s3_0_c0_c6_0");
}

TEST(arm64_id_registers, "programs read ID registers as AT_HWCAP says")
{
	unsigned long hwcap[2] = { getauxval(AT_HWCAP), getauxval(AT_HWCAP2) };
	unsigned long regs[] = { READ_ID(6, 0), READ_ID(6, 1), READ_ID(4, 0), READ_ID(7, 2) };

	CHECK(hwcap[0] & 1 << 11);
	for (unsigned i = 0; i < sizeof(id_fields) / sizeof(id_fields[0]); i++) {
		unsigned bit = id_fields[i].bit;
		unsigned long field = regs[id_fields[i].in] >> id_fields[i].shift & 15;

		if ((field >= id_fields[i].from) != (hwcap[bit / 64] >> bit % 64 & 1))
			FAIL("bit %u of AT_HWCAP, and a field of %lu", bit, field);
	}
	check_fixed_ids();
	on_siginfo(SIGILL, catch_signal, 0);
	if (sigsetjmp(jump, 1) == 0)
		FAIL("a register of 32-bit code reads as %lx", READ_ID(1, 0));
	if (sigsetjmp(jump, 1) == 0)
		FAIL("a reserved register reads as %lx", READ_ID(0, 1));
	if (sigsetjmp(jump, 1) == 0) {
		__asm__ volatile("msr s3_0_c0_c6_0, xzr");
		FAIL("an ID register was written");
	}
	CHECK_EQ(hits, 3);
}

static void wipe_vectors(int sig)
{
	(void)sig;
	hits++;
	__asm__ volatile("movi v8.16b, #0; movi v31.16b, #0; msr fpcr, xzr; msr fpsr, xzr"
			 :
			 :
			 : "v8", "v31");
}

TEST(arm64_vector_signal,
     "all of a vector register, FPCR and FPSR come through a handler and a sleep")
{
	uint64_t in[4] = { 1, 22, 333, 4444 }, out[4], fpcr, fpsr;

	on_signal(SIGUSR1, wipe_vectors, 0);
	for (int i = 1; i <= 10; i++) {
		long pid = getpid();
		register long x8 __asm__("x8") = SYS_kill;
		register long x0 __asm__("x0") = pid;
		register long x1 __asm__("x1") = SIGUSR1;

		__asm__ volatile(
			"ldp q8, q31, [%[in]]; mov x9, #0x400000; msr fpcr, x9;"
			"mov x9, #0x10; msr fpsr, x9; svc #0; mov x8, %[yield]; svc #0;"
			"stp q8, q31, [%[out]]; mrs %[cr], fpcr; mrs %[sr], fpsr;"
			"msr fpcr, xzr"
			: "+r"(x0), "+r"(x8), [cr] "=&r"(fpcr), [sr] "=&r"(fpsr)
			: "r"(x1), [in] "r"(in), [out] "r"(out), [yield] "i"(SYS_sched_yield)
			: "memory", "x9", "v8", "v31");
		CHECK_EQ(x0, 0);
		CHECK_EQ(hits, i);
		CHECK_EQ(fpcr, 0x400000);
		CHECK_EQ(fpsr, 0x10);
		CHECK(memcmp(in, out, sizeof(in)) == 0);
		in[i % 4] += (uint64_t)i << 40;
	}
}

/* What lies at the stack pointer when a handler runs: the frame; above it the record x29 points at. */
static volatile uintptr_t frame_link, frame_return, interrupted_fp;

static void look_up(int sig, siginfo_t *si, void *ctx)
{
	uintptr_t *fp = __builtin_frame_address(0);
	uintptr_t *record = (uintptr_t *)fp[0];

	(void)sig, (void)si;
	frame_link = record[0];
	frame_return = record[1];
	interrupted_fp = ((ucontext_t *)ctx)->uc_mcontext.regs[29];
	CHECK_EQ(record[1], ((ucontext_t *)ctx)->uc_mcontext.regs[30]);
}

TEST(arm64_frame_record, "unwinding by frame pointers goes on through a handler's frame")
{
	on_siginfo(SIGUSR1, look_up, 0);
	raise(SIGUSR1);
	CHECK(frame_return != 0);
	CHECK_EQ(frame_link, interrupted_fp);
}
