"""The linked kernel: functions by address and by name, the object each came from, bytes. Pure readers."""

from __future__ import annotations

import bisect
import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

SHT_SYMTAB, SHT_NOBITS, SHF_EXECINSTR = 2, 8, 4
STT_NOTYPE, STT_OBJECT, STT_FUNC = 0, 1, 2
BINDS = {0: "local", 1: "global", 2: "weak"}
# What a compiler appends when it makes a variant of a function.
CLONE = re.compile(r"\.(?:isra|constprop|part|cold|lto_priv)(?:\.\d+)?")
MAP_SECTION = re.compile(r"^ ?(\.\S+)?\s+0x([0-9a-f]+)\s+0x([0-9a-f]+) (\S+\.o)$")


class ImageError(Exception):
    """The file is not what it should be; the message says what."""


@dataclass(frozen=True)
class Symbol:
    name: str
    value: int
    size: int
    kind: int
    bind: str
    executable: bool


@dataclass
class Function:
    """A function, or a piece of assembly between two labels. Ranges: its own, and a cold part."""

    name: str
    names: set[str]
    start: int
    ranges: list[tuple[int, int]]
    bind: str
    object: str = "?"

    @property
    def source(self) -> str:
        return source_of(self.object)

    def holds(self, address: int) -> bool:
        return any(low <= address < high for low, high in self.ranges)


def source_of(path: str) -> str:
    """kernel/core/timer.c of BUILD/kernel/core/timer.c.o."""
    place = path.rfind("/kernel/")
    return path[place + 1 :].removesuffix(".o")


def base_name(name: str) -> str:
    """The name in the source, of whatever variant the compiler made."""
    return CLONE.sub("", name)


def parse_map(text: str) -> list[tuple[int, int, str]]:
    """(address, size, object) of every placed input section of a link map."""
    found: list[tuple[int, int, str]] = []
    pending = False
    for line in text.partition("Linker script and memory map")[2].splitlines():
        match = MAP_SECTION.match(line)
        if match and (match[1] or pending) and int(match[3], 16):
            found.append((int(match[2], 16), int(match[3], 16), match[4]))
        pending = bool(re.match(r"^ \.\S+$", line))
    return sorted(found)


@dataclass
class Image:
    symbols: list[Symbol]
    sections: list[tuple[int, bytes]]
    placed: list[tuple[int, int, str]]
    functions: list[Function] = field(default_factory=list)
    by_name: dict[str, list[Symbol]] = field(default_factory=dict)
    gaps: dict[int, Function] = field(default_factory=dict)
    compiler: str = ""

    @staticmethod
    def load(elf: Path, link_map: Path) -> Image:
        try:
            data = elf.read_bytes()
            symbols, sections = read_elf(data)
            placed = parse_map(link_map.read_text(errors="replace"))
        except (OSError, struct.error, ValueError) as error:
            raise ImageError(f"{elf}: {error}") from None
        if not placed:
            raise ImageError(f"{link_map}: no sections in it")
        image = Image(symbols, sections, placed)
        producer = re.search(rb"GNU C\d+ ([\w.]+)", data)
        image.compiler = "gcc " + producer[1].decode() if producer else "unknown"
        image.index()
        return image

    def index(self) -> None:
        for symbol in self.symbols:
            self.by_name.setdefault(symbol.name, []).append(symbol)
        self.functions = make_functions([s for s in self.symbols if s.executable])
        starts = [start for start, _, _ in self.placed]
        for function in self.functions:
            place = bisect.bisect_right(starts, function.start) - 1
            if place >= 0 and function.start < self.placed[place][0] + self.placed[place][1]:
                function.object = self.placed[place][2]
        self.functions = fold_cold(self.functions)
        pieces = sorted((low, high, f) for f in self.functions for low, high in f.ranges)
        self._pieces = pieces
        self._starts = [low for low, _, _ in pieces]

    def at(self, address: int) -> Function | None:
        """The function that holds address."""
        place = bisect.bisect_right(self._starts, address) - 1
        if place < 0:
            return None
        if address >= self._pieces[place][1]:
            return self.gap(address, place)
        return self._pieces[place][2]

    def gap(self, address: int, place: int) -> Function | None:
        """Code between two symbols (behind a label that leaves none): a function named after the one before."""
        before = self._pieces[place]
        end = next((low + size for low, size, _ in self.placed if low <= before[0] < low + size), before[1])
        end = min([end, *self._starts[place + 1 : place + 2]])
        if address >= end:
            return None
        known = self.gaps.get(before[1])
        if known is None:
            name = f"{before[2].name}+{before[1] - before[0]:#x}"
            known = Function(name, {name}, before[1], [(before[1], end)], "local", before[2].object)
            self.gaps[before[1]] = known
        return known

    def find(self, name: str) -> list[Function]:
        """Every function of that name, as the source or the compiler has it."""
        return self.named.get(name, [])

    @property
    def named(self) -> dict[str, list[Function]]:
        if not hasattr(self, "_named"):
            self._named: dict[str, list[Function]] = {}
            for function in self.functions:
                for name in sorted({n for name in function.names for n in (name, base_name(name))}):
                    self._named.setdefault(name, []).append(function)
        return self._named

    def bind(self, name: str) -> str:
        """local, global or weak."""
        return self.by_name[name][0].bind

    def read(self, address: int, size: int) -> bytes:
        for start, data in self.sections:
            if start <= address < start + len(data):
                return data[address - start : address - start + size]
        return b""

    def word(self, address: int) -> int | None:
        data = self.read(address, 8)
        return struct.unpack("<Q", data)[0] if len(data) == 8 else None


