/*
 * The loop of every copy, for assembly: 64 bytes an iteration, then by halves down to four bytes. How a piece is
 * loaded and stored is given by two macros, of the kernel's memory here, of a user's in usercopy.S.
 */
#pragma once
/* clang-format off */

/* \bytes from x1, which moves on, to x8 and those above it. */
.macro LOAD bytes
	.if \bytes == 64
	ldp x8, x9, [x1]
	ldp x10, x11, [x1, #16]
	ldp x12, x13, [x1, #32]
	ldp x14, x15, [x1, #48]
	add x1, x1, #64
	.elseif \bytes == 4
	ldr w8, [x1], #4
	.elseif \bytes == 8
	ldr x8, [x1], #8
	.else
	ldp x8, x9, [x1], #16
	.if \bytes == 32
	ldp x10, x11, [x1], #16
	.endif
	.endif
.endm
/* \bytes from as many of the registers given as it takes (\w: the lower half of the first) to \to, which moves on. */
.macro STORE_FROM bytes, to, w, a, b, c, d, e, f, g, h
	.if \bytes == 64
	stp \a, \b, [\to]
	stp \c, \d, [\to, #16]
	stp \e, \f, [\to, #32]
	stp \g, \h, [\to, #48]
	add \to, \to, #64
	.elseif \bytes == 4
	str \w, [\to], #4
	.elseif \bytes == 8
	str \a, [\to], #8
	.else
	stp \a, \b, [\to], #16
	.if \bytes == 32
	stp \c, \d, [\to], #16
	.endif
	.endif
.endm
/* From those that LOAD fills. */
.macro STORE bytes, to
	STORE_FROM \bytes, \to, w8, x8, x9, x10, x11, x12, x13, x14, x15
.endm

/* x2 bytes but for the last three at the most, which the low bits of x2 count afterwards. */
.macro COPY load, store, to
	subs x2, x2, #64
	b.lo 2f
1:	\load 64
	\store 64, \to
	subs x2, x2, #64
	b.hs 1b
2:	tbz x2, #5, 3f /* the low bits of x2 are what is left */
	\load 32
	\store 32, \to
3:	tbz x2, #4, 4f
	\load 16
	\store 16, \to
4:	tbz x2, #3, 5f
	\load 8
	\store 8, \to
5:	tbz x2, #2, 6f
	\load 4
	\store 4, \to
6:
.endm
/* clang-format on */
