"""Types of system-call arguments: how each is passed in C, and which decoder shows it in a trace.

The one place where a type of syscalls.tbl gets its meaning. A pointer of any kind is a uptr_t in C (the
kernel never dereferences it, it copies); the name of its type says what lies there. `flags:SET` and
`enum:SET` name a set of constants for decoding.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ArgType:
    c_type: str
    decoder: str  # what a trace prints: signed, unsigned, hex, octal, fd, string, buffer, struct ...
    is_pointer: bool = False


def pointer(decoder: str) -> ArgType:
    return ArgType("uptr_t", decoder, True)


SCALARS: dict[str, ArgType] = {
    "fd": ArgType("int", "fd"),
    "int": ArgType("int", "signed"),
    "uint": ArgType("unsigned int", "unsigned"),
    "long": ArgType("long", "signed"),
    "ulong": ArgType("unsigned long", "hex"),
    "u32": ArgType("u32", "unsigned"),
    "u64": ArgType("u64", "unsigned"),
    "s64": ArgType("s64", "signed"),
    "size": ArgType("size_t", "unsigned"),
    "ssize": ArgType("long", "signed"),
    "off": ArgType("long", "signed"),
    "pid": ArgType("int", "signed"),
    "uid": ArgType("unsigned int", "id"),
    "gid": ArgType("unsigned int", "id"),
    "mode": ArgType("unsigned int", "octal"),
    "dev": ArgType("unsigned int", "dev"),
    "sig": ArgType("int", "signal"),
    "clock": ArgType("int", "clock"),
    "addr": ArgType("uptr_t", "hex"),
}

# flags: and enum: are 32 bits wide, as most in the ABI are; flags64: for the few that use a whole long.
SETS: dict[str, ArgType] = {
    "flags": ArgType("unsigned int", "flags"),
    "flags64": ArgType("unsigned long", "flags"),
    "enum": ArgType("int", "enum"),
}

POINTERS: dict[str, ArgType] = {
    "ptr": pointer("hex"),
    "ptr_out": pointer("hex"),
    "str": pointer("string"),
    "path": pointer("string"),
    "strv": pointer("strings"),
    "buf_in": pointer("buffer_in"),
    "buf_out": pointer("buffer_out"),
    "int_in": pointer("int_in"),
    "int_out": pointer("int_out"),
    "long_out": pointer("long_out"),
    "fds_out": pointer("fd_pair"),
    "tid_out": pointer("int_out"),
    "off_inout": pointer("long_inout"),
    "func": pointer("symbol"),
}

STRUCTS = (
    "iovec msghdr mmsghdr sockaddr sockaddr_out socklen sigset sigaction siginfo sigevent stack timespec "
    "timespec_out timeval timeval_out timezone itimerval itimerspec stat statx statfs utsname rlimit rusage "
    "sysinfo tms utimbuf pollfd fdset epoll_event flock dirent termios winsize futex robust_list clone_args "
    "sched_param sched_attr cpuset nodemask caphdr capdata timex ustat open_how futex_waitv rseq user_desc "
    "iocb io_event aio_context keyctl bpf_attr perf_attr mount_attr signalfd file_handle sockopt kexec_segment"
).split()

TYPES: dict[str, ArgType] = {**SCALARS, **POINTERS, **{name: pointer("struct") for name in STRUCTS}}


def lookup(name: str) -> ArgType | None:
    """The type called name, with its :SET for flags and enum; None when there is none."""
    head, colon, members = name.partition(":")
    if colon:
        return SETS.get(head) if members.isidentifier() else None
    return TYPES.get(name)
