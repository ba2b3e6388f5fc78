/* What the tests need to know of x86_64. */
#pragma once
#define PORT_MACHINE "x86_64" /* as uname(2) says */
#define PORT_RETURN_42 0xb8, 0x2a, 0, 0, 0, 0xc3 /* mov $42, %eax; ret */
#define PORT_CLONE_LAST(child_tid, tls) child_tid, tls /* clone(2): fourth and fifth argument */
#define PORT_VDSO_CLOCK "__vdso_clock_gettime"
