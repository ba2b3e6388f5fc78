"""Names of the ABI's numbers. Pure."""

from __future__ import annotations

import errno

SIGNALS = ("", "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE",
           "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ",
           "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS")  # fmt: skip
SA_FLAGS = ((1, "NOCLDSTOP"), (2, "NOCLDWAIT"), (4, "SIGINFO"), (0x04000000, "RESTORER"), (0x08000000, "ONSTACK"),
            (0x10000000, "RESTART"), (0x40000000, "NODEFER"), (0x80000000, "RESETHAND"))  # fmt: skip
SI_CODES = {0: "SI_USER", 0x80: "SI_KERNEL", -1: "SI_QUEUE", -2: "SI_TIMER", -3: "SI_MESGQ", -4: "SI_ASYNCIO",
            -5: "SI_SIGIO", -6: "SI_TKILL"}  # fmt: skip
FAULT_CODES = {
    4: {1: "ILL_ILLOPC", 2: "ILL_ILLOPN", 3: "ILL_ILLADR", 4: "ILL_ILLTRP", 5: "ILL_PRVOPC", 8: "ILL_BADSTK"},
    5: {1: "TRAP_BRKPT", 2: "TRAP_TRACE", 4: "TRAP_HWBKPT"},
    7: {1: "BUS_ADRALN", 2: "BUS_ADRERR", 3: "BUS_OBJERR"},
    8: {1: "FPE_INTDIV", 2: "FPE_INTOVF", 3: "FPE_FLTDIV", 4: "FPE_FLTOVF", 7: "FPE_FLTINV"},
    11: {1: "SEGV_MAPERR", 2: "SEGV_ACCERR", 4: "SEGV_PKUERR"},
    17: {1: "CLD_EXITED", 2: "CLD_KILLED", 3: "CLD_DUMPED", 5: "CLD_STOPPED", 6: "CLD_CONTINUED"},
}
# The kernel's own, which never reach a program.
RESTARTS = {512: "ERESTARTSYS", 513: "ERESTARTNOINTR", 514: "ERESTARTNOHAND", 516: "ERESTART_RESTARTBLOCK"}


def signal_name(number: int) -> str:
    if 0 < number < len(SIGNALS):
        return f"SIG{SIGNALS[number]}"
    return f"SIGRTMIN+{number - 32}" if 32 <= number <= 64 else f"signal {number}"


def signal_set(mask: int) -> str:
    """A set in words; a nearly full one by what it lacks."""
    names = [signal_name(n) for n in range(1, 65) if mask >> (n - 1) & 1]
    if len(names) > 32:
        missing = [signal_name(n) for n in range(1, 65) if not mask >> (n - 1) & 1]
        return "all" + (f" but {' '.join(missing)}" if missing else "")
    return " ".join(names) or "none"


def bits(value: int, names: tuple[tuple[int, str], ...]) -> str:
    words = [name for bit, name in names if value & bit]
    left = value & ~sum(bit for bit, _ in names)
    return " ".join(words + ([f"{left:#x}"] if left else [])) or "none"


def si_code(signo: int, code: int) -> str:
    if code > 0 and code != 0x80:
        return FAULT_CODES.get(signo, {}).get(code, str(code))
    return SI_CODES.get(code, str(code))


def result_text(result: int) -> str:
    """A system call's result as strace shows it."""
    if -4096 < result < 0:
        name = RESTARTS.get(-result) or errno.errorcode.get(-result)
        return f"-1 {name}" if name else str(result)
    return str(result) if abs(result) < 1 << 20 else f"{result & (1 << 64) - 1:#x}"
