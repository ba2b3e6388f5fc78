/* aarch64: ways to die that are instructions, with all registers known. Part of crash.c. */
#pragma once

#define FRAME_SIGNAL SIGILL
#define ELF_MACHINE 183
/* clang-format off */
#define PORT_WAYS { "privileged", die_privileged }, { "protection", die_protection }
/* clang-format on */

/* x1 to x28 and x30: N times 0x0101010101010101, where N is the register's number. x29 stays: the frames. */
#define SET_REGISTERS                                                                              \
	".irp n, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, "  \
	"23, 24, 25, 26, 27, 28, 30\n ldr x\\n, =0x0101010101010101 * \\n\n .endr\n"
/* They have changed: of these the compiler must know, since it keeps the return address in one. */
#define CHANGED "memory", "x30"
/* dies_at_WAY is the instruction's address: a symbol for the test to look up. */
#define DIE_AT(way, instruction)                                                                   \
	asm volatile(SET_REGISTERS "mov x0, #0\n .globl dies_at_" way "\n dies_at_" way            \
				   ":\n" instruction                                               \
		     :                                                                             \
		     :                                                                             \
		     : CHANGED)

WAY die_null(void)
{
	DIE_AT("null", "str x1, [x0, #8]");
}

/* A call to where nothing is mapped: the return address is in x30. */
WAY die_jump(void)
{
	asm volatile(SET_REGISTERS "ldr x0, =0x123456789000\n .globl dies_at_jump\n"
				   "dies_at_jump: blr x0"
		     :
		     :
		     : CHANGED);
}

WAY die_trap(void)
{
	DIE_AT("trap", "udf #7");
}

/* A register of the kernel's. */
WAY die_privileged(void)
{
	DIE_AT("privileged", "msr ttbr0_el1, x1");
}

/* What abort(3) does in the end, with all registers known: tgkill(pid, tid, SIGABRT). */
WAY die_abort(void)
{
	uint64_t pid = (uint64_t)getpid(), tid = (uint64_t)gettid();

	asm volatile("stp %0, %1, [sp, #-16]!\n" SET_REGISTERS
		     "ldp x0, x1, [sp], #16\n mov x2, #6\n mov x8, #131\n svc #0\n"
		     ".globl dies_at_abort\n dies_at_abort:"
		     :
		     : "r"(pid), "r"(tid)
		     : CHANGED);
}

/* Deeper and deeper by 64 bytes until the stack's limit, with the registers set each time. */
WAY die_stack(void)
{
	asm volatile(SET_REGISTERS "mov x0, #0\n 1: sub sp, sp, #64\n .globl dies_at_stack\n"
				   "dies_at_stack: str x1, [sp]\n b 1b"
		     :
		     :
		     : CHANGED);
}

/* An address of the kernel's half. */
WAY die_protection(void)
{
	asm volatile(SET_REGISTERS "mov x0, #0xffff000000000000\n .globl dies_at_protection\n"
				   "dies_at_protection: str x1, [x0]"
		     :
		     :
		     : CHANGED);
}

WAY write_at_0x1008(char *at)
{
	asm volatile("mov x0, %0\n" SET_REGISTERS ".globl dies_at_bus\n"
		     "dies_at_bus: str x1, [x0, #0x1008]"
		     :
		     : "r"(at)
		     : CHANGED);
}

/* execve(name, argv, NULL) */
WAY exec_known(const char *name, char **argv)
{
	asm volatile("stp %0, %1, [sp, #-16]!\n" SET_REGISTERS
		     "ldp x0, x1, [sp], #16\n mov x2, #0\n mov x8, #221\n svc #0\n"
		     ".globl dies_at_exec\n dies_at_exec:"
		     :
		     : "r"(name), "r"(argv)
		     : CHANGED);
}

WAY trap_without_stack(void)
{
	asm volatile(SET_REGISTERS "ldr x0, =0x123456789000\n mov sp, x0\n mov x0, #0\n"
				   ".globl dies_at_frame\n dies_at_frame: udf #7"
		     :
		     :
		     : CHANGED);
}
