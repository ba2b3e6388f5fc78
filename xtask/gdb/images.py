"""Which program's symbols GDB has to hold, from what is executed and what ends. Pure.

A process is executed as a file of the session's root, at a bias (0 for a program that is linked to its place).
Symbols of a file at an address range serve every process that runs it there. Where ranges overlap, as those of
programs linked to the same place do, the one executed last is shown, until it ends."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

ET_DYN = 3
PT_LOAD = 1


@dataclass(frozen=True)
class Elf:
    """What is needed of an ELF64 file's header."""

    entry: int
    low: int
    high: int
    head: bytes  # the first bytes, as the kernel reads them


@dataclass(frozen=True)
class Image:
    """A file at a place."""

    file: str
    bias: int
    low: int
    high: int
    entry: int  # where it begins: surely in its code

    def overlaps(self, other: Image) -> bool:
        return self.low < other.high and other.low < self.high


def read_elf(data: bytes) -> Elf | None:
    """None: not a little-endian ELF64 with something to load."""
    if data[:6] != b"\x7fELF\x02\x01" or len(data) < 64:
        return None
    entry, offset = (int.from_bytes(data[at : at + 8], "little") for at in (24, 32))
    size, count = (int.from_bytes(data[at : at + 2], "little") for at in (54, 56))
    ranges = []
    for at in range(offset, min(offset + size * count, len(data) - 55), max(size, 56)):
        if int.from_bytes(data[at : at + 4], "little") == PT_LOAD:
            start, length = (int.from_bytes(data[at + o : at + o + 8], "little") for o in (16, 40))
            ranges.append((start, start + length))
    if not ranges:
        return None
    return Elf(entry, min(low for low, _ in ranges), max(high for _, high in ranges), data[:256])


def find_file(paths: dict[str, str], guest_path: str) -> str | None:
    """The host's file for a path of the guest; a relative one by its name, where only one file has it."""
    clean = os.path.normpath("/" + guest_path.lstrip("/"))
    if clean in paths:
        return paths[clean]
    if guest_path.startswith("/"):
        return None
    name = os.path.basename(clean)
    found = {host for guest, host in paths.items() if os.path.basename(guest) == name}
    return found.pop() if len(found) == 1 else None


@dataclass
class Images:
    paths: dict[str, str]  # guest path: host file
    running: dict[int, Image] = field(default_factory=dict)  # by pid, in the order of exec
    elves: dict[str, Elf | None] = field(default_factory=dict)

    def elf(self, file: str) -> Elf | None:
        if file not in self.elves:
            try:
                self.elves[file] = read_elf(Path(file).read_bytes())
            except OSError:
                self.elves[file] = None
        return self.elves[file]

    def executed(self, pid: int, guest_path: str, entry: int, head: bytes) -> Image | None:
        """A process became a program; its image, or None when the root has no such file. The first bytes
        must be the same: a file that the guest has changed is not the one on the host."""
        self.running.pop(pid, None)
        file = find_file(self.paths, guest_path)
        elf = self.elf(file) if file else None
        if file is None or elf is None or elf.head[: len(head)] != head[: len(elf.head)]:
            return None
        bias = entry - elf.entry
        image = Image(file, bias, elf.low + bias, elf.high + bias, entry)
        self.running[pid] = image
        return image

    def ended(self, pid: int) -> None:
        self.running.pop(pid, None)

    def wanted(self) -> list[Image]:
        """What symbols are to be loaded now: the latest first, none over another."""
        chosen: list[Image] = []
        for image in reversed(self.running.values()):
            if image not in chosen and not any(image.overlaps(other) for other in chosen):
                chosen.append(image)
        return chosen
