"""Symbols and backtraces from outside: the kernel's ELF file, and a guest's registers by QMP."""

from __future__ import annotations

import bisect
import re
import shutil
import struct
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from .qmp import Qmp, QmpError

SHT_SYMTAB = 2
STT_FUNC, STT_NOTYPE = 2, 0
FRAMES_MAX = 24
CPU_LINE = re.compile(r"^CPU#(\d+)\s*$", re.MULTILINE)
REGISTER = re.compile(r"\b([A-Z][A-Z0-9]{1,5}) ?=([0-9a-f]{8,16})\b")
VECTOR_LINE = re.compile(r"FCW|FPR|[XYZ]MM|OPMASK|DR|\s*[QZP]\d\d=")
WORD = re.compile(r"0x([0-9a-f]{1,16})\b")


class Symbols:
    """Functions of an ELF64 file, found by address."""

    def __init__(self, pairs: list[tuple[int, str]], path: Path | None = None) -> None:
        self.pairs = sorted(pairs)
        self.starts = [start for start, _ in self.pairs]
        self.path = path

    @staticmethod
    def load(path: Path) -> Symbols:
        try:
            return Symbols(read_functions(path.read_bytes()), path)
        except (OSError, ValueError, struct.error):
            return Symbols([])

    def name(self, address: int) -> str:
        place = bisect.bisect_right(self.starts, address) - 1
        if place < 0 or address - self.starts[place] > 0x100000:
            return f"{address:#x}"
        return f"{self.pairs[place][1]}+{address - self.starts[place]:#x}"

    def holds(self, address: int) -> bool:
        return self.name(address) != f"{address:#x}"

    def lines(self, addresses: list[int]) -> list[str]:
        """file:line of each frame; empty strings where it cannot be said. All but the first are return
        addresses: the call is before them."""
        tool = shutil.which("addr2line")
        if not tool or not self.path or not addresses:
            return [""] * len(addresses)
        args = [tool, "-e", str(self.path), *(f"{max(a - (n > 0), 0):#x}" for n, a in enumerate(addresses))]
        try:
            done = subprocess.run(args, capture_output=True, text=True, timeout=10, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return [""] * len(addresses)
        found = [short_line(line) for line in done.stdout.splitlines()]
        return found if len(found) == len(addresses) else [""] * len(addresses)


def short_line(line: str) -> str:
    """`kernel/…:12` of a line of addr2line; empty for an unknown one."""
    place = line.split(" (")[0]
    if place.startswith("??") or place.endswith(":?"):
        return ""
    start = place.find("kernel/")
    return place[start:] if start >= 0 else place


def read_functions(data: bytes) -> list[tuple[int, str]]:
    """(address, name) of the functions in an ELF64 little-endian image's symbol table."""
    if data[:6] != b"\x7fELF\x02\x01":
        raise ValueError("not a 64-bit little-endian ELF file")
    offset, size, count = struct.unpack_from("<Q", data, 40)[0], *struct.unpack_from("<HH", data, 58)
    sections = [struct.unpack_from("<IIQQQQIIQQ", data, offset + n * size) for n in range(count)]
    found: list[tuple[int, str]] = []
    for section in sections:
        if section[1] != SHT_SYMTAB:
            continue
        names = sections[section[6]][4]
        for place in range(section[4], section[4] + section[5], 24):
            name, info, _, index, value, _ = struct.unpack_from("<IBBHQQ", data, place)
            if info & 15 in (STT_FUNC, STT_NOTYPE) and name and index not in (0, 0xFFF1):
                end = data.index(b"\0", names + name)
                found.append((value, data[names + name : end].decode("ascii", "replace")))
    return found


@dataclass
class CpuState:
    """One CPU as QEMU's monitor shows it, and the call chain found from there."""

    cpu: int
    text: str
    registers: dict[str, int] = field(default_factory=dict)
    frames: list[int] = field(default_factory=list)


def parse_registers(text: str) -> list[CpuState]:
    """The CPUs in the text of `info registers -a`. Vector and FPU registers are left out."""
    places = [(int(match[1]), match.start(), match.end()) for match in CPU_LINE.finditer(text)]
    states: list[CpuState] = []
    for index, (cpu, _, start) in enumerate(places):
        end = places[index + 1][1] if index + 1 < len(places) else len(text)
        kept = [
            line.rstrip()
            for line in text[start:end].strip().splitlines()
            if not VECTOR_LINE.match(line)
        ]
        body = "\n".join(kept)
        registers = {match[1]: int(match[2], 16) for match in REGISTER.finditer(body)}
        states.append(CpuState(cpu, body, registers))
    return states


def read_words(qmp: Qmp, cpu: int, address: int, count: int) -> list[int]:
    """64-bit words of guest memory as that CPU maps it; empty when it does not."""
    text = qmp.monitor(f"x /{count}gx {address:#x}", cpu)
    if "Cannot access" in text:
        return []
    words: list[int] = []
    for line in text.splitlines():
        words += [int(match, 16) for match in WORD.findall(line.partition(":")[2])]
    return words


def walk_frames(qmp: Qmp, state: CpuState) -> list[int]:
    """The call chain by frame pointers: the program counter, then each return address."""
    registers = state.registers
    pc = registers.get("RIP", registers.get("EIP", registers.get("PC", 0)))
    frame = registers.get("RBP", registers.get("X29", 0))
    frames = [pc]
    while frame >> 48 == 0xFFFF and frame % 8 == 0 and len(frames) < FRAMES_MAX:
        words = read_words(qmp, state.cpu, frame, 2)
        if len(words) != 2 or not words[1]:
            break
        frames.append(words[1])
        if words[0] <= frame:
            break
        frame = words[0]
    return frames


def examine(qmp: Qmp) -> list[CpuState]:
    """Stops the guest; every CPU's registers and call chain. Empty when QEMU does not answer."""
    try:
        qmp.execute("stop")
        states = parse_registers(qmp.monitor("info registers -a"))
    except QmpError:
        return []
    for state in states:
        try:
            state.frames = walk_frames(qmp, state)
        except QmpError:
            break
    return states


def format_frames(symbols: Symbols, frames: list[int]) -> list[str]:
    lines = symbols.lines(frames)
    return [
        f"{address:#018x} {symbols.name(address)}" + (f"  {line}" if line else "")
        for address, line in zip(frames, lines)
    ]
