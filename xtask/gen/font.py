"""The screen's font: kernel/tty/font.tbl (strokes) in, glyphs of 8 by 16 pixels out. Pure; the tests of the
screen draw what they expect with it. The table says what its rows mean."""

from __future__ import annotations

from collections.abc import Iterator

from .table import Mistakes

WIDTH, HEIGHT = 8, 16
TOP, LEFT = 2, 1  # the pixel of 0,0
ACCENT_UP = 2  # how much higher an accent is on a capital
Point = tuple[int, int]
Pixels = frozenset[Point]
BOX = {"u": (3, 0, 5, 8), "d": (3, 7, 5, 16), "l": (0, 7, 5, 8), "r": (3, 7, 8, 8)}
SHADE = ((0, 0), (1, 1), (0, 1))  # places in a square of two by two, in the order they are filled


class Bad(ValueError):
    """A row that makes no sense; args[0] says why."""


def character(word: str) -> int:
    if len(word) > 2 and word.startswith("U+"):
        return int(word[2:], 16)
    if len(word) != 1:
        raise Bad(f"neither a character nor U+XXXX: {word}")
    return ord(word)


def point(word: str) -> Point:
    if len(word) != 2:
        raise Bad(f"a point has two digits: {word}")
    return int(word[0], 16), int(word[1], 16)


def line(start: Point, end: Point) -> Iterator[Point]:
    """Points of a straight line, both ends with it."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    steps = max(abs(dx), abs(dy), 1)
    for i in range(steps + 1):
        yield start[0] + (2 * i * dx + steps) // (2 * steps), start[1] + (2 * i * dy + steps) // (2 * steps)


def stroke(words: list[str]) -> Pixels:
    thin = words[:1] == ["/"]
    points = [point(word) for word in (words[1:] if thin else words)]
    if len(points) < 2:
        raise Bad("a stroke has two points or more")
    found: set[Point] = set()
    for start, end in zip(points, points[1:], strict=False):
        for x, y in line(start, end):
            found |= {(x + LEFT + i, y + TOP) for i in range(1 if thin else 2)}
    return frozenset(found)


def strokes(words: list[str]) -> Pixels:
    found: Pixels = frozenset()
    while words:
        end = words.index("|") if "|" in words else len(words)
        found |= stroke(words[:end])
        words = words[end + 1 :]
    return found


def rectangle(x0: int, y0: int, x1: int, y1: int) -> Pixels:
    return frozenset((x, y) for x in range(x0, x1) for y in range(y0, y1))


def fills(words: list[str]) -> Pixels:
    numbers = [int(word) for word in words]
    if len(numbers) % 4 or not numbers:
        raise Bad("rectangles have four numbers each")
    found: Pixels = frozenset()
    for i in range(0, len(numbers), 4):
        found |= rectangle(*numbers[i : i + 4])
    return found


def box(sides: str) -> Pixels:
    return frozenset().union(*(rectangle(*BOX[side]) for side in sides))


def shade(level: int) -> Pixels:
    wanted = SHADE[:level]
    return frozenset((x, y) for x in range(WIDTH) for y in range(HEIGHT) if (x % 2, y % 2) in wanted)


class Font:
    """What was read so far."""

    def __init__(self) -> None:
        self.glyphs: dict[int, Pixels] = {}
        self.accents: dict[str, Pixels] = {}

    def glyph(self, word: str) -> Pixels:
        found = self.glyphs.get(character(word))
        if found is None:
            raise Bad(f"not drawn yet: {word}")
        return found

    def accented(self, base: str, name: str) -> Pixels:
        if name not in self.accents:
            raise Bad(f"no such accent: {name}")
        up = ACCENT_UP if base.isupper() else 0
        return self.glyph(base) | frozenset((x, y - up) for x, y in self.accents[name])

    def drawn(self, kind: str, words: list[str]) -> Pixels:
        if kind == "=":
            return self.glyph(words[0])
        if kind == "+":
            return self.accented(words[0], words[1])
        if kind == "box":
            return box(words[0])
        if kind == "fill":
            return fills(words)
        if kind == "shade":
            return shade(int(words[0]))
        return strokes([kind, *words] if kind else [])

    def row(self, words: list[str]) -> None:
        if words[0] == "accent":
            self.accents[words[1]] = strokes(words[2:])
            return
        code = character(words[0])
        pixels = self.drawn(words[1] if len(words) > 1 else "", words[2:])
        if code in self.glyphs:
            raise Bad(f"U+{code:04X} is there twice")
        if any(not (0 <= x < WIDTH and 0 <= y < HEIGHT) for x, y in pixels):
            raise Bad(f"U+{code:04X} does not fit {WIDTH}x{HEIGHT}")
        self.glyphs[code] = pixels


def parse(text: str, path: str) -> dict[int, Pixels]:
    """Glyphs by character, as sets of pixels. TableError."""
    mistakes = Mistakes(path)
    font = Font()
    for number, content in enumerate(text.splitlines(), 1):
        words = content.split()
        if not words or words[0] == "#":
            continue
        try:
            font.row(words)
        except (Bad, ValueError, IndexError, KeyError) as error:
            mistakes.add(number, str(error) or type(error).__name__)
    for code in (*range(0x20, 0x7F), 0xFFFD):
        if code not in font.glyphs:
            mistakes.add(0, f"U+{code:04X} is missing")
    mistakes.raise_if_any()
    return dict(sorted(font.glyphs.items()))


def rows(pixels: Pixels) -> list[int]:
    """Sixteen bytes, the leftmost pixel in the highest bit."""
    return [sum(0x80 >> x for x in range(WIDTH) if (x, y) in pixels) for y in range(HEIGHT)]


def generate(text: str, path: str, arch: str) -> str:
    del arch
    glyphs = parse(text, path)
    lines = [
        "/* Generated from the font's table by xtask gen font: do not edit. */",
        "#pragma once",
        "",
        f"#define FONT_WIDTH {WIDTH}",
        f"#define FONT_HEIGHT {HEIGHT}",
        f"#define FONT_GLYPHS {len(glyphs)}",
        "",
        "/* In order; 0x20 to 0x7e come first. */",
        "#define FONT_CHARS \\",
        "\t" + ", ".join(f"0x{code:04x}" for code in glyphs),
        "#define FONT_ROWS \\",
    ]
    lines += ["\t{ " + ", ".join(f"0x{row:02x}" for row in rows(pixels)) + " }, \\" for pixels in glyphs.values()]
    return "\n".join(lines)[: -len(" \\")] + "\n"
