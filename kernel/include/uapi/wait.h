/* Waiting for children in the Linux ABI: options, and the form of a wait status. */
#pragma once

#define WNOHANG 0x00000001
#define WUNTRACED 0x00000002
#define WSTOPPED WUNTRACED
#define WEXITED 0x00000004
#define WCONTINUED 0x00000008
#define WNOWAIT 0x01000000
#define __WNOTHREAD 0x20000000
#define __WALL 0x40000000
#define __WCLONE 0x80000000u

#define P_ALL 0
#define P_PID 1
#define P_PGID 2
#define P_PIDFD 3

/* Wait statuses. */
#define WSTATUS_EXIT(code) (((u32)(code)&0xff) << 8)
#define WSTATUS_SIGNAL(sig) ((u32)(sig))
#define WSTATUS_CORE 0x80u
#define WSTATUS_STOP(sig) ((u32)(sig) << 8 | 0x7f)
#define WSTATUS_CONTINUED 0xffffu
