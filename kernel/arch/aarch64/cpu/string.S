/* Memory moves in place of lib/'s loops. The AAPCS64 calling convention. */
#include "copy.h"

	.text

/* in: x0 to, x1 from, x2 bytes; not overlapping. out: x0 to. */
	.globl memcpy
	.type memcpy, @function
	.balign 16
memcpy:
	mov x3, x0
	COPY LOAD, STORE, x3
	tbz x2, #1, 7f
	ldrh w8, [x1], #2
	strh w8, [x3], #2
7:	tbz x2, #0, 8f
	ldrb w8, [x1]
	strb w8, [x3]
8:	ret
	.size memcpy, . - memcpy

/* For memset: what is stored stays in x1. */
.macro LOAD_NOTHING bytes
.endm
.macro STORE_FILL bytes, to
	STORE_FROM \bytes, \to, w1, x1, x1, x1, x1, x1, x1, x1, x1
.endm

/* in: x0 to, w1 byte, x2 bytes. out: x0 to. */
	.globl memset
	.type memset, @function
	.balign 16
memset:
	mov x3, x0
	mov x4, #0x0101010101010101
	and x1, x1, #255
	mul x1, x1, x4
	COPY LOAD_NOTHING, STORE_FILL, x3
	tbz x2, #1, 7f
	strh w1, [x3], #2
7:	tbz x2, #0, 8f
	strb w1, [x3]
8:	ret
	.size memset, . - memset

	.section .note.GNU-stack, "", @progbits
