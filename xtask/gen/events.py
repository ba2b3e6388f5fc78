"""The event table: kernel/debug/events.tbl → trace_gen.h, the types of the trace ring.

A row that begins with @CATEGORY is written by TRACE() in hot paths: at most four fields, all numbers. The
drain makes an event of it, with pid and tid besides. Rows without are written where events may be.

    @sched sched_switch: next:s64 state:u64
"""

from __future__ import annotations

from dataclasses import dataclass

from .table import Mistakes, c_string, table_lines

KINDS = ("u64", "s64", "hex", "str", "bool", "list", "object")
TRACED_KINDS = {"u64": "u", "s64": "s", "hex": "x"}
TRACED_MAX = 4
TRACED_COMMON = (("pid", "s64"), ("tid", "s64"))


@dataclass(frozen=True)
class EventType:
    name: str
    category: str | None  # of a traced one
    fields: tuple[tuple[str, str], ...]  # (name, kind); kind may end in ?

    def schema(self) -> dict[str, str]:
        """What an event of the type has besides the common fields."""
        return dict((*TRACED_COMMON, *self.fields) if self.category else self.fields)


def parse_row(line: int, row: str, mistakes: Mistakes) -> EventType | None:
    words = row.split()
    category = words.pop(0)[1:] if words[0].startswith("@") else None
    if not words or not words[0].endswith(":") or not words[0][:-1].isidentifier():
        mistakes.add(line, "not a row: [@category] type: field:kind ...")
        return None
    fields: list[tuple[str, str]] = []
    for word in words[1:]:
        name, _, kind = word.partition(":")
        if not name.isidentifier() or kind.rstrip("?") not in KINDS:
            mistakes.add(line, f"{word!r} is not field:kind ({' '.join(KINDS)})")
        elif name in dict(fields):
            mistakes.add(line, f"field {name!r} is there twice")
        elif category is not None and kind not in TRACED_KINDS:
            mistakes.add(line, f"{word!r}: a traced type has numbers alone ({' '.join(TRACED_KINDS)})")
        fields.append((name, kind))
    if category is not None and len(fields) > TRACED_MAX:
        mistakes.add(line, f"{len(fields)} fields, a traced type has at most {TRACED_MAX}")
    return EventType(words[0][:-1], category, tuple(fields))


def parse(text: str, path: str) -> list[EventType]:
    """All rows; TableError names every mistake."""
    mistakes = Mistakes(path)
    rows: list[EventType] = []
    for line, row in table_lines(text):
        found = parse_row(line, row, mistakes)
        if found is None:
            continue
        if found.name in [other.name for other in rows]:
            mistakes.add(line, f"type {found.name!r} is there twice")
        rows.append(found)
    mistakes.raise_if_any()
    return rows


def traced(rows: list[EventType]) -> list[EventType]:
    """Those of the trace ring; the place in the list is the number in a record."""
    return [row for row in rows if row.category is not None]


def generate(text: str, path: str, arch: str) -> str:
    del arch
    rows = traced(parse(text, path))
    table = []
    for row in rows:
        fields = " ".join(f"F({c_string(name)}, '{TRACED_KINDS[kind]}')" for name, kind in row.fields)
        table.append(f"\tX({row.name}, {fields})")
    lines = [
        "/* Generated from the event table by xtask gen events: do not edit. */",
        "#pragma once",
        "",
        "enum trace_type {",
        *(f"\tTRACE_{row.name}," for row in rows),
        "\tTRACE_TYPES",
        "};",
        "",
        "/* X(type, fields), the fields each as F(\"name\", kind). */",
        " \\\n".join(["#define TRACE_ROWS(X, F)", *table]),
        "",
        *(f"#define TRACE_CATEGORY_{row.name} EVC_{(row.category or '').upper()}" for row in rows),
    ]
    return "\n".join(lines) + "\n"
