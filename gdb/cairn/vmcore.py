"""Memory cores of physical memory, made readable at the kernel's virtual addresses. Pure: files only.

QEMU's dump-guest-memory without paging writes program headers that know physical addresses only. The tables
of the kernel are walked in the file, and for each stretch that they map a program header is added that points
to the data that is there already. The new headers go to the end of the file."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from types import ModuleType
from typing import BinaryIO

PT_LOAD = 1
HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
PROGRAM = struct.Struct("<IIQQQQQQ")
SEGMENTS_MAX = 60_000
IMAGE_ALIGN = 2 << 20
ET_CORE = 4


@dataclass(frozen=True)
class Segment:
    kind: int
    flags: int
    offset: int
    vaddr: int
    paddr: int
    filesz: int
    memsz: int
    align: int = 0

    def pack(self) -> bytes:
        return PROGRAM.pack(
            self.kind, self.flags, self.offset, self.vaddr, self.paddr, self.filesz, self.memsz, self.align
        )


def read_segments(stream: BinaryIO) -> tuple[list[int], list[Segment]]:
    """The fields of the ELF header and the program headers. ValueError for what is no core."""
    stream.seek(0)
    raw = stream.read(HEADER.size)
    if len(raw) < HEADER.size or raw[:6] != b"\x7fELF\x02\x01":
        raise ValueError("not a little-endian ELF64 file")
    fields = list(HEADER.unpack(raw))
    if fields[1] != ET_CORE:
        raise ValueError("an ELF file, but no core")
    phoff, phentsize, phnum = fields[5], fields[9], fields[10]
    if phentsize != PROGRAM.size:
        raise ValueError(f"program headers of {phentsize} bytes")
    stream.seek(phoff)
    data = stream.read(phnum * PROGRAM.size)
    if len(data) < phnum * PROGRAM.size:
        raise ValueError("cut short: the program headers are not there")
    return fields, [Segment(*PROGRAM.unpack_from(data, i * PROGRAM.size)) for i in range(phnum)]


class Physical:
    """Physical memory as a core has it."""

    def __init__(self, stream: BinaryIO, segments: list[Segment]) -> None:
        self.stream = stream
        self.loads = [s for s in segments if s.kind == PT_LOAD and s.filesz]

    def find(self, pa: int) -> Segment | None:
        for segment in self.loads:
            if segment.paddr <= pa < segment.paddr + segment.filesz:
                return segment
        return None

    def read(self, pa: int, size: int) -> bytes | None:
        segment = self.find(pa)
        if not segment or pa + size > segment.paddr + segment.filesz:
            return None
        self.stream.seek(segment.offset + pa - segment.paddr)
        return self.stream.read(size)

    def u64(self, pa: int) -> int:
        data = self.read(pa, 8)
        if data is None or len(data) < 8:
            raise ValueError(f"physical address {pa:#x} is not in the core")
        return int.from_bytes(data, "little")


def mappings(memory: Physical, root: int, port: ModuleType) -> Iterator[tuple[int, int, int]]:
    """(virtual, physical, size) of all that the tables map in the kernel's half. Tables that point nowhere
    are left out: this is for damaged kernels too."""

    def visit(table: int, level: int, base: int) -> Iterator[tuple[int, int, int]]:
        data = memory.read(table, 4096)
        if data is None or len(data) < 4096:
            return
        for index, value in enumerate(struct.unpack("<512Q", data)):
            if not value:
                continue
            va = base + (index << (12 + 9 * level))
            if level == port.LEVELS - 1:
                if index < port.KERNEL_ROOT_FIRST:
                    continue
                va |= 0xFFFF << 48
            entry = port.decode_entry(value, level)
            if entry.wrong or not entry.present:
                continue
            if entry.leaf:
                yield va, entry.paddr, entry.size
            elif level:
                yield from visit(entry.paddr, level - 1, va)

    yield from visit(root, port.LEVELS - 1, 0)


def joined(found: Iterator[tuple[int, int, int]]) -> Iterator[tuple[int, int, int]]:
    """Neighbours in both address spaces as one."""
    last: tuple[int, int, int] | None = None
    for va, pa, size in found:
        if last and last[0] + last[2] == va and last[1] + last[2] == pa:
            last = (last[0], last[1], last[2] + size)
            continue
        if last:
            yield last
        last = (va, pa, size)
    if last:
        yield last


def virtual_segments(memory: Physical, root: int, port: ModuleType) -> Iterator[Segment]:
    """Program headers for what is both mapped and in the core."""
    for va, pa, size in joined(mappings(memory, root, port)):
        for segment in memory.loads:
            low, high = max(pa, segment.paddr), min(pa + size, segment.paddr + segment.filesz)
            if low < high:
                yield Segment(
                    PT_LOAD, 7, segment.offset + low - segment.paddr, va + low - pa, low, high - low, high - low
                )


def image_place(memory: Physical, offset: int) -> int:
    """Where the image was loaded, at a multiple of 2 MiB: it knows that itself, in a word at an offset."""
    for segment in memory.loads:
        first = -(-segment.paddr // IMAGE_ALIGN) * IMAGE_ALIGN
        for pa in range(first, segment.paddr + segment.filesz, IMAGE_ALIGN):
            if memory.read(pa + offset, 8) == pa.to_bytes(8, "little"):
                return pa
    raise ValueError("the kernel's image is not in it: this core and the ELF file differ")


def make_virtual(path: str, root_variable: int, port: ModuleType, place_variable: int | None = None) -> int:
    """Adds virtual ranges to a core that has none: how many (0: it has them). root_variable: the virtual
    address of the kernel's pointer to its top table; place_variable: that of the word that says where the
    image was loaded, when that is not where it is linked to."""
    base = int(port.KERNEL_BASE)
    with open(path, "rb") as stream:
        fields, segments = read_segments(stream)
        if any(s.kind == PT_LOAD and s.vaddr >= port.KERNEL_HALF for s in segments):
            return 0
        memory = Physical(stream, segments)
        place = 0 if place_variable is None else image_place(memory, place_variable - base)
        root = memory.u64(root_variable - base + place)
        pa = root - base + place if root >= base else root - int(port.DIRECT_MAP_BASE)
        if not 0 <= pa < 1 << 46 or pa % 4096:
            raise ValueError(f"the kernel's page table is at {root:#x}: this core and the ELF file differ")
        added = list(virtual_segments(memory, pa, port))
        if not added:
            raise ValueError("the kernel's page table maps nothing: this core and the ELF file differ")
        if len(added) > SEGMENTS_MAX:
            raise ValueError(f"the kernel's page table maps {len(added)} ranges: it is damaged")
        # Physical ranges keep their headers, out of the way of addresses that anybody asks for.
        kept = [replace(s, kind=0) if s.kind == PT_LOAD else s for s in segments]
        stream.seek(0, 2)
        end = (stream.tell() + 15) & ~15
    headers = kept + added
    fields[5], fields[10] = end, len(headers)
    with open(path, "r+b") as stream:
        stream.seek(end)
        stream.write(b"".join(s.pack() for s in headers))
        stream.seek(0)
        stream.write(HEADER.pack(*fields))
    return len(added)
