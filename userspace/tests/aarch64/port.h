/* What the tests need to know of aarch64. */
#pragma once
#define PORT_MACHINE "aarch64" /* as uname(2) says */
#define PORT_RETURN_42 0x40, 0x05, 0x80, 0x52, 0xc0, 0x03, 0x5f, 0xd6 /* mov w0, #42; ret */
#define PORT_CLONE_LAST(child_tid, tls) tls, child_tid /* clone(2): fourth and fifth argument */
#define PORT_VDSO_CLOCK "__kernel_clock_gettime"
