/* The vector registers, FPSR and FPCR to and from struct fpu_state. Nothing else is touched but x9, x10. */
	.text

.macro EACH_PAIR insn
	\insn q0, q1, [x0, #16 + 32 * 0]
	\insn q2, q3, [x0, #16 + 32 * 1]
	\insn q4, q5, [x0, #16 + 32 * 2]
	\insn q6, q7, [x0, #16 + 32 * 3]
	\insn q8, q9, [x0, #16 + 32 * 4]
	\insn q10, q11, [x0, #16 + 32 * 5]
	\insn q12, q13, [x0, #16 + 32 * 6]
	\insn q14, q15, [x0, #16 + 32 * 7]
	\insn q16, q17, [x0, #16 + 32 * 8]
	\insn q18, q19, [x0, #16 + 32 * 9]
	\insn q20, q21, [x0, #16 + 32 * 10]
	\insn q22, q23, [x0, #16 + 32 * 11]
	\insn q24, q25, [x0, #16 + 32 * 12]
	\insn q26, q27, [x0, #16 + 32 * 13]
	\insn q28, q29, [x0, #16 + 32 * 14]
	\insn q30, q31, [x0, #16 + 32 * 15]
.endm

/* in: x0 where to. */
	.globl fpu_regs_save
	.type fpu_regs_save, @function
fpu_regs_save:
	EACH_PAIR stp
	mrs x9, fpsr
	mrs x10, fpcr
	stp w9, w10, [x0, #8]
	ret
	.size fpu_regs_save, . - fpu_regs_save

/* in: x0 where from. */
	.globl fpu_regs_load
	.type fpu_regs_load, @function
fpu_regs_load:
	EACH_PAIR ldp
	ldp w9, w10, [x0, #8]
	msr fpsr, x9
	msr fpcr, x10
	ret
	.size fpu_regs_load, . - fpu_regs_load

	.section .note.GNU-stack, "", @progbits
