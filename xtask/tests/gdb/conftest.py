"""The parts of the GDB commands that need no GDB, as `part("walk")` and so on, and a played memory."""

from __future__ import annotations

import importlib
import struct
import sys
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[3]
KERNEL = 0xFFFF800000000000


def part(name: str) -> Any:
    """A module of gdb/cairn. (The directory gdb itself must not be found as GDB's module `gdb`.)"""
    where = str(REPO / "gdb")
    if where not in sys.path:
        sys.path.insert(0, where)
    return importlib.import_module(f"cairn.{name}")


class Memory:
    """Words at addresses; reading anything else is an error, as it is in the kernel."""

    def __init__(self) -> None:
        self.words: dict[int, int] = {}

    def put(self, addr: int, *values: int) -> None:
        for i, value in enumerate(values):
            self.words[addr + 8 * i] = value & (1 << 64) - 1

    def read(self, addr: int) -> int:
        if addr not in self.words:
            raise part("errors").Unreadable(addr, "memory")
        return self.words[addr]

    def read_bytes(self, addr: int, size: int) -> bytes:
        return b"".join(struct.pack("<Q", self.read(addr + at)) for at in range(0, size, 8))

    def read_u8(self, addr: int) -> int:
        return self.read(addr) & 0xFF

    def make_list(self, count: int, head: int = KERNEL + 0x1000) -> list[int]:
        """A sound circular list: the addresses of its nodes, the head first."""
        nodes = [head] + [KERNEL + 0x2000 + 0x100 * i for i in range(count)]
        for i, node in enumerate(nodes):
            self.put(node, nodes[(i + 1) % len(nodes)], nodes[i - 1])
        return nodes
