/*
 * Small programs that the process stages run in user mode. Position-independent; they may use the stack
 * they are started with. kernel/tests/ktest/proc_test.h declares them.
 */
#define PROGRAM(name)                                                                              \
	.globl user_code_##name;                                                                   \
	user_code_##name:
#define PROGRAM_END(name)                                                                          \
	.globl user_code_##name##_end;                                                             \
	user_code_##name##_end:;

#define NR_rt_sigaction 13
#define NR_rt_sigreturn 15
#define NR_pause 34
#define NR_getpid 39
#define NR_fork 57
#define NR_wait4 61
#define NR_kill 62
#define NR_exit_group 231

	.section .rodata
	.balign 16

/* exit_group(42) */
PROGRAM(exit42)
	mov $42, %edi
	mov $NR_exit_group, %eax
	syscall
	ud2
PROGRAM_END(exit42)

/* exit_group(argc) */
PROGRAM(argc)
	mov (%rsp), %edi
	mov $NR_exit_group, %eax
	syscall
	ud2
PROGRAM_END(argc)

/* Writes to an address that is not mapped. */
PROGRAM(fault)
	movl $1, 0x10
	ud2
PROGRAM_END(fault)

/* An instruction that only the kernel may execute. */
PROGRAM(privileged)
	hlt
	ud2
PROGRAM_END(privileged)
	.globl user_code_privileged_signal
	.balign 4
user_code_privileged_signal:
	.long 11 /* SIGSEGV */

PROGRAM(illegal)
	ud2
PROGRAM_END(illegal)

/* Runs for ever. */
PROGRAM(spin)
1:	pause
	jmp 1b
PROGRAM_END(spin)

/* The child ends with 7, the parent with the child's status. */
PROGRAM(fork)
	mov $NR_fork, %eax
	syscall
	test %eax, %eax
	jz 1f
	mov $-1, %rdi
	lea -16(%rsp), %rsi
	xor %edx, %edx
	xor %r10d, %r10d
	mov $NR_wait4, %eax
	syscall
	movzbl -15(%rsp), %edi
	mov $NR_exit_group, %eax
	syscall
1:	mov $7, %edi
	mov $NR_exit_group, %eax
	syscall
	ud2
PROGRAM_END(fork)

/* A handler for SIGUSR1 stores 33 where r12 points; the program ends with that. */
PROGRAM(handler)
	sub $16, %rsp
	mov %rsp, %r12
	movl $1, (%r12)
	push $0 /* mask */
	lea 2f(%rip), %rax
	push %rax /* restorer */
	push $0x04000000 /* SA_RESTORER */
	lea 1f(%rip), %rax
	push %rax
	mov $10, %edi
	mov %rsp, %rsi
	xor %edx, %edx
	mov $8, %r10d
	mov $NR_rt_sigaction, %eax
	syscall
	mov $NR_getpid, %eax
	syscall
	mov %eax, %edi
	mov $10, %esi
	mov $NR_kill, %eax
	syscall
	mov (%r12), %edi
	mov $NR_exit_group, %eax
	syscall
1:	movl $33, (%r12)
	ret
2:	mov $NR_rt_sigreturn, %eax
	syscall
	ud2
PROGRAM_END(handler)

/* Calls getpid 40 times, with the count as first argument and marks in the others; then sleeps. */
PROGRAM(calls)
	xor %ebx, %ebx
	mov $0xc0ffee0000000000, %r12
	lea 1(%r12), %rsi
	lea 2(%r12), %rdx
	lea 3(%r12), %r10
	lea 4(%r12), %r8
	lea 5(%r12), %r9
1:	inc %ebx
	mov %ebx, %edi
	mov $NR_getpid, %eax
	syscall
	cmp $40, %ebx
	jne 1b
	mov $NR_pause, %eax
	syscall
	ud2
PROGRAM_END(calls)
