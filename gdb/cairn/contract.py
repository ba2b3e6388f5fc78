"""What the modules of the ports (arch_NAME.py) hand out: page-table entries and signal frames, decoded."""

from __future__ import annotations

from dataclasses import dataclass

# Kinds of page faults, in the words of pagetable.verdict(); a port's fault() makes its CPU's code of one.
ABSENT, WRONG, ACCESS, RIGHTS = "absent", "wrong", "access", "rights"


@dataclass(frozen=True)
class Entry:
    """One page-table entry. A table's rights are what it lets those below it have."""

    value: int
    level: int  # 0: the last one
    present: bool
    leaf: bool
    paddr: int
    size: int  # of what it maps, when a leaf
    write: bool
    user_execute: bool
    kernel_execute: bool
    user: bool
    cow: bool
    kept: bool  # PROT_NONE: a page is kept though nothing may use it
    flags: str
    wrong: str  # why no CPU would take it; empty when it would


@dataclass(frozen=True)
class SignalFrame:
    """What a program returns to by sigreturn. regs has ip and sp, whatever the port calls them."""

    at: int
    restorer: int  # 0: the frame does not say
    alt_sp: int
    alt_flags: int
    alt_size: int
    regs: dict[str, int]
    mask: int
    info: bytes
    more: tuple[tuple[str, str], ...]  # what else it holds, in words
    doubts: tuple[str, ...]  # what speaks against the kernel having pushed it
