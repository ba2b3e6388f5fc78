/* What the tests need to know of aarch64. */
#pragma once
#define PORT_MACHINE "aarch64" /* as uname(2) says */
#define PORT_RETURN_42 0x40, 0x05, 0x80, 0x52, 0xc0, 0x03, 0x5f, 0xd6 /* mov w0, #42; ret */
#define PORT_CLONE_LAST(child_tid, tls) tls, child_tid /* clone(2): fourth and fifth argument */
#define PORT_VDSO_CLOCK "__kernel_clock_gettime"
#define PORT_FRAME_START(si, uc)                                                                   \
	((void)(uc), (char *)(si)) /* of a signal frame: its lowest address */
#define PORT_SAVED_SP(uc) ((uc)->uc_mcontext.sp)
#define PORT_ALTSTACK_BOUND 0 /* frames go below the alternate stack where memory is mapped */
#define PORT_ADD_ONE(symbol)                                                                       \
	"adrp x9, " symbol "; add x9, x9, :lo12:" symbol                                           \
	"; ldr w10, [x9]; add w10, w10, #1; str w10, [x9]"
