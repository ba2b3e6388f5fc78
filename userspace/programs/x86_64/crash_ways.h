/* x86-64: ways to die that are instructions, with all registers known. Part of crash.c. */
#pragma once

#define FRAME_SIGNAL SIGFPE
#define ELF_MACHINE 62
/* clang-format off */
#define PORT_WAYS { "divide", die_divide }, { "protection", die_protection }
/* clang-format on */

/* All registers but ax, sp and the flags: bx 0x1111…, cx 0x2222… … r15 0xdd… (then ax, if the way sets it). */
#define SET_REGISTERS                                                                              \
	"movabsq $0x1111111111111111, %%rbx\n movabsq $0x2222222222222222, %%rcx\n"                \
	"movabsq $0x3333333333333333, %%rdx\n movabsq $0x4444444444444444, %%rsi\n"                \
	"movabsq $0x5555555555555555, %%rdi\n movabsq $0x6666666666666666, %%r8\n"                 \
	"movabsq $0x7777777777777777, %%r9\n movabsq $0x8888888888888888, %%r10\n"                 \
	"movabsq $0x9999999999999999, %%r11\n movabsq $0xaaaaaaaaaaaaaaaa, %%r12\n"                \
	"movabsq $0xbbbbbbbbbbbbbbbb, %%r13\n movabsq $0xcccccccccccccccc, %%r14\n"                \
	"movabsq $0xdddddddddddddddd, %%r15\n"
/* dies_at_WAY is the instruction's address: a symbol for the test to look up. */
#define DIE_AT(way, instruction)                                                                   \
	asm volatile(SET_REGISTERS "movl $0, %%eax\n .globl dies_at_" way "\n dies_at_" way        \
				   ":\n" instruction                                               \
		     :                                                                             \
		     :                                                                             \
		     : "memory")

WAY die_null(void)
{
	DIE_AT("null", "movq %%rbx, 8(%%rax)");
}

/* A call to where nothing is mapped: the return address is on the stack. */
WAY die_jump(void)
{
	asm volatile(SET_REGISTERS "movabsq $0x123456789000, %%rax\n .globl dies_at_jump\n"
				   "dies_at_jump: call *%%rax"
		     :
		     :
		     : "memory");
}

WAY die_trap(void)
{
	DIE_AT("trap", "ud2");
}

WAY die_divide(void)
{
	DIE_AT("divide", "divl %%eax");
}

/* What abort(3) does in the end, with all registers known: tgkill(pid, tid, SIGABRT). */
WAY die_abort(void)
{
	uint64_t pid = (uint64_t)getpid(), tid = (uint64_t)gettid();

	asm volatile("pushq %1\n pushq %0\n" SET_REGISTERS
		     "popq %%rdi\n popq %%rsi\n movl $6, %%edx\n movl $234, %%eax\n syscall\n"
		     ".globl dies_at_abort\n dies_at_abort:"
		     :
		     : "r"(pid), "r"(tid)
		     : "memory");
}

/* Deeper and deeper by 64 bytes until the stack's limit, with the registers set each time. */
WAY die_stack(void)
{
	asm volatile(SET_REGISTERS "movl $0, %%eax\n 1: subq $64, %%rsp\n .globl dies_at_stack\n"
				   "dies_at_stack: movq %%rbx, (%%rsp)\n jmp 1b"
		     :
		     :
		     : "memory");
}

/* An address that is none: bits 47 to 63 differ. */
WAY die_protection(void)
{
	asm volatile(SET_REGISTERS
		     "movabsq $0x8000000000000000, %%rax\n .globl dies_at_protection\n"
		     "dies_at_protection: movq %%rbx, (%%rax)"
		     :
		     :
		     : "memory");
}

WAY write_at_0x1008(char *at)
{
	asm volatile("movq %0, %%rax\n" SET_REGISTERS ".globl dies_at_bus\n"
		     "dies_at_bus: movq %%rbx, 0x1008(%%rax)"
		     :
		     : "r"(at)
		     : "memory");
}

/* execve(name, argv, NULL) */
WAY exec_known(const char *name, char **argv)
{
	asm volatile("pushq %1\n pushq %0\n" SET_REGISTERS
		     "popq %%rdi\n popq %%rsi\n xorl %%edx, %%edx\n"
		     "movl $59, %%eax\n syscall\n .globl dies_at_exec\n dies_at_exec:"
		     :
		     : "r"(name), "r"(argv)
		     : "memory");
}

WAY trap_without_stack(void)
{
	asm volatile(SET_REGISTERS "movabsq $0x123456789000, %%rsp\n movl $0, %%eax\n"
				   ".globl dies_at_frame\n dies_at_frame: divl %%eax"
		     :
		     :
		     : "memory");
}
