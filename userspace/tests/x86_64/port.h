/* What the tests need to know of x86_64. */
#pragma once
#define PORT_MACHINE "x86_64" /* as uname(2) says */
#define PORT_RETURN_42 0xb8, 0x2a, 0, 0, 0, 0xc3 /* mov $42, %eax; ret */
#define PORT_CLONE_LAST(child_tid, tls) child_tid, tls /* clone(2): fourth and fifth argument */
#define PORT_VDSO_CLOCK "__vdso_clock_gettime"
#define PORT_FRAME_START(si, uc)                                                                   \
	((void)(si), (char *)(uc)-8) /* of a signal frame: its lowest address */
#define PORT_SAVED_SP(uc) ((uc)->uc_mcontext.gregs[REG_RSP])
#define PORT_ALTSTACK_BOUND 1 /* no frame leaves the alternate stack */
#define PORT_ADD_ONE(symbol) "incl " symbol "(%rip)"
