"""What a guest's screen shows, and keys for it: screenshots over QMP, the picture that a test expects, and the text
that can be read from one. Pure but for the functions that take a Qmp."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from xtask.gen import font
from xtask.guest.qmp import Qmp
from xtask.guest.rundir import ROOT

TABLE = ROOT / "kernel/tty/font.tbl"
GLYPHS = font.parse(TABLE.read_text(encoding="utf-8"), str(TABLE))
GREY, BLACK = 0xAAAAAA, 0
DARK = (0x000000, 0xAA0000, 0x00AA00, 0xAA5500, 0x0000AA, 0xAA00AA, 0x00AAAA, 0xAAAAAA)
BRIGHT = (0x555555, 0xFF5555, 0x55FF55, 0xFFFF55, 0x5555FF, 0xFF55FF, 0x55FFFF, 0xFFFFFF)
NAMES = {" ": "spc", "-": "minus", "=": "equal", "/": "slash", "\n": "ret", ",": "comma", ".": "dot"}
# Shifted characters, by the key they are on.
SHIFTED = {"!": "1", "#": "3", "_": "-", ":": ";", ">": "."}


@dataclass
class Image:
    width: int
    height: int
    rows: list[list[int]]  # 0xRRGGBB

    @classmethod
    def blank(cls, width: int, height: int) -> Image:
        return cls(width, height, [[BLACK] * width for _ in range(height)])

    def text(self, row: int, column: int, words: str, fg: int = GREY, bg: int = BLACK, line: int | None = None) -> None:
        """Draws characters into cells; line: a row of pixels that is all in the text's colour."""
        for at, char in enumerate(words, column):
            pixels = GLYPHS[ord(char)]
            for y in range(font.HEIGHT):
                for x in range(font.WIDTH):
                    on = (x, y) in pixels or y == line
                    self.rows[row * font.HEIGHT + y][at * font.WIDTH + x] = fg if on else bg

    def cell(self, row: int, column: int) -> tuple[tuple[int, ...], ...]:
        x, y = column * font.WIDTH, row * font.HEIGHT
        return tuple(tuple(line[x : x + font.WIDTH]) for line in self.rows[y : y + font.HEIGHT])

    def differences(self, other: Image) -> list[tuple[int, int]]:
        """Cells (row, column) that are not the same."""
        return [
            (row, column)
            for row in range(self.height // font.HEIGHT)
            for column in range(self.width // font.WIDTH)
            if self.cell(row, column) != other.cell(row, column)
        ]

    def read(self) -> list[str]:
        """The characters of each row in plain colours, blanks at the end left out; '?' for anything else."""
        known = {tuple(font.rows(pixels)): chr(code) for code, pixels in reversed(GLYPHS.items())}
        lines = []
        for row in range(self.height // font.HEIGHT):
            chars = []
            for column in range(self.width // font.WIDTH):
                bits = [sum(0x80 >> x for x, p in enumerate(line) if p != BLACK) for line in self.cell(row, column)]
                chars.append(known.get(tuple(bits), "?"))
            lines.append("".join(chars).rstrip())
        return lines


def parse_ppm(data: bytes) -> Image:
    """A binary PPM as QEMU writes it."""
    magic, size, depth, pixels = data.split(b"\n", 3)
    width, height = map(int, size.split())
    if magic != b"P6" or depth != b"255" or len(pixels) != width * height * 3:
        raise ValueError("not a screenshot")
    flat = [pixels[i] << 16 | pixels[i + 1] << 8 | pixels[i + 2] for i in range(0, len(pixels), 3)]
    return Image(width, height, [flat[y * width : (y + 1) * width] for y in range(height)])


def screenshot(qmp: Qmp, path: Path) -> Image:
    qmp.execute("screendump", {"filename": str(path)}, timeout_s=10)
    return parse_ppm(path.read_bytes())


def press(qmp: Qmp, *keys: str) -> None:
    """Keys (names of QEMU's) down in this order, then up."""
    ordered = [(key, True) for key in keys] + [(key, False) for key in reversed(keys)]
    events = [
        {"type": "key", "data": {"down": down, "key": {"type": "qcode", "data": key}}} for key, down in ordered
    ]
    qmp.execute("input-send-event", {"events": events})


def type_text(qmp: Qmp, text: str) -> None:
    for char in text:
        plain = SHIFTED.get(char, char.lower())
        key = NAMES.get(plain, plain)
        if plain == char:
            press(qmp, key)
        else:
            press(qmp, "shift", key)
