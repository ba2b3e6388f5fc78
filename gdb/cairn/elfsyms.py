"""Symbols of an ELF64 file by address: names of functions, assembly included. Pure but for reading the file."""

from __future__ import annotations

import bisect
import struct
from dataclasses import dataclass

SHT_SYMTAB = 2
FUNC_OR_OBJECT = (0, 1, 2)


@dataclass(frozen=True)
class Symbol:
    addr: int
    size: int
    name: str


class Symbols:
    def __init__(self, found: list[Symbol]) -> None:
        self.sorted = sorted(found, key=lambda s: (s.addr, s.size))
        self.addrs = [s.addr for s in self.sorted]
        self.by_name = {s.name: s for s in self.sorted}

    def find(self, addr: int) -> tuple[str, int] | None:
        """(name, offset) of what addr lies in."""
        i = bisect.bisect_right(self.addrs, addr) - 1
        while i >= 0 and addr - self.addrs[i] < 1 << 20:
            symbol = self.sorted[i]
            if addr < symbol.addr + symbol.size or (symbol.size == 0 and addr - symbol.addr < 4096):
                return symbol.name, addr - symbol.addr
            if symbol.size:
                return None
            i -= 1
        return None

    def between(self, start: int, end: int) -> list[Symbol]:
        return [s for s in self.sorted if start <= s.addr < end and s.size]


def parse(data: bytes) -> Symbols:
    """All named symbols of the file's symbol table. ValueError when it is no ELF64 file."""
    if data[:6] != b"\x7fELF\x02\x01":
        raise ValueError("not a little-endian ELF64 file")
    shoff = struct.unpack_from("<Q", data, 0x28)[0]
    shentsize, shnum = struct.unpack_from("<HH", data, 0x3A)
    headers = [struct.unpack_from("<IIQQQQIIQQ", data, shoff + i * shentsize) for i in range(shnum)]
    found: list[Symbol] = []
    for header in headers:
        if header[1] == SHT_SYMTAB:
            found += _symtab(data, header[4], header[5], headers[header[6]][4])
    return Symbols(found)


def _symtab(data: bytes, offset: int, size: int, strings: int) -> list[Symbol]:
    found = []
    for name, info, _, index, value, length in struct.iter_unpack("<IBBHQQ", data[offset : offset + size]):
        if not index or info & 15 not in FUNC_OR_OBJECT or not name:
            continue
        end = data.index(b"\0", strings + name)
        text = data[strings + name : end].decode(errors="replace")
        if not text.startswith(".L") and not text.startswith("$"):
            found.append(Symbol(value, length, text))
    return found


def load(path: str) -> Symbols:
    with open(path, "rb") as stream:
        return parse(stream.read())
