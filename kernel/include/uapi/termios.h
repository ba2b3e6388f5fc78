/* Terminals in the ABI: termios, winsize, ioctl commands. Manual: termios(3), ioctl_tty(2). */
#pragma once
#include <lib/types.h>

#define TERMIOS_NCCS 19

struct ktermios { /* struct termios of the ABI; termios2 with the speeds behind */
	u32 c_iflag, c_oflag, c_cflag, c_lflag;
	u8 c_line;
	u8 c_cc[TERMIOS_NCCS];
	u32 c_ispeed, c_ospeed;
};
#define TERMIOS_SIZE 36u
#define TERMIOS2_SIZE 44u

struct kwinsize {
	u16 ws_row, ws_col, ws_xpixel, ws_ypixel;
};

enum {
	K_VINTR,
	K_VQUIT,
	K_VERASE,
	K_VKILL,
	K_VEOF,
	K_VTIME,
	K_VMIN,
	K_VSWTC,
	K_VSTART,
	K_VSTOP,
	K_VSUSP,
	K_VEOL,
	K_VREPRINT,
	K_VDISCARD,
	K_VWERASE,
	K_VLNEXT,
	K_VEOL2,
};

/* c_iflag */
#define K_IGNBRK 0000001u
#define K_BRKINT 0000002u
#define K_PARMRK 0000010u
#define K_ISTRIP 0000040u
#define K_INLCR 0000100u
#define K_IGNCR 0000200u
#define K_ICRNL 0000400u
#define K_IUCLC 0001000u
#define K_IXON 0002000u
#define K_IXANY 0004000u
#define K_IXOFF 0010000u
#define K_IMAXBEL 0020000u
#define K_IUTF8 0040000u
/* c_oflag */
#define K_OPOST 0000001u
#define K_OLCUC 0000002u
#define K_ONLCR 0000004u
#define K_OCRNL 0000010u
#define K_ONOCR 0000020u
#define K_ONLRET 0000040u
#define K_TABDLY 0014000u
#define K_XTABS 0014000u
/* c_cflag */
#define K_CBAUD 0010017u
#define K_B38400 0000017u
#define K_CS8 0000060u
#define K_CREAD 0000200u
#define K_HUPCL 0002000u
#define K_B115200 0010002u
/* c_lflag */
#define K_ISIG 0000001u
#define K_ICANON 0000002u
#define K_ECHO 0000010u
#define K_ECHOE 0000020u
#define K_ECHOK 0000040u
#define K_ECHONL 0000100u
#define K_NOFLSH 0000200u
#define K_TOSTOP 0000400u
#define K_ECHOCTL 0001000u
#define K_ECHOPRT 0002000u
#define K_ECHOKE 0004000u
#define K_IEXTEN 0100000u

#ifndef TCGETS /* (tests on the host bring them) */
#define TCGETS 0x5401
#define TCSETS 0x5402
#define TCSETSW 0x5403
#define TCSETSF 0x5404
#define TCSBRK 0x5409
#define TCXONC 0x540a
#define TCFLSH 0x540b
#define TIOCEXCL 0x540c
#define TIOCNXCL 0x540d
#define TIOCSCTTY 0x540e
#define TIOCGPGRP 0x540f
#define TIOCSPGRP 0x5410
#define TIOCOUTQ 0x5411
#define TIOCSTI 0x5412
#define TIOCGWINSZ 0x5413
#define TIOCSWINSZ 0x5414
#define TIOCINQ 0x541b
#define TIOCPKT 0x5420
#define TIOCNOTTY 0x5422
#define TIOCSETD 0x5423
#define TIOCGETD 0x5424
#define TCSBRKP 0x5425
#define TIOCGSID 0x5429
#define TCGETS2 0x802c542a
#define TCSETS2 0x402c542b
#define TCSETSW2 0x402c542c
#define TCSETSF2 0x402c542d
#define TIOCGPTN 0x80045430
#define TIOCSPTLCK 0x40045431
#define TIOCGDEV 0x80045432
#define TIOCSIG 0x40045436
#define TIOCGPKT 0x80045438
#define TIOCGPTLCK 0x80045439
#define TIOCGEXCL 0x80045440
#define TIOCGPTPEER 0x5441
#endif

/* TCFLSH, TCXONC arguments. */
enum { TCIFLUSH_, TCOFLUSH_, TCIOFLUSH_ };
enum { TCOOFF_, TCOON_, TCIOFF_, TCION_ };
