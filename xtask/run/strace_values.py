"""Values of system calls as strace(1) prints them: quoted bytes, structures, results. Pure."""

from __future__ import annotations

import errno
import os
import stat
import struct

from . import strace_names as names

STRING_SHOWN = 32
ESCAPES = {9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r", 34: '\\"', 92: "\\\\"}
INFINITY = (1 << 64) - 1


def quote(data: bytes, more: bool = False) -> str:
    """A C string: octal escapes as short as the next byte lets them be; ... when there is more."""
    out = []
    for place, byte in enumerate(data):
        if byte in ESCAPES:
            out.append(ESCAPES[byte])
        elif 32 <= byte < 127:
            out.append(chr(byte))
        else:
            digit_next = place + 1 < len(data) and 0x30 <= data[place + 1] <= 0x37
            out.append(f"\\{byte:03o}" if digit_next else f"\\{byte:o}")
    return '"' + "".join(out) + '"' + ("..." if more else "")


def quote_hex(data: bytes, more: bool = False) -> str:
    return '"' + "".join(f"\\x{byte:02x}" for byte in data) + '"' + ("..." if more else "")


def signed(value: int, bits: int = 64) -> int:
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def pointer(value: int) -> str:
    return f"{value:#x}" if value else "NULL"


def mode_octal(value: int) -> str:
    return f"0{value:03o}"


def file_mode(value: int) -> str:
    kinds = {
        stat.S_IFSOCK: "S_IFSOCK",
        stat.S_IFLNK: "S_IFLNK",
        stat.S_IFREG: "S_IFREG",
        stat.S_IFBLK: "S_IFBLK",
        stat.S_IFDIR: "S_IFDIR",
        stat.S_IFCHR: "S_IFCHR",
        stat.S_IFIFO: "S_IFIFO",
    }
    special = "".join(f"|{name}" for bit, name in ((0o4000, "S_ISUID"), (0o2000, "S_ISGID"), (0o1000, "S_ISVTX")) if value & bit)
    return f"{kinds.get(stat.S_IFMT(value), hex(stat.S_IFMT(value)))}{special}|{mode_octal(value & 0o777)}"


def device(value: int) -> str:
    return f"makedev({os.major(value):#x}, {os.minor(value):#x})"


def file_stat(data: bytes) -> str:
    """x86_64 has a layout of its own, the other ports the generic one, which is shorter."""
    layout = "<24xI12xQQ" if len(data) == 144 else "<16xI12xQ8xQ"
    file_type, rdev, size = struct.unpack_from(layout, data)
    special = stat.S_ISCHR(file_type) or stat.S_ISBLK(file_type)
    what = f"st_rdev={device(rdev)}" if special else f"st_size={size}"
    return f"{{st_mode={file_mode(file_type)}, {what}, ...}}"


def timespec(data: bytes) -> str:
    seconds, ns = struct.unpack_from("<qq", data)
    return f"{{tv_sec={seconds}, tv_nsec={ns}}}"


def timeval(data: bytes) -> str:
    seconds, us = struct.unpack_from("<qq", data)
    return f"{{tv_sec={seconds}, tv_usec={us}}}"


def itimerval(data: bytes) -> str:
    return f"{{it_interval={timeval(data)}, it_value={timeval(data[16:])}}}"


def itimerspec(data: bytes) -> str:
    return f"{{it_interval={timespec(data)}, it_value={timespec(data[16:])}}}"


def limit(value: int) -> str:
    if value == INFINITY:
        return "RLIM64_INFINITY"
    return f"{value // 1024}*1024" if value > 1024 and value % 1024 == 0 else str(value)


def rlimit(data: bytes) -> str:
    soft, hard = struct.unpack_from("<QQ", data)
    return f"{{rlim_cur={limit(soft)}, rlim_max={limit(hard)}}}"


def sigset(data: bytes) -> str:
    return names.signal_set(int.from_bytes(data[:8], "little"))


def sigaction(data: bytes) -> str:
    handler, bits, restorer, mask = struct.unpack_from("<QQQQ", data)
    shown = {0: "SIG_DFL", 1: "SIG_IGN"}.get(handler, f"{handler:#x}")
    field = "sa_sigaction" if bits & 4 else "sa_handler"
    text = f"{{{field}={shown}, sa_mask={names.signal_set(mask)}, sa_flags={names.flags(bits, names.SIGACTION, '0')}"
    return text + (f", sa_restorer={restorer:#x}}}" if bits & 0x04000000 else "}")


def stack(data: bytes) -> str:
    sp, bits, size = struct.unpack_from("<QI4xQ", data)
    return f"{{ss_sp={pointer(sp)}, ss_flags={names.flags(bits, names.STACK, '0')}, ss_size={size}}}"


def utsname(data: bytes) -> str:
    words = [data[65 * n : 65 * n + 65].split(b"\0")[0] for n in range(3)]
    return f"{{sysname={quote(words[0])}, nodename={quote(words[1])}, ...}}"


def int32(data: bytes) -> str:
    return f"[{int.from_bytes(data[:4], 'little', signed=True)}]"


def int64(data: bytes) -> str:
    return f"[{int.from_bytes(data[:8], 'little', signed=True)}]"


def fd_pair(data: bytes) -> str:
    first, second = struct.unpack_from("<ii", data)
    return f"[{first}, {second}]"


def epoll_event(data: bytes) -> str:
    events, value = struct.unpack_from("<IQ", data)
    return f"{{events={names.flags(events, names.EPOLL, '0')}, data={{u32={value & 0xFFFFFFFF}, u64={value}}}}}"


def wait_status(data: bytes) -> str:
    value = int.from_bytes(data[:4], "little")
    if value & 0x7F == 0:
        return f"[{{WIFEXITED(s) && WEXITSTATUS(s) == {value >> 8 & 255}}}]"
    if value & 0xFF == 0x7F:
        return f"[{{WIFSTOPPED(s) && WSTOPSIG(s) == {names.signal_name(value >> 8 & 255)}}}]"
    core = " && WCOREDUMP(s)" if value & 0x80 else ""
    return f"[{{WIFSIGNALED(s) && WTERMSIG(s) == {names.signal_name(value & 0x7F)}{core}}}]"


# type of syscalls.tbl: (bytes needed, decoder)
STRUCTS = {
    "stat": (128, file_stat),
    "timespec": (16, timespec),
    "timespec_out": (16, timespec),
    "timeval": (16, timeval),
    "timeval_out": (16, timeval),
    "itimerval": (32, itimerval),
    "itimerspec": (32, itimerspec),
    "rlimit": (16, rlimit),
    "sigset": (8, sigset),
    "sigaction": (32, sigaction),
    "stack": (24, stack),
    "utsname": (390, utsname),
    "fds_out": (8, fd_pair),
    "int_in": (4, int32),
    "int_out": (4, int32),
    "tid_out": (4, int32),
    "off_inout": (8, int64),
    "long_out": (8, int64),
    "epoll_event": (12, epoll_event),
}
# What the kernel fills: shown as an address when the call failed.
FILLED = {
    "stat", "utsname", "fds_out", "timespec_out", "timeval_out", "buf_out", "long_out", "int_out", "tid_out",
}  # fmt: skip
FILLED_ARGS = {"old", "rem"}
IN_HEX = {"mmap", "brk", "mremap"}


def result(name: str, value: int | None) -> str:
    """What stands behind the equals sign."""
    if value is None:
        return "?"
    if -value in names.RESTARTS:
        word, text = names.RESTARTS[-value]
        return f"? {word} ({text})"
    if -4096 < value < 0:
        word = errno.errorcode.get(-value, f"ERRNO_{-value}")
        return f"-1 {word} ({os.strerror(-value)})"
    return f"{value & INFINITY:#x}" if name in IN_HEX else str(value)
