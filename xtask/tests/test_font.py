"""The font: what the table's rows draw, its mistakes, and the table itself."""

from __future__ import annotations

import pytest

from xtask.gen import font
from xtask.gen.table import TableError
from xtask.guest import launch
from xtask.guest.machine import GuestSpec, arguments, find_machine
from xtask.guest.rundir import ROOT

TABLE = ROOT / "kernel/tty/font.tbl"


def drawn(*rows: str) -> font.Font:
    made = font.Font()
    for row in rows:
        made.row(row.split())
    return made


def mistakes(*rows: str) -> str:
    with pytest.raises(TableError) as caught:
        font.parse("\n".join([TABLE.read_text(encoding="utf-8"), *rows]), "f.tbl")
    return str(caught.value)


def test_strokes() -> None:
    glyph = drawn("x 00 02 | / 50 50").glyphs[ord("x")]
    assert glyph == {(1, 2), (2, 2), (1, 3), (2, 3), (1, 4), (2, 4), (6, 2)}


def test_a_slanted_stroke_has_no_holes() -> None:
    rows = font.rows(drawn("/ 40 09").glyphs[ord("/")])
    assert all(rows[2:12]) and not any(rows[:2] + rows[12:])
    assert all(row & (later << 1 | later) for row, later in zip(rows[2:11], rows[3:12], strict=True))


def test_accents_stand_higher_on_capitals() -> None:
    made = drawn("o 03 03", "O 00 00", "accent dot 21 21", "ȯ + o dot", "Ȯ + O dot")
    assert made.glyphs[ord("ȯ")] - made.glyphs[ord("o")] == {(3, 3), (4, 3)}
    assert made.glyphs[ord("Ȯ")] - made.glyphs[ord("O")] == {(3, 1), (4, 1)}


def test_cells_join() -> None:
    """Lines of boxes reach the edges of their cells at the same place."""
    made = drawn("- box lr", "| box ud", "+ box udlr", "# fill 0 0 8 16", ". shade 2")
    across, down, cross = (font.rows(made.glyphs[ord(c)]) for c in "-|+")
    assert across[7] == 0xFF and all(row == 0x18 for row in down)
    assert cross[7] == 0xFF and cross[0] == cross[15] == 0x18
    assert font.rows(made.glyphs[ord("#")]) == [0xFF] * 16
    assert len(made.glyphs[ord(".")]) == 64


@pytest.mark.parametrize(
    "row,named",
    [
        ("A 00 01", "U+0041 is there twice"),
        ("ab 00 01", "neither a character nor U+XXXX: ab"),
        ("ж 00", "two points or more"),
        ("ж 00 0", "a point has two digits"),
        ("ж 00 0z", "invalid literal"),
        ("ж 70 71", "does not fit"),
        ("ж 0e 0f", "does not fit"),
        ("ж = ы", "not drawn yet: ы"),
        ("ж + a hook", "no such accent: hook"),
        ("ж fill 0 0 8", "four numbers each"),
        ("ж box q", "'q'"),
        ("ж =", "list index out of range"),
    ],
)
def test_mistakes_name_their_line(row: str, named: str) -> None:
    line = len(TABLE.read_text(encoding="utf-8").split("\n")) + 1
    said = mistakes(row)
    assert said.startswith(f"f.tbl:{line}: ") and named in said


def test_missing_characters() -> None:
    with pytest.raises(TableError, match="U\\+007E is missing"):
        font.parse("A 00 01", "f.tbl")


def test_the_table() -> None:
    """Every character has its own look, but for those said to be the same."""
    text = TABLE.read_text(encoding="utf-8")
    glyphs = font.parse(text, str(TABLE))
    same = {font.character(line.split()[0]) for line in text.splitlines() if line.split()[1:2] == ["="]}
    own = [pixels for code, pixels in glyphs.items() if code not in same]
    assert len(set(own)) == len(own)
    assert set(range(0xA0, 0x100)) <= set(glyphs)
    header = font.generate(text, str(TABLE), "x86_64")
    assert header.count("{ 0x") == len(glyphs) and header.isascii()


@pytest.mark.parametrize("arch,suffix", [("x86_64", "pci"), ("aarch64", "device")])
def test_graphics_arguments(arch: str, suffix: str) -> None:
    spec = GuestSpec(find_machine(arch, None), ROOT / "cairn.elf", None, "", graphics=True, display="gtk")
    args = arguments(spec, {})
    assert f"virtio-gpu-{suffix}" in args and f"virtio-keyboard-{suffix}" in args
    assert args[args.index("-display") + 1] == "gtk"
    spec.graphics = False
    assert not any("gpu" in word for word in arguments(spec, {}))


def test_no_window_without_qemu() -> None:
    assert launch.window("/nonexistent/qemu") == "none"
