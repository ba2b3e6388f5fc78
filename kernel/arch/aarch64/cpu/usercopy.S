/*
 * Copies to and from user memory, by loads and stores that the CPU checks as if EL0 made them. The C side
 * (arch/common/usercopy.c) has checked the range; a page that is not there is faulted in by the page-fault
 * handler, and an address that cannot be reached goes on at the fixup beside it: byte by byte up to the one
 * that fails, so that the count is exact.
 */
#include <arch/ex_table.h>

	.text

/* The instruction given may fault, and goes on at \to then. */
.macro USER to, insn:vararg
8888:	\insn
	EX_TABLE 8888b, \to
.endm

/* Eight, four, two, one registers of eight bytes, moved from x1 to x0. */
.macro LOAD_8 reg, at, to
	USER \to, ldtr \reg, [x1, #\at]
.endm
.macro STORE_8 reg, at, to
	USER \to, sttr \reg, [x0, #\at]
.endm

/* in: x0 to, x1 from (user's), x2 bytes. out: x0 bytes not copied. */
	.globl user_copy_in
	.type user_copy_in, @function
	.balign 16
user_copy_in:
	add x6, x0, x2
	subs x2, x2, #64
	b.lo 2f
1:	LOAD_8 x8, 0, 9f
	LOAD_8 x9, 8, 9f
	LOAD_8 x10, 16, 9f
	LOAD_8 x11, 24, 9f
	LOAD_8 x12, 32, 9f
	LOAD_8 x13, 40, 9f
	LOAD_8 x14, 48, 9f
	LOAD_8 x15, 56, 9f
	stp x8, x9, [x0]
	stp x10, x11, [x0, #16]
	stp x12, x13, [x0, #32]
	stp x14, x15, [x0, #48]
	add x0, x0, #64
	add x1, x1, #64
	subs x2, x2, #64
	b.hs 1b
2:	tbz x2, #5, 3f /* the low bits of x2 are what is left */
	LOAD_8 x8, 0, 9f
	LOAD_8 x9, 8, 9f
	LOAD_8 x10, 16, 9f
	LOAD_8 x11, 24, 9f
	stp x8, x9, [x0], #16
	stp x10, x11, [x0], #16
	add x1, x1, #32
3:	tbz x2, #4, 4f
	LOAD_8 x8, 0, 9f
	LOAD_8 x9, 8, 9f
	stp x8, x9, [x0], #16
	add x1, x1, #16
4:	tbz x2, #3, 5f
	LOAD_8 x8, 0, 9f
	str x8, [x0], #8
	add x1, x1, #8
5:	tbz x2, #2, 6f
	LOAD_8 w8, 0, 9f
	str w8, [x0], #4
	add x1, x1, #4
6:	tst x2, #3
	b.ne 9f
	mov x0, xzr
	ret
7:	USER 10f, ldtrb w8, [x1]
	strb w8, [x0], #1
	add x1, x1, #1
9:	cmp x0, x6
	b.ne 7b
10:	sub x0, x6, x0
	ret
	.size user_copy_in, . - user_copy_in

/* in: x0 to (user's), x1 from, x2 bytes. out: x0 bytes not copied. */
	.globl user_copy_out
	.type user_copy_out, @function
	.balign 16
user_copy_out:
	add x6, x0, x2
	subs x2, x2, #64
	b.lo 2f
1:	ldp x8, x9, [x1]
	ldp x10, x11, [x1, #16]
	ldp x12, x13, [x1, #32]
	ldp x14, x15, [x1, #48]
	STORE_8 x8, 0, 9f
	STORE_8 x9, 8, 9f
	STORE_8 x10, 16, 9f
	STORE_8 x11, 24, 9f
	STORE_8 x12, 32, 9f
	STORE_8 x13, 40, 9f
	STORE_8 x14, 48, 9f
	STORE_8 x15, 56, 9f
	add x1, x1, #64
	add x0, x0, #64
	subs x2, x2, #64
	b.hs 1b
2:	tbz x2, #5, 3f
	ldp x8, x9, [x1]
	ldp x10, x11, [x1, #16]
	STORE_8 x8, 0, 9f
	STORE_8 x9, 8, 9f
	STORE_8 x10, 16, 9f
	STORE_8 x11, 24, 9f
	add x1, x1, #32
	add x0, x0, #32
3:	tbz x2, #4, 4f
	ldp x8, x9, [x1]
	STORE_8 x8, 0, 9f
	STORE_8 x9, 8, 9f
	add x1, x1, #16
	add x0, x0, #16
4:	tbz x2, #3, 5f
	ldr x8, [x1]
	STORE_8 x8, 0, 9f
	add x1, x1, #8
	add x0, x0, #8
5:	tbz x2, #2, 6f
	ldr w8, [x1]
	STORE_8 w8, 0, 9f
	add x1, x1, #4
	add x0, x0, #4
6:	tst x2, #3
	b.ne 9f
	mov x0, xzr
	ret
7:	ldrb w8, [x1], #1
	USER 10f, sttrb w8, [x0]
	add x0, x0, #1
9:	cmp x0, x6
	b.ne 7b
10:	sub x0, x6, x0
	ret
	.size user_copy_out, . - user_copy_out

/* in: x0 to, x1 bytes. out: x0 bytes not cleared. */
	.globl user_clear
	.type user_clear, @function
	.balign 16
user_clear:
	add x6, x0, x1
	subs x1, x1, #32
	b.lo 9f
1:	STORE_8 xzr, 0, 9f
	STORE_8 xzr, 8, 9f
	STORE_8 xzr, 16, 9f
	STORE_8 xzr, 24, 9f
	add x0, x0, #32
	subs x1, x1, #32
	b.hs 1b
	b 9f
7:	USER 10f, sttrb wzr, [x0]
	add x0, x0, #1
9:	cmp x0, x6
	b.ne 7b
10:	sub x0, x6, x0
	ret
	.size user_clear, . - user_clear

/*
 * in: x0 to, x1 from (user's), x2 most bytes to look at. out: x0 the string's length, x2 if there is no NUL
 * within, -1 for a bad address. Eight bytes a step; up to seven bytes behind the NUL may be copied too.
 */
	.globl user_copy_string
	.type user_copy_string, @function
	.balign 16
user_copy_string:
	mov x3, xzr
	mov x4, #0x0101010101010101
1:	add x5, x3, #8
	cmp x5, x2
	b.hi 4f
	USER 4f, ldtr x6, [x1]
	str x6, [x0], #8
	add x1, x1, #8
	sub x7, x6, x4
	bic x7, x7, x6
	ands x7, x7, #0x8080808080808080
	b.ne 3f
	mov x3, x5
	b 1b
3:	rev x7, x7
	clz x7, x7
	add x0, x3, x7, lsr #3
	ret
4:	cmp x3, x2
	b.hs 6f
	USER 7f, ldtrb w6, [x1]
	strb w6, [x0], #1
	add x1, x1, #1
	cbz w6, 6f
	add x3, x3, #1
	b 4b
6:	mov x0, x3
	ret
7:	mov x0, #-1
	ret
	.size user_copy_string, . - user_copy_string

/* in: x0 string, x1 most bytes to look at. out: x0 as above. */
	.globl user_measure_string
	.type user_measure_string, @function
	.balign 16
user_measure_string:
	mov x3, xzr
1:	cmp x3, x1
	b.hs 3f
	USER 4f, ldtrb w6, [x0]
	cbz w6, 3f
	add x0, x0, #1
	add x3, x3, #1
	b 1b
3:	mov x0, x3
	ret
4:	mov x0, #-1
	ret
	.size user_measure_string, . - user_measure_string

	.section .note.GNU-stack, "", @progbits
