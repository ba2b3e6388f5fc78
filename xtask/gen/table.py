"""What the table parsers share: lines without comments, and mistakes collected with their place."""

from __future__ import annotations

from collections.abc import Iterator


class TableError(Exception):
    """One or more mistakes in a table, each as file:line: text."""


class Mistakes:
    """Collects mistakes, so that one run reports them all."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.found: list[str] = []

    def add(self, line: int, text: str) -> None:
        self.found.append(f"{self.path}:{line}: {text}")

    def raise_if_any(self) -> None:
        if self.found:
            raise TableError("\n".join(self.found))


def table_lines(text: str) -> Iterator[tuple[int, str]]:
    """Line number and text of every line that is neither blank nor a comment (`#` at its start)."""
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            yield number, stripped


def c_string(text: str) -> str:
    """text as a C string literal (ASCII)."""
    out = []
    for char in text:
        if char in '"\\':
            out.append("\\" + char)
        elif 32 <= ord(char) < 127:
            out.append(char)
        else:
            out.extend(f"\\{byte:03o}" for byte in char.encode())
    return '"' + "".join(out) + '"'
