"""An ELF file as a crash needs it: functions, data, lines of source, bytes. pyelftools reads it."""

from __future__ import annotations

import bisect
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .record import Mapping

SEARCHED = 64  # symbols before an address that are looked at
LABEL_REACH = 4096  # a label of assembly has no size
SMALL = 64  # compilation units that are searched without an index


class ImageError(Exception):
    """No ELF file, or one that cannot be read."""


@dataclass(frozen=True)
class Symbol:
    start: int
    size: int
    name: str
    function: bool


@dataclass(frozen=True)
class Segment:
    vaddr: int
    offset: int
    filesz: int


@dataclass
class Image:
    path: Path
    symbols: list[Symbol] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    bias: int = 0  # what the addresses of the process have on top of the file's
    relocatable: bool = False
    dwarf: Any = None
    data: bytes = b""
    lines: dict[int, list[tuple[int, str, int]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.symbols.sort(key=lambda s: (s.start, s.size))
        self.starts = [s.start for s in self.symbols]

    # --- symbols ---

    def symbol(self, address: int) -> Symbol | None:
        """The function or object that holds an address of the process."""
        at = address - self.bias
        place = bisect.bisect_right(self.starts, at) - 1
        label: Symbol | None = None
        for found in reversed(self.symbols[max(0, place - SEARCHED) : place + 1]):
            if at < found.start + found.size:
                return found
            if label is None and not found.size and at - found.start < LABEL_REACH:
                label = found
        return label

    def name(self, address: int, is_return: bool = False) -> str:
        """function+offset. A call that never returns may be a function's last instruction."""
        found = self.symbol(address - (1 if is_return else 0))
        return f"{found.name}+{address - self.bias - found.start:#x}" if found else ""

    def code(self, start: int, size: int) -> bytes:
        at = start - self.bias
        for s in self.segments:
            if s.vaddr <= at < s.vaddr + s.filesz:
                offset = s.offset + at - s.vaddr
                return self.data[offset : offset + min(size, s.vaddr + s.filesz - at)]
        return b""

    # --- lines ---

    def line(self, address: int, is_return: bool = False) -> str:
        """file:line, or nothing. A return address belongs to the call before it."""
        at = address - self.bias - (1 if is_return else 0)
        try:
            return self.find_line(at)
        except Exception:  # a damaged file must not stop a report
            return ""

    def find_line(self, at: int) -> str:
        if self.dwarf is None:
            return ""
        for offset in self.units(at):
            rows = self.lines.get(offset)
            if rows is None:
                rows = self.lines[offset] = self.unit_rows(offset)
            place = bisect.bisect_right(rows, (at, "\U0010ffff", 0)) - 1
            if place >= 0 and rows[place][1] and rows[place][2]:
                return f"{short_path(rows[place][1])}:{rows[place][2]}"
        return ""

    def units(self, at: int) -> list[int]:
        """Offsets of the compilation units that may hold an address."""
        index = self.dwarf.get_aranges()
        if index is not None:
            offset = index.cu_offset_at_addr(at)
            return [] if offset is None else [offset]
        offsets = []
        for place, unit in enumerate(self.dwarf.iter_CUs()):
            if place == SMALL:
                break
            offsets.append(unit.cu_offset)
        return offsets

    def unit_rows(self, offset: int) -> list[tuple[int, str, int]]:
        """(address, file, line) of a unit, by address; an empty file ends a sequence."""
        unit = self.dwarf.get_CU_at(offset)
        program = self.dwarf.line_program_for_CU(unit)
        if program is None:
            return []
        rows: list[tuple[int, str, int]] = []
        for entry in program.get_entries():
            state = entry.state
            if state is None:
                continue
            name = "" if state.end_sequence else file_name(program, state.file)
            rows.append((state.address, name, 0 if state.end_sequence else state.line))
        return sorted(rows, key=lambda row: (row[0], row[1] != ""))


def file_name(program: Any, number: int) -> str:
    header = program.header
    first = 0 if header.version >= 5 else 1
    files, directories = header.file_entry, header.include_directory
    if not first <= number < len(files) + first:
        return ""
    entry = files[number - first]
    place = entry.dir_index if header.version >= 5 else entry.dir_index - 1
    name = str(entry.name.decode("utf-8", "replace"))
    if 0 <= place < len(directories) and not name.startswith("/"):
        return str(directories[place].decode("utf-8", "replace")) + "/" + name
    return name


def short_path(path: str) -> str:
    """From a directory of the tree on, if it is one of ours."""
    for top in ("kernel/", "userspace/"):
        place = path.rfind("/" + top)
        if place >= 0:
            return path[place + 1 :]
    return path


def load(path: Path) -> Image:
    try:
        from elftools.elf.elffile import ELFFile  # type: ignore[import]
    except ImportError:
        raise ImageError("pyelftools is not installed (scripts/setup.sh test)") from None
    try:
        with path.open("rb") as stream:
            return read(path, ELFFile(stream), path.read_bytes())
    except OSError as error:
        raise ImageError(f"{path}: {error.strerror}") from None
    except ImageError:
        raise
    except Exception as error:  # pyelftools fails in any way at all on a damaged file
        raise ImageError(f"{path}: not an ELF file that can be read ({type(error).__name__})") from None


def read(path: Path, elf: Any, data: bytes) -> Image:
    symbols = []
    for kind in (".symtab", ".dynsym"):
        section = elf.get_section_by_name(kind)
        for item in section.iter_symbols() if section is not None else ():
            info = item["st_info"]["type"]
            if info in ("STT_FUNC", "STT_NOTYPE", "STT_OBJECT") and item.name and item["st_shndx"] != "SHN_UNDEF":
                if item.name[0] == "$":  # says what kind of bytes follow
                    continue
                size = item["st_size"]
                symbols.append(Symbol(item["st_value"], size, item.name, info == "STT_FUNC"))
        if symbols:
            break
    loads = [s for s in elf.iter_segments() if s["p_type"] == "PT_LOAD"]
    segments = [Segment(s["p_vaddr"], s["p_offset"], s["p_filesz"]) for s in loads]
    # Sections are read from memory: the stream is closed when this returns.
    dwarf = elf.get_dwarf_info() if elf.has_dwarf_info() else None
    return Image(path, symbols, segments, 0, elf["e_type"] == "ET_DYN", dwarf, data)


def place(image: Image, maps: tuple[Mapping, ...], guest_path: str) -> None:
    """Finds where a position-independent program lies."""
    if not image.relocatable:
        return
    for m in sorted(maps, key=lambda item: item.start):
        if m.name.split(" (deleted)")[0] != guest_path:
            continue
        for s in image.segments:
            if s.offset & ~0xFFF == m.offset:
                image.bias = m.start - (s.vaddr & ~0xFFF)
                return
