/* Where in the vDSO's image the return from a signal handler lies: the linker script puts it there. */
#pragma once
#define VDSO_SIGRETURN 0x800
