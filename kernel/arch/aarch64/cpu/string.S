/*
 * Memory moves in place of lib/'s loops: 64 bytes an iteration, then by halves. The AAPCS64 calling convention.
 */
	.text

/* in: x0 to, x1 from, x2 bytes; not overlapping. out: x0 to. */
	.globl memcpy
	.type memcpy, @function
	.balign 16
memcpy:
	mov x3, x0
	subs x2, x2, #64
	b.lo 2f
1:	ldp x8, x9, [x1]
	ldp x10, x11, [x1, #16]
	ldp x12, x13, [x1, #32]
	ldp x14, x15, [x1, #48]
	stp x8, x9, [x3]
	stp x10, x11, [x3, #16]
	stp x12, x13, [x3, #32]
	stp x14, x15, [x3, #48]
	add x1, x1, #64
	add x3, x3, #64
	subs x2, x2, #64
	b.hs 1b
2:	tbz x2, #5, 3f /* the low bits of x2 are what is left */
	ldp x8, x9, [x1], #16
	ldp x10, x11, [x1], #16
	stp x8, x9, [x3], #16
	stp x10, x11, [x3], #16
3:	tbz x2, #4, 4f
	ldp x8, x9, [x1], #16
	stp x8, x9, [x3], #16
4:	tbz x2, #3, 5f
	ldr x8, [x1], #8
	str x8, [x3], #8
5:	tbz x2, #2, 6f
	ldr w8, [x1], #4
	str w8, [x3], #4
6:	tbz x2, #1, 7f
	ldrh w8, [x1], #2
	strh w8, [x3], #2
7:	tbz x2, #0, 8f
	ldrb w8, [x1]
	strb w8, [x3]
8:	ret
	.size memcpy, . - memcpy

/* in: x0 to, w1 byte, x2 bytes. out: x0 to. */
	.globl memset
	.type memset, @function
	.balign 16
memset:
	mov x3, x0
	mov x4, #0x0101010101010101
	and x1, x1, #255
	mul x1, x1, x4
	subs x2, x2, #64
	b.lo 2f
1:	stp x1, x1, [x3]
	stp x1, x1, [x3, #16]
	stp x1, x1, [x3, #32]
	stp x1, x1, [x3, #48]
	add x3, x3, #64
	subs x2, x2, #64
	b.hs 1b
2:	tbz x2, #5, 3f
	stp x1, x1, [x3], #16
	stp x1, x1, [x3], #16
3:	tbz x2, #4, 4f
	stp x1, x1, [x3], #16
4:	tbz x2, #3, 5f
	str x1, [x3], #8
5:	tbz x2, #2, 6f
	str w1, [x3], #4
6:	tbz x2, #1, 7f
	strh w1, [x3], #2
7:	tbz x2, #0, 8f
	strb w1, [x3]
8:	ret
	.size memset, . - memset

	.section .note.GNU-stack, "", @progbits
