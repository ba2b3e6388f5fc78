/*
 * Copies to and from user memory, by loads and stores that the CPU checks as if EL0 made them. The C side
 * (arch/common/usercopy.c) has checked the range; a page that is not there is faulted in by the page-fault
 * handler, and an address that cannot be reached goes on at the fixup beside it: byte by byte up to the one
 * that fails, so that the count is exact.
 */
#include <arch/ex_table.h>
#include "copy.h"

	.text

/* The instruction given may fault, and goes on at \to then. */
.macro USER to, insn:vararg
8888:	\insn
	EX_TABLE 8888b, \to
.endm

/* As LOAD and STORE (copy.h), of the user's memory; on at label 9 for an address that cannot be reached, when x1,
 * \to have not moved on. */
.macro LOAD_USER bytes
	.if \bytes == 4
	USER 9f, ldtr w8, [x1]
	.else
	USER 9f, ldtr x8, [x1]
	.endif
	.if \bytes >= 16
	USER 9f, ldtr x9, [x1, #8]
	.endif
	.if \bytes >= 32
	USER 9f, ldtr x10, [x1, #16]
	USER 9f, ldtr x11, [x1, #24]
	.endif
	.if \bytes == 64
	USER 9f, ldtr x12, [x1, #32]
	USER 9f, ldtr x13, [x1, #40]
	USER 9f, ldtr x14, [x1, #48]
	USER 9f, ldtr x15, [x1, #56]
	.endif
	add x1, x1, #\bytes
.endm
.macro STORE_USER bytes, to
	.if \bytes == 4
	USER 9f, sttr w8, [\to]
	.else
	USER 9f, sttr x8, [\to]
	.endif
	.if \bytes >= 16
	USER 9f, sttr x9, [\to, #8]
	.endif
	.if \bytes >= 32
	USER 9f, sttr x10, [\to, #16]
	USER 9f, sttr x11, [\to, #24]
	.endif
	.if \bytes == 64
	USER 9f, sttr x12, [\to, #32]
	USER 9f, sttr x13, [\to, #40]
	USER 9f, sttr x14, [\to, #48]
	USER 9f, sttr x15, [\to, #56]
	.endif
	add \to, \to, #\bytes
.endm

/* in: x0 to, x1 from (user's), x2 bytes. out: x0 bytes not copied. */
	.globl user_copy_in
	.type user_copy_in, @function
	.balign 16
user_copy_in:
	add x6, x0, x2
	COPY LOAD_USER, STORE, x0
	tst x2, #3
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
	sub x7, x1, x0 /* x1 is ahead of x0 when a store fails */
	COPY LOAD, STORE_USER, x0
	tst x2, #3
	b.ne 9f
	mov x0, xzr
	ret
7:	ldrb w8, [x0, x7]
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
1:	USER 9f, sttr xzr, [x0]
	USER 9f, sttr xzr, [x0, #8]
	USER 9f, sttr xzr, [x0, #16]
	USER 9f, sttr xzr, [x0, #24]
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
