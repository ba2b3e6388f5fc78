"""Page-table walks and what the CPU would say to an access. Pure: physical memory comes in as a function,
the entry's format as the port's module."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType

from .contract import ABSENT, WRONG, Entry
from .errors import Unreadable

ReadPhys = Callable[[int], int]


@dataclass
class Walk:
    """The entries met from the top down; the last one decides."""

    va: int
    steps: list[tuple[int, int, Entry]] = field(default_factory=list)  # (table, index, entry)
    broken: str = ""

    @property
    def last(self) -> Entry:
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


def verdict(result: Walk, access: str, user: bool, port: ModuleType) -> tuple[bool, str]:
    """Whether the CPU takes the access (read, write, execute), and why not, with the fault it makes of it."""
    if not port.canonical(result.va):
        return False, port.NOT_CANONICAL
    if result.broken:
        return False, result.broken
    entry = result.last
    name = port.LEVEL_NAMES[entry.level]

    def fault(kind: str) -> str:
        text: str = port.fault(kind, entry.level, access, user)
        return text

    if entry.wrong:
        return False, f"{port.WRONG_ENTRY} in the {name} entry: {entry.wrong}; {fault(WRONG)}"
    if not entry.present:
        if entry.kept:
            return False, f"PROT_NONE: the page is kept, its {name} entry not present; {fault(ABSENT)}"
        return False, f"not present: the {name} entry is {entry.value:#x}; {fault(ABSENT)}"
    why, kind = port.refuses(result, access, user)
    if why:
        return False, f"{why}; {fault(kind)}"
    return True, "allowed" if access == "execute" else port.allowed(result, user)
