/* Signals in the Linux ABI: numbers, actions, siginfo, alternate stacks, notification of timers. */
#pragma once
#include <asm/abi.h>
#include <lib/types.h>

#define SIGHUP 1
#define SIGINT 2
#define SIGQUIT 3
#define SIGILL 4
#define SIGTRAP 5
#define SIGABRT 6
#define SIGBUS 7
#define SIGFPE 8
#define SIGKILL 9
#define SIGUSR1 10
#define SIGSEGV 11
#define SIGUSR2 12
#define SIGPIPE 13
#define SIGALRM 14
#define SIGTERM 15
#define SIGSTKFLT 16
#define SIGCHLD 17
#define SIGCONT 18
#define SIGSTOP 19
#define SIGTSTP 20
#define SIGTTIN 21
#define SIGTTOU 22
#define SIGURG 23
#define SIGXCPU 24
#define SIGXFSZ 25
#define SIGVTALRM 26
#define SIGPROF 27
#define SIGWINCH 28
#define SIGIO 29
#define SIGPOLL SIGIO
#define SIGPWR 30
#define SIGSYS 31
#define SIGRTMIN 32
#define SIGRTMAX 64
#define NSIG 64
#define sigmask(sig) BIT((sig)-1) /* the bit of a signal in a set */

#define SIG_DFL 0ul
#define SIG_IGN 1ul

#define SIG_BLOCK 0
#define SIG_UNBLOCK 1
#define SIG_SETMASK 2

#define SA_NOCLDSTOP 0x00000001ul
#define SA_NOCLDWAIT 0x00000002ul
#define SA_SIGINFO 0x00000004ul
#define SA_UNSUPPORTED 0x00000400ul
#define SA_EXPOSE_TAGBITS 0x00000800ul
#define SA_RESTORER 0x04000000ul
#define SA_ONSTACK 0x08000000ul
#define SA_RESTART 0x10000000ul
#define SA_NODEFER 0x40000000ul
#define SA_RESETHAND 0x80000000ul
#define SA_FLAGS_KNOWN                                                                             \
	(SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_EXPOSE_TAGBITS | SA_RESTORER | SA_ONSTACK | \
	 SA_RESTART | SA_NODEFER | SA_RESETHAND)

/* struct sigaction as the system call passes it; sets are one 64-bit word. */
struct ksigaction {
	u64 handler;
	u64 flags;
	u64 restorer;
	u64 mask;
};

/* stack_t */
struct sigaltstack {
	u64 sp;
	s32 flags;
	u32 pad_;
	u64 size;
};
#define SS_ONSTACK 1
#define SS_DISABLE 2
#define SS_AUTODISARM (1u << 31)

/* Values of si_code: sender kinds, then per signal. */
#define SI_USER 0
#define SI_KERNEL 0x80
#define SI_QUEUE (-1)
#define SI_TIMER (-2)
#define SI_MESGQ (-3)
#define SI_ASYNCIO (-4)
#define SI_SIGIO (-5)
#define SI_TKILL (-6)
#define SI_DETHREAD (-7)
#define SI_ASYNCNL (-60)

#define ILL_ILLOPC 1
#define ILL_ILLOPN 2
#define ILL_ILLADR 3
#define ILL_ILLTRP 4
#define ILL_PRVOPC 5
#define ILL_PRVREG 6
#define ILL_COPROC 7
#define ILL_BADSTK 8

#define FPE_INTDIV 1
#define FPE_INTOVF 2
#define FPE_FLTDIV 3
#define FPE_FLTOVF 4
#define FPE_FLTUND 5
#define FPE_FLTRES 6
#define FPE_FLTINV 7
#define FPE_FLTSUB 8

#define SEGV_MAPERR 1
#define SEGV_ACCERR 2
#define SEGV_BNDERR 3
#define SEGV_PKUERR 4

#define BUS_ADRALN 1
#define BUS_ADRERR 2
#define BUS_OBJERR 3

#define TRAP_BRKPT 1
#define TRAP_TRACE 2
#define TRAP_BRANCH 3
#define TRAP_HWBKPT 4

#define CLD_EXITED 1
#define CLD_KILLED 2
#define CLD_DUMPED 3
#define CLD_TRAPPED 4
#define CLD_STOPPED 5
#define CLD_CONTINUED 6

#define POLL_IN 1
#define POLL_OUT 2
#define POLL_MSG 3
#define POLL_ERR 4
#define POLL_PRI 5
#define POLL_HUP 6

/* siginfo_t: 128 bytes; which member of the union holds follows from signo and code. */
struct siginfo {
	s32 si_signo, si_errno, si_code;
	s32 pad_;
	union {
		struct {
			s32 si_pid; /* kill, rt_sigqueueinfo */
			u32 si_uid;
			u64 si_value;
		};
		struct {
			s32 si_timerid; /* POSIX timers */
			s32 si_overrun;
			u64 si_timer_value;
			s32 si_sys_private;
		};
		struct {
			s32 si_child_pid; /* SIGCHLD; as si_pid, si_uid */
			u32 si_child_uid;
			s32 si_status;
			s32 pad2_;
			s64 si_utime, si_stime; /* clock ticks, USER_HZ */
		};
		struct {
			u64 si_addr; /* faults */
			s16 si_addr_lsb;
			s16 pad3_[3];
			u64 si_lower, si_upper;
		};
		struct {
			s64 si_band; /* SIGIO */
			s32 si_fd;
		};
		struct {
			u64 si_call_addr; /* SIGSYS */
			s32 si_syscall;
			u32 si_arch;
		};
		u64 data_[14];
	};
};
BUILD_ASSERT(sizeof(struct siginfo) == 128);

#define SIGEV_SIGNAL 0
#define SIGEV_NONE 1
#define SIGEV_THREAD 2
#define SIGEV_THREAD_ID 4

struct sigevent {
	u64 sigev_value;
	s32 sigev_signo;
	s32 sigev_notify;
	s32 sigev_tid;
	s32 pad_[11];
};
BUILD_ASSERT(sizeof(struct sigevent) == 64);
