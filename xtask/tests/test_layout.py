"""docs/planning/ARM64_MEMORY_LAYOUT.md says what the headers say."""

from __future__ import annotations

import re
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
PAGE = REPO / "docs/planning/ARM64_MEMORY_LAYOUT.md"
HEADER = "kernel/arch/aarch64/include/asm/mmu.h"
ROW = re.compile(r"^\| `(\w+)` \| `(\w+)` \| `([\w/.]+)` \|", re.MULTILINE)
DEFINE = re.compile(r"^#define (\w+) (.+?)(?:\s*/\*.*)?$", re.MULTILINE)
OPERATOR = re.compile(r"\s*(\*|<<)\s*")
SYMBOL = re.compile(r"`(__\w+|boot_stack\w*)`")


def rows() -> list[tuple[str, str, str]]:
    found = ROW.findall(PAGE.read_text())
    assert len(found) > 15
    return found


def number(text: str, names: dict[str, int]) -> int:
    """Of a literal, a name, or a product or shift of two."""
    left, *rest = OPERATOR.split(text.strip("() "))
    value = names[left] if left in names else int(left.rstrip("ulUL"), 0)
    if not rest:
        return value
    right = number(rest[1], names)
    return value * right if rest[0] == "*" else value << right


def defines(path: str) -> dict[str, str]:
    return dict(DEFINE.findall((REPO / path).read_text()))


def test_each_constant_is_the_headers() -> None:
    said: dict[str, int] = {}
    for name, value, path in rows():
        assert number(defines(path)[name], said) == int(value, 0), f"{name} of {path}"
        said[name] = int(value, 0)


def test_each_constant_of_the_header_is_there() -> None:
    assert set(defines(HEADER)) <= {name for name, _, path in rows() if path == HEADER}


def test_a_wrong_value_is_seen() -> None:
    assert number("(16 * 1024ul)", {}) == 0x4000 and number("4ull << 30", {}) == 1 << 32
    assert number("2 * SIZE", {"SIZE": 8}) == 16 and number("0xffff", {}) != 0xFFFE


def test_symbols_of_the_image_exist() -> None:
    sources = [REPO / "kernel/arch/aarch64/boot" / name for name in ("link.ld", "head.S")]
    text = "\n".join(path.read_text() for path in sources)
    named = set(SYMBOL.findall(PAGE.read_text()))
    assert len(named) >= 10 and all(name in text for name in named)
