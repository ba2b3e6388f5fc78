/* The finished vDSO, page aligned in the kernel's read-only image. */
	.section .vdso_image, "a"
	.balign 4096
	.globl vdso_image_start, vdso_image_end
	.type vdso_image_start, @object
vdso_image_start:
	.incbin "vdso.so"
vdso_image_end:
	.size vdso_image_start, . - vdso_image_start
	.balign 4096

	.section .note.GNU-stack, "", @progbits
