"""What a crash is called, so that the same one is found again. Pure: no addresses, numbers or process ids."""

from __future__ import annotations

import hashlib
import re

from .cause import Cause
from .record import Crash, Panic

NUMBER = re.compile(r"\b(0x[0-9a-fA-F]+|\d+)\b")
# How a program, or the kernel, ends itself: who called these is what matters.
ENDINGS = re.compile(
    r"^_*(pthread_kill(_implementation|_internal)?|gsignal|raise|abort|tgkill|syscall"
    r"|spin_look|spin_lock_slow|panic|panic_regs|lib_bug|kernel_fault)$"
)
FRAMES = 3  # that tell one crash from another


def plain(name: str) -> str:
    """A function without its offset, nor what a compiler added to its name."""
    return name.split("+")[0].split(".")[0]


def callers(functions: tuple[str, ...]) -> tuple[str, ...]:
    """Without the C library's way to the end, unless nothing else is left."""
    kept = list(functions)
    while len(kept) > 1 and ENDINGS.match(plain(kept[0])):
        del kept[0]
    return tuple(kept)


def telling(functions: tuple[str, ...]) -> bool:
    """Whether anything beside ways to the end is among them."""
    return any(not ENDINGS.match(plain(name)) for name in functions)


def program(crash: Crash) -> str:
    return (crash.exe or crash.comm or "?").rsplit("/", 1)[-1]


def of_crash(crash: Crash, cause: Cause, functions: tuple[str, ...]) -> str:
    named = callers(functions)
    where = f" in {plain(named[0])}" if named and named[0] else ""
    return f"{crash.signal}: {cause.kind}{where} ({program(crash)})"


def of_panic(panic: Panic, cause: Cause, functions: tuple[str, ...]) -> str:
    elsewhere = cause.kind == "lockup"  # where it was noticed says nothing about that
    named = callers(functions) or ((panic.where,) if panic.where and not elsewhere else ())
    where = f" in {plain(named[0])}" if named and not named[0].startswith("0x") else ""
    if cause.kind == "deadlock" and len(named) == 2:
        where += f" and {plain(named[1])}"
    return f"panic: {cause.kind}{where}"


def digest(title: str, functions: tuple[str, ...]) -> str:
    """Eight hex digits: the title and who called whom, up to the depth that matters."""
    key = "\n".join([title, *(plain(name) for name in callers(functions)[:FRAMES])])
    return hashlib.sha256(NUMBER.sub("N", key).encode()).hexdigest()[:8]


def slug(title: str) -> str:
    """A title as part of a file's name."""
    words = re.sub(r"[^A-Za-z0-9]+", "-", title).strip("-").lower()
    return words[:72] or "crash"
