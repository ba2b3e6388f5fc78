"""What a traced system call's pointers point to: kernel/syscall/syscalls.tbl → syscall_capture_gen.h.

For each argument: nothing, or how the kernel finds the bytes to copy into the `syscall` event. Sizes are those
of the 64-bit ABIs. A type that is not here is shown as an address.
"""

from __future__ import annotations

from dataclasses import dataclass

from .syscalls import Syscall, numbered, parse

# Structures of one size; the same for those that the kernel fills and those it reads.
STRUCT_SIZES = {
    "stat": 144,
    "timespec": 16,
    "timespec_out": 16,
    "timeval": 16,
    "timeval_out": 16,
    "itimerval": 32,
    "itimerspec": 32,
    "sigset": 8,
    "sigaction": 32,
    "stack": 24,
    "rlimit": 16,
    "utsname": 390,
    "siginfo": 24,
    "epoll_event": 12,
    "open_how": 24,
    "fds_out": 8,
    "int_in": 4,
    "int_out": 4,
    "long_out": 8,
    "off_inout": 8,
    "tid_out": 4,
}
GENERIC_STAT = 128  # of the ports that have no layout of their own
ELEMENT_SIZES = {"pollfd": 8}
LENGTHS = ("size", "int", "uint", "ulong")
RESULT = 255


@dataclass(frozen=True)
class Capture:
    kind: str
    count: int = 0  # the argument with the number of bytes or elements, or RESULT
    size: int = 0  # of a structure or an element

    def row(self) -> str:
        return f"{{ CAPTURE_{self.kind}, {self.count}, {self.size} }}"


def length_after(call: Syscall, place: int) -> int | None:
    """The argument that says how long the one at place is."""
    for index in range(place + 1, len(call.args)):
        if call.args[index].type in LENGTHS:
            return index
    return None


def capture_of(call: Syscall, place: int) -> Capture | None:
    """How the argument at place is copied; None: not at all."""
    kind = call.args[place].type
    length = length_after(call, place)
    if kind in ("path", "str"):
        return Capture("STRING")
    if kind == "strv":
        return Capture("STRINGS")
    if kind == "buf_in" and length is not None:
        return Capture("BUFFER", length)
    if kind == "buf_out":
        return Capture("BUFFER", RESULT)
    if kind == "iovec" and length is not None:
        return Capture("IOVEC", length, 16)
    if kind in ELEMENT_SIZES and length is not None:
        return Capture("ARRAY", length, ELEMENT_SIZES[kind])
    if call.name.startswith("epoll_") and "wait" in call.name and kind == "epoll_event":
        return Capture("ARRAY", RESULT, STRUCT_SIZES[kind])
    if kind in STRUCT_SIZES:
        return Capture("STRUCT", 0, STRUCT_SIZES[kind])
    return None


def for_port(capture: Capture | None, arch: str) -> Capture | None:
    stat = Capture("STRUCT", 0, STRUCT_SIZES["stat"])
    return Capture("STRUCT", 0, GENERIC_STAT) if capture == stat and arch == "aarch64" else capture


def generate(text: str, path: str, arch: str) -> str:
    rows = []
    for number, call in numbered(parse(text, path), arch):
        found = [(place, for_port(capture_of(call, place), arch)) for place in range(len(call.args))]
        words = [f"[{place}] = {capture.row()}" for place, capture in found if capture is not None]
        if words:
            rows.append(f"\t[{number}] = {{ {', '.join(words)} }}, /* {call.name} */")
    lines = [
        "/* Generated from the system-call table by xtask gen capture: do not edit. */",
        "#pragma once",
        "",
        "enum { CAPTURE_NOTHING, CAPTURE_STRING, CAPTURE_STRINGS, CAPTURE_STRUCT, CAPTURE_BUFFER,",
        "\tCAPTURE_IOVEC, CAPTURE_ARRAY };",
        f"#define CAPTURE_RESULT {RESULT}",
        "",
        " \\\n".join(["#define SYSCALL_CAPTURES", *rows]),
    ]
    return "\n".join(lines) + "\n"
