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

#define NR_ppoll 73
#define NR_exit_group 94
#define NR_kill 129
#define NR_rt_sigaction 134
#define NR_getpid 172
#define NR_clone 220
#define NR_wait4 260
#define SIGCHLD 17

.macro CALL number
	mov x8, #\number
	svc #0
.endm

	.section .rodata
	.balign 16

/* exit_group(42) */
PROGRAM(exit42)
	mov x0, #42
	CALL NR_exit_group
	brk #1
PROGRAM_END(exit42)

/* exit_group(argc) */
PROGRAM(argc)
	ldr x0, [sp]
	CALL NR_exit_group
	brk #1
PROGRAM_END(argc)

/* Writes to an address that is not mapped. */
PROGRAM(fault)
	mov x9, #0x10
	str wzr, [x9]
	brk #1
PROGRAM_END(fault)

/* An instruction that only the kernel may execute. */
PROGRAM(privileged)
	tlbi vmalle1
	brk #1
PROGRAM_END(privileged)
	.globl user_code_privileged_signal
	.balign 4
user_code_privileged_signal:
	.long 4 /* SIGILL */

PROGRAM(illegal)
	.inst 0
PROGRAM_END(illegal)

/* Runs for ever. */
PROGRAM(spin)
1:	yield
	b 1b
PROGRAM_END(spin)

/* The child ends with 7, the parent with the child's status. */
PROGRAM(fork)
	mov x0, #SIGCHLD
	mov x1, xzr
	mov x2, xzr
	mov x3, xzr
	mov x4, xzr
	CALL NR_clone
	cbz x0, 1f
	mov x0, #-1
	sub x1, sp, #16
	mov x2, xzr
	mov x3, xzr
	CALL NR_wait4
	ldurb w0, [sp, #-15]
	CALL NR_exit_group
1:	mov x0, #7
	CALL NR_exit_group
	brk #1
PROGRAM_END(fork)

/* A handler for SIGUSR1 stores 33 where x20 points; the program ends with that. It returns by the vDSO. */
PROGRAM(handler)
	sub sp, sp, #48
	add x20, sp, #32
	mov w9, #1
	str w9, [x20]
	adr x9, 1f
	stp x9, xzr, [sp] /* handler, flags */
	stp xzr, xzr, [sp, #16] /* no restorer, mask */
	mov x0, #10
	mov x1, sp
	mov x2, xzr
	mov x3, #8
	CALL NR_rt_sigaction
	CALL NR_getpid
	mov x1, #10
	CALL NR_kill
	ldr w0, [x20]
	CALL NR_exit_group
1:	mov w9, #33
	str w9, [x20]
	ret
PROGRAM_END(handler)

/* Calls getpid 40 times, with the count as first argument and marks in the others; then sleeps. */
PROGRAM(calls)
	mov x19, xzr
	mov x20, #0xee0000000000
	movk x20, #0xc0ff, lsl #48
	add x1, x20, #1
	add x2, x20, #2
	add x3, x20, #3
	add x4, x20, #4
	add x5, x20, #5
1:	add x19, x19, #1
	mov x0, x19
	CALL NR_getpid
	cmp x19, #40
	b.ne 1b
	mov x0, xzr
	mov x1, xzr
	mov x2, xzr
	mov x3, xzr
	CALL NR_ppoll
	brk #1
PROGRAM_END(calls)
