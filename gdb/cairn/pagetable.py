"""Page-table walks and what the CPU would say to an access. Pure: physical memory comes in as a function,
the entry's format as the port's module."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from .errors import Unreadable

ReadPhys = Callable[[int], int]


@dataclass
class Walk:
    """The entries met from the top down; the last one decides."""

    va: int
    steps: list[tuple[int, int, Any]] = field(default_factory=list)  # (table, index, entry)
    broken: str = ""

    @property
    def last(self) -> Any:
        return self.steps[-1][2]

    @property
    def mapped(self) -> bool:
        return bool(self.steps) and not self.broken and self.last.leaf and not self.last.wrong

    @property
    def paddr(self) -> int:
        return int(self.last.paddr) + (self.va & (int(self.last.size) - 1))

    def allows(self, right: str) -> bool:
        return all(getattr(entry, right) for _, _, entry in self.steps)


def walk(read_phys: ReadPhys, root: int, va: int, port: ModuleType) -> Walk:
    """root: physical address of the top table."""
    result = Walk(va)
    table = root
    for level in range(port.LEVELS - 1, -1, -1):
        index = va >> (12 + 9 * level) & 511
        try:
            entry = port.decode_entry(read_phys(table + 8 * index), level)
        except Unreadable:
            name = port.LEVEL_NAMES[level]
            result.broken = f"the {name} at physical {table:#x} is no memory: the entry above it points nowhere"
            return result
        result.steps.append((table, index, entry))
        if entry.leaf or not entry.present or entry.wrong:
            break
        table = entry.paddr
    return result


def verdict(result: Walk, access: str, user: bool, port: ModuleType, smap: bool = True) -> tuple[bool, str]:
    """Whether the CPU takes the access (read, write, execute), and why not with the error code."""
    write, execute = access == "write", access == "execute"

    def code(present: bool, reserved: bool = False) -> str:
        return f"error code {port.error_code(present, write, user, execute, reserved):#x}"

    if not port.canonical(result.va):
        return False, "the address is not canonical: general protection, not a page fault"
    if result.broken:
        return False, result.broken
    entry = result.last
    name = port.LEVEL_NAMES[entry.level]
    if entry.wrong:
        return False, f"reserved bit in the {name} entry: {entry.wrong}; {code(True, True)}"
    if not entry.present:
        if entry.kept:
            return False, f"PROT_NONE: the page is kept, its {name} entry not present; {code(False)}"
        return False, f"not present: the {name} entry is {entry.value:#x}; {code(False)}"
    if user and not result.allows("user"):
        return False, f"a kernel page (U clear); {code(True)}"
    if write and not result.allows("write"):
        why = "write-protected for copy on write" if entry.cow else "not writable (W clear)"
        return False, f"{why}; {code(True)}"
    if execute and not result.allows("execute"):
        return False, f"not executable (NX); {code(True)}"
    if not user and result.allows("user"):
        if execute:
            return False, f"SMEP: the kernel does not run a user page; {code(True)}"
        if smap:
            return True, "only inside a user copy (SMAP: AC must be set)"
    return True, "allowed"
