"""Names of the ABI's constants, as strace(1) prints them. Numbers are Linux's for x86_64 and aarch64 alike,
unless said otherwise. `flags` are bits, joined by |; `enum` is one of a list."""

from __future__ import annotations

import signal

OPEN = {
    0o100: "O_CREAT",
    0o200: "O_EXCL",
    0o400: "O_NOCTTY",
    0o1000: "O_TRUNC",
    0o2000: "O_APPEND",
    0o4000: "O_NONBLOCK",
    0o4010000: "O_SYNC",
    0o10000: "O_DSYNC",
    0o20000: "O_ASYNC",
    0o40000: "O_DIRECT",
    0o100000: "O_LARGEFILE",
    0o20200000: "O_TMPFILE",
    0o200000: "O_DIRECTORY",
    0o400000: "O_NOFOLLOW",
    0o1000000: "O_NOATIME",
    0o2000000: "O_CLOEXEC",
    0o10000000: "O_PATH",
}
ACCESS_MODES = ("O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE")
PROT = {1: "PROT_READ", 2: "PROT_WRITE", 4: "PROT_EXEC", 0x1000000: "PROT_GROWSDOWN"}
MAP = {
    1: "MAP_SHARED",
    2: "MAP_PRIVATE",
    0x10: "MAP_FIXED",
    0x20: "MAP_ANONYMOUS",
    0x40: "MAP_32BIT",
    0x100: "MAP_GROWSDOWN",
    0x800: "MAP_DENYWRITE",
    0x2000: "MAP_LOCKED",
    0x4000: "MAP_NORESERVE",
    0x8000: "MAP_POPULATE",
    0x20000: "MAP_STACK",
    0x100000: "MAP_FIXED_NOREPLACE",
}
AT = {
    0x100: "AT_SYMLINK_NOFOLLOW",
    0x200: "AT_REMOVEDIR",
    0x400: "AT_SYMLINK_FOLLOW",
    0x800: "AT_NO_AUTOMOUNT",
    0x1000: "AT_EMPTY_PATH",
}
MREMAP = {1: "MREMAP_MAYMOVE", 2: "MREMAP_FIXED", 4: "MREMAP_DONTUNMAP"}
MOUNT = {
    1: "MS_RDONLY",
    2: "MS_NOSUID",
    4: "MS_NODEV",
    8: "MS_NOEXEC",
    16: "MS_SYNCHRONOUS",
    32: "MS_REMOUNT",
    1024: "MS_NOATIME",
    4096: "MS_BIND",
    8192: "MS_MOVE",
    16384: "MS_REC",
    1 << 21: "MS_RELATIME",
}
CLONE = {
    0x100: "CLONE_VM",
    0x200: "CLONE_FS",
    0x400: "CLONE_FILES",
    0x800: "CLONE_SIGHAND",
    0x1000: "CLONE_PIDFD",
    0x2000: "CLONE_PTRACE",
    0x4000: "CLONE_VFORK",
    0x8000: "CLONE_PARENT",
    0x10000: "CLONE_THREAD",
    0x20000: "CLONE_NEWNS",
    0x40000: "CLONE_SYSVSEM",
    0x80000: "CLONE_SETTLS",
    0x100000: "CLONE_PARENT_SETTID",
    0x200000: "CLONE_CHILD_CLEARTID",
    0x400000: "CLONE_DETACHED",
    0x800000: "CLONE_UNTRACED",
    0x1000000: "CLONE_CHILD_SETTID",
}
POLL = {
    1: "POLLIN",
    2: "POLLPRI",
    4: "POLLOUT",
    8: "POLLERR",
    0x10: "POLLHUP",
    0x20: "POLLNVAL",
    0x40: "POLLRDNORM",
    0x80: "POLLRDBAND",
    0x100: "POLLWRNORM",
    0x2000: "POLLRDHUP",
}
EPOLL = {
    **{bit: "E" + name for bit, name in POLL.items()},
    1 << 28: "EPOLLEXCLUSIVE",
    1 << 30: "EPOLLONESHOT",
    1 << 31: "EPOLLET",
}
WAIT = {1: "WNOHANG", 2: "WSTOPPED", 4: "WEXITED", 8: "WCONTINUED", 0x1000000: "WNOWAIT"}
SIGACTION = {
    0x04000000: "SA_RESTORER",
    0x08000000: "SA_ONSTACK",
    0x10000000: "SA_RESTART",
    0x20000000: "SA_INTERRUPT",
    0x40000000: "SA_NODEFER",
    0x80000000: "SA_RESETHAND",
    1: "SA_NOCLDSTOP",
    2: "SA_NOCLDWAIT",
    4: "SA_SIGINFO",
}
ACCESS = {4: "R_OK", 2: "W_OK", 1: "X_OK"}
GRND = {1: "GRND_NONBLOCK", 2: "GRND_RANDOM", 4: "GRND_INSECURE"}
CLOEXEC_NONBLOCK = {0o4000: "O_NONBLOCK", 0o2000000: "O_CLOEXEC"}
STACK = {1: "SS_ONSTACK", 2: "SS_DISABLE", 1 << 31: "SS_AUTODISARM"}

