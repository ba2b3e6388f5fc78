"""What a command has to say: tables, notes and problems, for people or as JSON. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar, Union

from .errors import CairnError

T = TypeVar("T")


class Hex(int):
    """A number shown in hexadecimal: an address, a mask. In JSON a string, since 64 bits do not fit there."""

    def __str__(self) -> str:
        return f"{int(self):#x}"


Cell = Union[str, int, bool, None, Hex]
PROBLEMS_MAX = 50


@dataclass
class Table:
    name: str
    title: str = ""
    rows: list[dict[str, Cell]] = field(default_factory=list)

    def row(self, **cells: Cell) -> None:
        self.rows.append(cells)


def show(cell: Cell) -> str:
    if cell is None:
        return "-"
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    return printable(str(cell))


def printable(text: str) -> str:
    """One line, whatever the guest's memory held."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def as_json(cell: Cell) -> object:
    return f"{int(cell):#x}" if isinstance(cell, Hex) else cell


class Report:
    def __init__(self, command: str) -> None:
        self.command = command
        self.tables: list[Table] = []
        self.notes: list[str] = []
        self.problems: list[str] = []

    def table(self, name: str, title: str = "") -> Table:
        table = Table(name, title)
        self.tables.append(table)
        return table

    def note(self, text: str) -> None:
        self.notes.append(text)

    def problem(self, text: str) -> None:
        if text not in self.problems:
            self.problems.append(text)

    def guard(self, items: Iterable[T]) -> Iterator[T]:
        """The items up to the first that cannot be had; why becomes a problem of the report."""
        iterator = iter(items)
        while True:
            try:
                item = next(iterator)
            except StopIteration:
                return
            except CairnError as error:
                self.problem(str(error))
                return
            yield item

    def json(self) -> str:
        tables = {
            table.name: [{key: as_json(cell) for key, cell in row.items()} for row in table.rows]
            for table in self.tables
        }
        record = {
            "command": self.command,
            "ok": not self.problems,
            "tables": tables,
            "notes": self.notes,
            "problems": self.problems,
        }
        return json.dumps(record)

    def text(self) -> str:
        parts = [table_text(table) for table in self.tables if table.rows or table.title]
        parts += [printable(note) for note in self.notes]
        return "\n".join(parts) + "\n" if parts else ""

    def problem_text(self) -> str:
        shown = [printable(text) for text in self.problems[:PROBLEMS_MAX]]
        if len(self.problems) > PROBLEMS_MAX:
            shown.append(f"and {len(self.problems) - PROBLEMS_MAX} more")
        return "\n".join(f"cairn {self.command}: {text}" for text in shown)


def table_text(table: Table) -> str:
    """Columns as wide as they must be; numbers to the right; nothing behind the last column."""
    lines = [table.title] if table.title else []
    if table.rows:
        keys = list(dict.fromkeys(key for row in table.rows for key in row))
        cells = [[show(row.get(key)) for key in keys] for row in table.rows]
        right = [all(_number(row.get(key)) for row in table.rows) for key in keys]
        widths = [max(len(key), *(len(line[i]) for line in cells)) for i, key in enumerate(keys)]
        lines += [_line(line, widths, right) for line in [[k.upper() for k in keys], *cells]]
    return "\n".join(lines)


def _number(cell: Cell) -> bool:
    return cell is None or (isinstance(cell, int) and not isinstance(cell, (bool, Hex)))


def _line(cells: list[str], widths: list[int], right: list[bool]) -> str:
    padded = [c.rjust(w) if r else c.ljust(w) for c, w, r in zip(cells, widths, right)]
    return "  ".join(padded).rstrip()
