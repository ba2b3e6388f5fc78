"""Finding texts in a stream of bytes that comes in chunks. Pure.

A plain text is found wherever the chunks are cut, with or without a newline behind it. A regular
expression is matched line by line, and on the unfinished last line as it grows."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Pattern:
    kind: str  # signal or fail
    text: str
    regex: bool = False


@dataclass(frozen=True)
class Match:
    pattern: Pattern
    line: str


LINE_MAX = 1 << 16


class Matcher:
    """Feeds on chunks; the first match in the order of the bytes, fail before signal at the same place."""

    def __init__(self, patterns: list[Pattern]) -> None:
        self.line = b""
        self.patterns = [
            (pattern, re.compile(pattern.text.encode() if pattern.regex else re.escape(pattern.text.encode())))
            for pattern in sorted(patterns, key=lambda p: p.kind != "fail")
        ]
        self.longest = max((len(p.text.encode()) for p in patterns if not p.regex), default=0)

    def feed(self, data: bytes) -> Match | None:
        self.line += data
        while True:
            line, newline, rest = self.line.partition(b"\n")
            found = self.search(line)
            if found or not newline:
                if len(self.line) > LINE_MAX:
                    self.line = self.line[-self.longest - 1 :]
                return found
            self.line = rest

    def search(self, line: bytes) -> Match | None:
        hits = [
            (found.start(), order, pattern)
            for order, (pattern, regex) in enumerate(self.patterns)
            if (found := regex.search(line))
        ]
        if not hits:
            return None
        pattern = min(hits, key=lambda hit: hit[:2])[2]
        return Match(pattern, line.decode("utf-8", "replace").rstrip("\r"))