def read_elf(data: bytes) -> tuple[list[Symbol], list[tuple[int, bytes]]]:
    """Symbols, and (address, bytes) of the allocated sections, of an ELF64 little-endian file."""
    if data[:6] != b"\x7fELF\x02\x01":
        raise ValueError("not a 64-bit little-endian ELF file")
    offset, size, count = struct.unpack_from("<Q", data, 40)[0], *struct.unpack_from("<HH", data, 58)
    headers = [struct.unpack_from("<IIQQQQIIQQ", data, offset + n * size) for n in range(count)]
    symbols: list[Symbol] = []
    for header in headers:
        if header[1] == SHT_SYMTAB:
            strings = headers[header[6]]
            symbols += read_symbols(data, header, strings[4], headers)
    loaded = [(h[3], data[h[4] : h[4] + h[5]]) for h in headers if h[3] and h[1] != SHT_NOBITS]
    return symbols, loaded


def read_symbols(
    data: bytes, table: tuple[int, ...], strings: int, headers: list[tuple[int, ...]]
) -> Iterator[Symbol]:
    for place in range(table[4], table[4] + table[5], 24):
        name, info, _, section, value, size = struct.unpack_from("<IBBHQQ", data, place)
        if not name or not 0 < section < len(headers) or info & 15 > STT_FUNC:
            continue
        text = data[strings + name : data.index(b"\0", strings + name)].decode("ascii", "replace")
        executable = bool(headers[section][2] & SHF_EXECINSTR)
        yield Symbol(text, value, size, info & 15, BINDS.get(info >> 4, "?"), executable)


def make_functions(symbols: Iterable[Symbol]) -> list[Function]:
    """One function for each start. A label inside a sized function is no start; one without a size
    reaches to the next."""
    code = [s for s in symbols if s.kind != STT_OBJECT and not s.name.startswith(("$", ".L"))]
    sized = sorted((s.value, s.value + s.size) for s in code if s.kind == STT_FUNC and s.size)
    lows = [low for low, _ in sized]

    def inside(value: int) -> bool:
        place = bisect.bisect_left(lows, value) - 1
        return place >= 0 and value < sized[place][1]

    groups: dict[int, list[Symbol]] = {}
    for symbol in code:
        if symbol.kind == STT_FUNC or not inside(symbol.value):
            groups.setdefault(symbol.value, []).append(symbol)
    starts = sorted(groups)
    found = []
    for start, after in zip(starts, [*starts[1:], starts[-1] + 1] if starts else []):
        group = sorted(groups[start], key=lambda s: (s.kind != STT_FUNC, s.bind != "global", s.name))
        size = max(s.size for s in group)
        found.append(
            Function(
                group[0].name,
                {s.name for s in group},
                start,
                [(start, start + size if size else after)],
                group[0].bind,
            )
        )
    return found


def fold_cold(functions: list[Function]) -> list[Function]:
    """A cold part belongs to its function."""
    parents = {(f.object, name): f for f in functions for name in f.names}
    kept = []
    for function in functions:
        parent = parents.get((function.object, function.name.removesuffix(".cold")))
        if function.name.endswith(".cold") and parent and parent is not function:
            parent.ranges += function.ranges
        else:
            kept.append(function)
    return kept
