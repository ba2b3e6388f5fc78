"""Names of files, as bytes: patterns of the policy, and names made to look like something else.

A pattern: `dir/` is everything below, `*` is within one component, `**` any number of components; anything
else is the name itself.
"""

from __future__ import annotations

import re
import unicodedata

SYMLINK = b"120000"
GITLINK = b"160000"


def pattern_regex(pattern: str) -> bytes:
    """The pattern as a regular expression over bytes, to be matched fully."""
    parts = pattern.encode().split(b"/")
    regex = b""
    for place, part in enumerate(parts):
        last = place == len(parts) - 1
        if part == b"**":
            regex += b".+" if last else b"(?:[^/]+/)*"
        elif last and not part:
            regex += b".+"
        else:
            regex += b"[^/]*".join(re.escape(piece) for piece in part.split(b"*")) + (b"" if last else b"/")
    return regex


def ancestors(pattern: str) -> list[str]:
    """Patterns of the directories above what the pattern names, up to its first `**`."""
    parts = pattern.split("/")
    named = parts[: parts.index("**")] if "**" in parts else parts[:-1]
    return ["/".join(named[:count]) for count in range(1, len(named) + 1)]


def any_of(patterns: list[str]) -> re.Pattern[bytes]:
    return re.compile(b"|".join(pattern_regex(p) for p in patterns) or rb"(?!)", re.DOTALL)


class Patterns:
    """Many patterns at once: as written, and as they look."""

    def __init__(self, patterns: list[str]) -> None:
        above = sorted({directory for p in patterns for directory in ancestors(p)})
        self.own = any_of(patterns)
        self.above = any_of(above)
        self.own_folded = any_of([fold(p.encode()).decode() for p in patterns])
        self.above_folded = any_of([fold(p.encode()).decode() for p in above])
        self.roots = {p.split("/")[0].encode() for p in patterns if "/" in p and not p.startswith("*")}
        self.roots_folded = {fold(root) for root in self.roots}

    def match(self, path: bytes) -> bool:
        return self.own.fullmatch(path) is not None

    def like(self, path: bytes) -> bool:
        """Whether path is, or passes for, a protected name."""
        return self.match(path) or self.own_folded.fullmatch(fold(path)) is not None

    def is_above(self, path: bytes) -> bool:
        """Whether path is a directory that leads to what is protected."""
        return self.above.fullmatch(path) is not None

    def like_above(self, path: bytes) -> bool:
        return self.is_above(path) or self.above_folded.fullmatch(fold(path)) is not None


def fold(path: bytes) -> bytes:
    """What a careless reader, or a file system that folds names, takes path for."""
    if path.isascii():
        return path.lower()
    text = unicodedata.normalize("NFKC", path.decode("utf-8", "ignore"))
    visible = "".join(c for c in text if unicodedata.category(c) not in ("Cf", "Cc", "Mn"))
    return unicodedata.normalize("NFC", visible.casefold()).encode()


def suspicious(path: bytes, patterns: Patterns) -> str:
    """Why the name itself is refused, or nothing. Asked of names that a change brings in."""
    root, slash, _ = path.partition(b"/")
    if slash and fold(root) in patterns.roots_folded:
        if not path.isascii():
            return "the name is not plain ASCII, in a directory that holds protected files"
        if root not in patterns.roots:
            return "the directory's name differs from one that holds protected files only in case"
    if patterns.like(path):
        if not patterns.match(path):
            return "the name differs from a protected one only in case or in what one does not see"
        if b"\\" in path or any(byte < 0x20 or byte == 0x7F for byte in path):
            return "the name holds a control character or a backslash"
    elif patterns.like_above(path) and not patterns.is_above(path):
        return "the name differs from a protected directory only in case or in what one does not see"
    return ""


def bad_type(path: bytes, mode: bytes, patterns: Patterns) -> str:
    """Why what stands at path now (its mode) is refused, or nothing."""
    if mode not in (SYMLINK, GITLINK):
        return ""
    kind = "a symbolic link" if mode == SYMLINK else "a submodule"
    if patterns.like(path):
        return f"{kind} stands where a protected file belongs"
    if patterns.like_above(path):
        return f"{kind} stands above protected files"
    return ""


def show(path: bytes) -> str:
    """A name for people: one line, nothing invisible."""
    text = path.decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() and unicodedata.category(c) != "Cf" else ascii(c)[1:-1] for c in text)
