/*
 * Where signal handlers return to. Unwinders know the place by these two instructions, and what lies at the
 * stack pointer then (cpu/signal_frame.c).
 */
	.section .sigreturn, "ax"
	.globl __kernel_rt_sigreturn
	.type __kernel_rt_sigreturn, @function
	nop /* an unwinder looks at the address before the one returned to */
__kernel_rt_sigreturn:
	mov x8, #139
	svc #0
	.size __kernel_rt_sigreturn, . - __kernel_rt_sigreturn

	.section .note.GNU-stack, "", @progbits
