"""A document as its code spans and its fenced blocks, with line numbers. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

SPAN = re.compile(r"`([^`\n]+)`")
FENCE = re.compile(r"^(`{3,})\s*(.*)$")


@dataclass(frozen=True)
class Span:
    line: int
    text: str


@dataclass(frozen=True)
class Block:
    """A fenced block: the words after the fence, and its lines."""

    line: int
    info: tuple[str, ...]
    lines: tuple[str, ...]

    @property
    def runnable(self) -> bool:
        return "runnable" in self.info

    def option(self, name: str) -> str | None:
        """The value of NAME=VALUE among the words after the fence."""
        return next((word.split("=", 1)[1] for word in self.info if word.startswith(f"{name}=")), None)


@dataclass(frozen=True)
class Page:
    path: Path
    text: str
    spans: list[Span] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)

    def code(self) -> Iterator[Span]:
        """Everything that is code: spans, lines of blocks, lines indented by four."""
        yield from self.spans
        for block in self.blocks:
            for offset, text in enumerate(block.lines, 1):
                yield Span(block.line + offset, text)


def parse(path: Path, text: str) -> Page:
    page = Page(path, text)
    fence, start, info = "", 0, ""
    inside: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        mark = FENCE.match(line)
        if fence:
            if line.rstrip() == fence:
                page.blocks.append(Block(start, tuple(info.split()), tuple(inside)))
                fence = ""
            else:
                inside.append(line)
        elif mark:
            fence, info, start, inside = mark[1], mark[2], number, []
        elif line.startswith("    "):
            page.spans.append(Span(number, line.strip()))
        else:
            page.spans.extend(Span(number, text) for text in SPAN.findall(line))
    if fence:
        raise ValueError(f"{path}:{start}: a block that does not end")
    return page
