"""Cores of physical memory, symbols, reports, names."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from .conftest import part

vmcore = part("vmcore")
arch = part("arch_x86_64")
elfsyms = part("elfsyms")
report = part("report")
names = part("names")
CairnError = part("errors").CairnError
ROOT_VARIABLE = 0xFFFFFFFF80205000
MEMORY = 0x300000


def write_core(path: Path, kind: int = 4, root: int = 0xFFFF800000001000) -> None:
    """A core of 3 MiB of physical memory: tables at 0x1000 map the direct map (one large page) and the image."""
    memory = bytearray(MEMORY)

    def word(pa: int, value: int) -> None:
        memory[pa : pa + 8] = struct.pack("<Q", value)

    word(0x205000, root)
    word(0x1000 + 8 * 0, 0x9000 | 0x27)  # user half: not the kernel's
    word(0x1000 + 8 * 256, 0x2000 | 0x27)
    word(0x2000, 0x3000 | 0x27)
    word(0x3000, 0xE3)  # 2 MiB at 0
    word(0x3000 + 8, 0x700000000 | 0x27)  # a table that points nowhere
    word(0x1000 + 8 * 511, 0x4000 | 0x27)
    word(0x4000 + 8 * 510, 0x5000 | 0x27)
    word(0x5000 + 8, 0x6000 | 0x27)
    word(0x6000 + 8 * 5, 0x205000 | 0x63)
    word(0x6000 + 8 * 6, 0x206000 | 0x63)
    segment = vmcore.Segment(1, 7, 4096, 0, 0, MEMORY, MEMORY)
    header = vmcore.HEADER.pack(
        b"\x7fELF\x02\x01\x01" + bytes(9), kind, 62, 1, 0, 64, 0, 0, 64, vmcore.PROGRAM.size, 1, 0, 0, 0
    )
    path.write_bytes((header + segment.pack()).ljust(4096, b"\0") + bytes(memory))


def test_core_becomes_virtual(tmp_path: Path) -> None:
    path = tmp_path / "core"
    write_core(path)
    assert vmcore.make_virtual(str(path), ROOT_VARIABLE, arch) == 2
    with open(path, "rb") as stream:
        _, segments = vmcore.read_segments(stream)
    loads = [(s.vaddr, s.offset - 4096, s.filesz) for s in segments if s.kind == 1]
    assert loads == [(0xFFFF800000000000, 0, 0x200000), (0xFFFFFFFF80205000, 0x205000, 0x2000)]
    size = path.stat().st_size
    assert vmcore.make_virtual(str(path), ROOT_VARIABLE, arch) == 0, "a second time is harmless"
    assert path.stat().st_size == size


@pytest.mark.parametrize(
    ("kind", "root", "words"),
    [
        (2, 0xFFFF800000001000, "but no core"),
        (4, 0x1234, "differ"),
        (4, 0xFFFF8000002F0000, "maps nothing"),
        (4, 0, "differ"),
    ],
)
def test_core_that_is_none(tmp_path: Path, kind: int, root: int, words: str) -> None:
    path = tmp_path / "core"
    write_core(path, kind, root)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=words):
        vmcore.make_virtual(str(path), ROOT_VARIABLE, arch)
    assert path.read_bytes() == before


def test_core_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "core"
    write_core(path)
    whole = path.read_bytes()
    for size in (0, 3, 63, 70, 100, 5000):
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError):
            vmcore.make_virtual(str(path), ROOT_VARIABLE, arch)


def test_symbols() -> None:
    found = elfsyms.Symbols([elfsyms.Symbol(0x1000, 0x20, "first"), elfsyms.Symbol(0x1020, 0, "label"),
                             elfsyms.Symbol(0x1100, 8, "third")])  # fmt: skip
    assert found.find(0x101F) == ("first", 0x1F) and found.find(0x1024) == ("label", 4)
    assert found.find(0x1107) == ("third", 7) and found.find(0x1108) is None and found.find(0xFFF) is None
    with pytest.raises(ValueError):
        elfsyms.parse(b"nothing of the kind")


def make_report() -> Any:
    one = report.Report("test")
    table = one.table("rows", "some rows:")
    table.row(n=1, address=report.Hex(0xFFFF800000000000), name="a\x1b[2Jb\n")
    table.row(n=200, address=report.Hex(16), name="", extra=None)
    return one


def test_report_as_text() -> None:
    lines = make_report().text().splitlines()
    assert lines[:2] == ["some rows:", "  N  ADDRESS             NAME           EXTRA"]
    assert lines[2] == "  1  0xffff800000000000  a\\x1b[2Jb\\x0a      -"
    assert lines[3].startswith("200  0x10")


def test_report_as_json() -> None:
    one = make_report()
    one.problem("a list is broken")
    record = json.loads(one.json())
    assert record["ok"] is False and record["problems"] == ["a list is broken"]
    assert record["tables"]["rows"][0] == {"n": 1, "address": "0xffff800000000000", "name": "a\x1b[2Jb\n"}


def test_guard_keeps_what_was_sound() -> None:
    def items() -> Any:
        yield 1
        yield 2
        raise CairnError("list x: broken at 3")

    one = report.Report("test")
    assert list(one.guard(items())) == [1, 2] and one.problems == ["list x: broken at 3"]
    assert one.problem_text() == "cairn test: list x: broken at 3"


def test_names() -> None:
    assert names.signal_name(11) == "SIGSEGV" and names.signal_name(34) == "SIGRTMIN+2"
    assert "99" in names.signal_name(99)
    assert names.signal_set(0) == "none" and names.signal_set(1 << 8 | 1) == "SIGHUP SIGKILL"
    assert names.signal_set((1 << 64) - 1 & ~(1 << 8)) == "all but SIGKILL"
    assert names.si_code(11, 1) == "SEGV_MAPERR" and names.si_code(10, -6) == "SI_TKILL"
    assert names.result_text(-2) == "-1 ENOENT" and names.result_text(-512) == "-1 ERESTARTSYS"
    assert names.result_text(3) == "3" and names.result_text(-(1 << 50)).startswith("0xfff")
