/*
 * Copies to and from user memory. The C side (arch/common/usercopy.c) has checked the range; a page that is not
 * there is faulted in by the page-fault handler, and an address that cannot be reached goes on at the
 * fixup beside it.
 */
#include <arch/ex_table.h>
#include <asm/smap.h>

	.text

/* in: rdi to, rsi from, rdx bytes. out: rax bytes not copied. */
	.globl user_copy_in, user_copy_out
	.type user_copy_in, @function
	.type user_copy_out, @function
	.balign 16
user_copy_in:
user_copy_out:
	USER_ACCESS_BEGIN
	movq %rdx, %rcx
	shrq $3, %rcx
	andl $7, %edx
1:	rep movsq
	movl %edx, %ecx
2:	rep movsb
	movq %rcx, %rax
3:	USER_ACCESS_END
	ret
4:	leaq (%rdx, %rcx, 8), %rcx /* the qword that faulted may lie half in reach */
	jmp 2b
5:	movq %rcx, %rax
	jmp 3b
	EX_TABLE 1b, 4b
	EX_TABLE 2b, 5b
	.size user_copy_in, . - user_copy_in
	.size user_copy_out, . - user_copy_out

/* in: rdi to, rsi bytes. out: rax bytes not cleared. */
	.globl user_clear
	.type user_clear, @function
	.balign 16
user_clear:
	USER_ACCESS_BEGIN
	xorl %eax, %eax
	movq %rsi, %rcx
	shrq $3, %rcx
	andl $7, %esi
1:	rep stosq
	movl %esi, %ecx
2:	rep stosb
3:	movq %rcx, %rax
	USER_ACCESS_END
	ret
4:	leaq (%rsi, %rcx, 8), %rcx
	jmp 2b
	EX_TABLE 1b, 4b
	EX_TABLE 2b, 3b
	.size user_clear, . - user_clear

/*
 * in: rdi to, rsi from, rdx most bytes to look at. out: rax the string's length, rdx if there is no NUL
 * within, -1 for a bad address. Eight bytes a step; up to seven bytes behind the NUL may be copied too.
 */
	.globl user_copy_string
	.type user_copy_string, @function
	.balign 16
user_copy_string:
	USER_ACCESS_BEGIN
	xorl %eax, %eax
	movabsq $0x0101010101010101, %r8
	movabsq $0x8080808080808080, %r9
1:	leaq 8(%rax), %rcx
	cmpq %rdx, %rcx
	ja 4f
2:	movq (%rsi, %rax), %rcx
	movq %rcx, (%rdi, %rax)
	movq %rcx, %r10
	subq %r8, %r10
	notq %rcx
	andq %rcx, %r10
	andq %r9, %r10
	jnz 3f
	addq $8, %rax
	jmp 1b
3:	bsfq %r10, %r10
	shrl $3, %r10d
	addq %r10, %rax
	jmp 6f
4:	cmpq %rdx, %rax
	jae 6f
5:	movb (%rsi, %rax), %cl
	movb %cl, (%rdi, %rax)
	testb %cl, %cl
	jz 6f
	incq %rax
	jmp 4b
6:	USER_ACCESS_END
	ret
7:	movq $-1, %rax
	jmp 6b
	EX_TABLE 2b, 4b
	EX_TABLE 5b, 7b
	.size user_copy_string, . - user_copy_string

/* in: rdi string, rsi most bytes to look at. out: rax as above. */
	.globl user_measure_string
	.type user_measure_string, @function
	.balign 16
user_measure_string:
	USER_ACCESS_BEGIN
	xorl %eax, %eax
1:	cmpq %rsi, %rax
	jae 3f
2:	cmpb $0, (%rdi, %rax)
	je 3f
	incq %rax
	jmp 1b
3:	USER_ACCESS_END
	ret
4:	movq $-1, %rax
	jmp 3b
	EX_TABLE 2b, 4b
	.size user_measure_string, . - user_measure_string

	.section .note.GNU-stack, "", @progbits
