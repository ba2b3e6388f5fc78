/* The finished vDSO, in whole pages of the kernel's read-only image. */
	.section .vdso_image, "a"
	.balign 4096
	.globl vdso_image_start, vdso_image_end
	.type vdso_image_start, @object
vdso_image_start:
	.incbin "vdso.so"
	.balign 4096
vdso_image_end:
	.size vdso_image_start, . - vdso_image_start

	.section .note.GNU-stack, "", @progbits