SEEK = dict(enumerate(("SEEK_SET", "SEEK_CUR", "SEEK_END", "SEEK_DATA", "SEEK_HOLE")))
SIGMASK = dict(enumerate(("SIG_BLOCK", "SIG_UNBLOCK", "SIG_SETMASK")))
FCNTL = {
    **dict(enumerate("F_DUPFD F_GETFD F_SETFD F_GETFL F_SETFL F_GETLK F_SETLK F_SETLKW F_SETOWN F_GETOWN".split())),
    36: "F_OFD_GETLK",
    37: "F_OFD_SETLK",
    38: "F_OFD_SETLKW",
    1030: "F_DUPFD_CLOEXEC",
    1031: "F_SETPIPE_SZ",
    1032: "F_GETPIPE_SZ",
    1033: "F_ADD_SEALS",
    1034: "F_GET_SEALS",
}
EPOLL_OP = {1: "EPOLL_CTL_ADD", 2: "EPOLL_CTL_DEL", 3: "EPOLL_CTL_MOD"}
MADVISE = {
    **dict(enumerate(("MADV_NORMAL", "MADV_RANDOM", "MADV_SEQUENTIAL", "MADV_WILLNEED", "MADV_DONTNEED"))),
    8: "MADV_FREE",
    10: "MADV_DONTFORK",
    11: "MADV_DOFORK",
    14: "MADV_HUGEPAGE",
    15: "MADV_NOHUGEPAGE",
    18: "MADV_WIPEONFORK",
    20: "MADV_COLD",
    21: "MADV_PAGEOUT",
    22: "MADV_POPULATE_READ",
    23: "MADV_POPULATE_WRITE",
}
CLOCK = dict(
    enumerate(
        (
            "CLOCK_REALTIME CLOCK_MONOTONIC CLOCK_PROCESS_CPUTIME_ID CLOCK_THREAD_CPUTIME_ID CLOCK_MONOTONIC_RAW "
            "CLOCK_REALTIME_COARSE CLOCK_MONOTONIC_COARSE CLOCK_BOOTTIME"
        ).split()
    )
)
RLIMIT = dict(
    enumerate(
        (
            "RLIMIT_CPU RLIMIT_FSIZE RLIMIT_DATA RLIMIT_STACK RLIMIT_CORE RLIMIT_RSS RLIMIT_NPROC RLIMIT_NOFILE "
            "RLIMIT_MEMLOCK RLIMIT_AS RLIMIT_LOCKS RLIMIT_SIGPENDING RLIMIT_MSGQUEUE RLIMIT_NICE RLIMIT_RTPRIO "
            "RLIMIT_RTTIME"
        ).split()
    )
)
ARCH_PRCTL = {0x1001: "ARCH_SET_GS", 0x1002: "ARCH_SET_FS", 0x1003: "ARCH_GET_FS", 0x1004: "ARCH_GET_GS"}
ITIMER = dict(enumerate(("ITIMER_REAL", "ITIMER_VIRTUAL", "ITIMER_PROF")))
IOCTL = {
    0x5401: "TCGETS",
    0x5402: "TCSETS",
    0x5403: "TCSETSW",
    0x5404: "TCSETSF",
    0x540E: "TIOCSCTTY",
    0x540F: "TIOCGPGRP",
    0x5410: "TIOCSPGRP",
    0x5413: "TIOCGWINSZ",
    0x5414: "TIOCSWINSZ",
    0x541B: "FIONREAD",
    0x5421: "FIONBIO",
}
FUTEX = dict(
    enumerate(
        (
            "FUTEX_WAIT FUTEX_WAKE FUTEX_FD FUTEX_REQUEUE FUTEX_CMP_REQUEUE FUTEX_WAKE_OP FUTEX_LOCK_PI "
            "FUTEX_UNLOCK_PI FUTEX_TRYLOCK_PI FUTEX_WAIT_BITSET FUTEX_WAKE_BITSET"
        ).split()
    )
)

NO_NAMES: dict[int, str] = {}
FLAG_SETS = {
    "prot": (PROT, "PROT_NONE"),
    "map": (MAP, "0"),
    "at": (AT, "0"),
    "mremap": (MREMAP, "0"),
    "mount": (MOUNT, "0"),
    "clone": (CLONE, "0"),
}
ENUM_SETS = {"seek": SEEK, "sigmask": SIGMASK, "fcntl": FCNTL, "epoll_op": EPOLL_OP, "madvise": MADVISE}

