"""The numbers that Linux itself gives the calls of an ABI, from the C library's headers: the table is held to them."""

from __future__ import annotations

import re
import subprocess

from ..gen.syscalls import Syscall

COMPILERS = {"x86_64": "gcc", "aarch64": "aarch64-linux-gnu-gcc"}
MACRO = re.compile(r"^#define __NR(3264)?_(\w+) (?:(\d+)|__NR3264_(\w+))$", re.MULTILINE)


def numbers(macros: str) -> dict[str, int]:
    """Name → number, of the preprocessor's list of macros (`cc -dM -E`). Pure."""
    plain: dict[str, int] = {}
    shared: dict[str, int] = {}  # calls whose number has two names, by the width of off_t
    alias: dict[str, str] = {}
    for wide, name, number, other in MACRO.findall(macros):
        if other:
            alias[name] = other
        elif wide:
            shared[name] = int(number)
        else:
            plain[name] = int(number)
    return plain | {name: shared[other] for name, other in alias.items() if other in shared}


def linux_numbers(port: str) -> dict[str, int]:
    """Raises OSError or CalledProcessError when the port's compiler is not there."""
    args = [COMPILERS[port], "-dM", "-E", "-x", "c", "-"]
    done = subprocess.run(args, input="#include <asm/unistd.h>\n", capture_output=True, text=True, check=True, timeout=60)
    return numbers(done.stdout)


def differences(rows: list[Syscall], port: str, linux: dict[str, int]) -> list[str]:
    """Where the table and Linux's header disagree about a port's numbers. Pure."""
    return [
        f"{row.name} on {port}: syscalls.tbl says {row.number(port)}, Linux's header says {linux.get(row.name)}"
        for row in rows
        if row.number(port) != linux.get(row.name)
    ]