# Arguments whose type in the table is a plain number, by call and name of the argument.
FLAG_ARGS = {
    ("access", "mode"): (ACCESS, "F_OK"),
    ("faccessat", "mode"): (ACCESS, "F_OK"),
    ("faccessat2", "mode"): (ACCESS, "F_OK"),
    ("getrandom", "flags"): (GRND, "0"),
    ("wait4", "options"): (WAIT, "0"),
    ("waitid", "options"): (WAIT, "0"),
    ("dup3", "flags"): (CLOEXEC_NONBLOCK, "0"),
    ("clock_nanosleep", "flags"): ({1: "TIMER_ABSTIME"}, "0"),
    ("timer_settime", "flags"): ({1: "TIMER_ABSTIME"}, "0"),
    ("epoll_create1", "flags"): ({0o2000000: "EPOLL_CLOEXEC"}, "0"),
    ("eventfd2", "flags"): ({1: "EFD_SEMAPHORE", 0o4000: "EFD_NONBLOCK", 0o2000000: "EFD_CLOEXEC"}, "0"),
    ("memfd_create", "flags"): ({1: "MFD_CLOEXEC", 2: "MFD_ALLOW_SEALING"}, "0"),
}
ENUM_ARGS = {
    ("prlimit64", "resource"): RLIMIT,
    ("getrlimit", "resource"): RLIMIT,
    ("setrlimit", "resource"): RLIMIT,
    ("arch_prctl", "op"): ARCH_PRCTL,
    ("setitimer", "which"): ITIMER,
    ("getitimer", "which"): ITIMER,
    ("ioctl", "cmd"): IOCTL,
    ("getrusage", "who"): {0: "RUSAGE_SELF", 1: "RUSAGE_THREAD", -1: "RUSAGE_CHILDREN"},
    ("waitid", "which"): {0: "P_ALL", 1: "P_PID", 2: "P_PGID", 3: "P_PIDFD"},
}

SIGNALS = {int(number): number.name for number in signal.Signals if int(number) < 32}
SIGNALS[signal.SIGPOLL] = "SIGIO"
SI_CODES = {0: "SI_USER", 0x80: "SI_KERNEL", -1: "SI_QUEUE", -2: "SI_TIMER", -6: "SI_TKILL"}
FAULT_CODES: dict[int, dict[int, str]] = {
    signal.SIGSEGV: {1: "SEGV_MAPERR", 2: "SEGV_ACCERR"},
    signal.SIGBUS: {1: "BUS_ADRALN", 2: "BUS_ADRERR", 3: "BUS_OBJERR"},
    signal.SIGILL: {1: "ILL_ILLOPC", 2: "ILL_ILLOPN", 5: "ILL_PRVOPC"},
    signal.SIGFPE: {1: "FPE_INTDIV", 2: "FPE_INTOVF", 3: "FPE_FLTDIV", 7: "FPE_FLTINV"},
    signal.SIGTRAP: {1: "TRAP_BRKPT", 2: "TRAP_TRACE"},
    signal.SIGCHLD: dict(
        enumerate(("", "CLD_EXITED", "CLD_KILLED", "CLD_DUMPED", "CLD_TRAPPED", "CLD_STOPPED", "CLD_CONTINUED"))
    ),
}
RESTARTS = {
    512: ("ERESTARTSYS", "To be restarted if SA_RESTART is set"),
    513: ("ERESTARTNOINTR", "To be restarted"),
    514: ("ERESTARTNOHAND", "To be restarted if no handler"),
    516: ("ERESTART_RESTARTBLOCK", "Interrupted by signal"),
}


def signal_name(number: int) -> str:
    if number in SIGNALS:
        return SIGNALS[number]
    return f"SIGRT_{number - 32}" if 32 <= number <= 64 else str(number)


def flags(value: int, names: dict[int, str], none: str) -> str:
    """Bits by name, the longest first; what has no name in hex."""
    if value == 0:
        return none
    words = []
    for bits, name in sorted(names.items(), key=lambda pair: -bin(pair[0]).count("1")):
        if value & bits == bits:
            words.append((list(names).index(bits), name))
            value &= ~bits
    out = [name for _, name in sorted(words)]
    return "|".join([*out, *([f"{value:#x}"] if value else [])])


def open_flags(value: int) -> str:
    rest = flags(value & ~3, OPEN, "")
    return ACCESS_MODES[value & 3] + (f"|{rest}" if rest else "")


def signal_set(value: int) -> str:
    """[USR1 CHLD], or ~[…] when most are in it."""
    inverted = bin(value).count("1") > 32
    value = ~value & (1 << 64) - 1 if inverted else value
    names = [signal_name(number)[3:] for number in range(1, 65) if value >> (number - 1) & 1]
    return ("~" if inverted else "") + "[" + " ".join(names) + "]"
