"""The event channel: bytes in, events and defects out. Pure. The schema is kernel/debug/events.tbl.

A line that is not strict JSON, lacks a field, or leaves a gap in seq is a Defect: evidence was lost."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LINE_MAX = 65536
TRACED: dict[str, str] = {"pid": "s64", "tid": "s64"}  # of every type of the trace ring
COMMON: dict[str, str] = {"seq": "u64", "ns": "u64", "cpu": "u64", "type": "str"}


@dataclass(frozen=True)
class Event:
    type: str
    seq: int
    ns: int
    cpu: int
    fields: dict[str, Any]

    def text(self, name: str) -> str:
        value = self.fields.get(name, "")
        return value if isinstance(value, str) else str(value)

    def number(self, name: str) -> int:
        value = self.fields.get(name)
        return value if isinstance(value, int) else 0


@dataclass(frozen=True)
class Defect:
    """Something on the event channel that cannot be believed."""

    what: str
    line: str = ""

    def __str__(self) -> str:
        shown = self.line if len(self.line) <= 120 else self.line[:117] + "..."
        return f"{self.what}: {shown!r}" if self.line else self.what


Schema = dict[str, dict[str, str]]


def refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    if len(set(keys)) != len(keys):
        raise ValueError("a key is there twice")
    return dict(pairs)


def parse_line(line: bytes) -> Event | Defect:
    shown = line.decode("ascii", "backslashreplace")
    try:
        record = json.loads(
            line.decode("ascii"), parse_constant=refuse_constant, object_pairs_hook=unique_keys
        )
    except (ValueError, RecursionError):
        return Defect("a line of the event channel is not strict JSON", shown)
    if not isinstance(record, dict):
        return Defect("a line of the event channel is not an object", shown)
    for name, kind in COMMON.items():
        if not field_fits(record.get(name), kind):
            return Defect(f"an event has no proper {name!r}", shown)
    rest = {key: value for key, value in record.items() if key not in COMMON}
    return Event(record["type"], record["seq"], record["ns"], record["cpu"], rest)


def is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def field_fits(value: object, kind: str) -> bool:
    """Whether a value is of a type of events.tbl."""
    if kind.endswith("?"):
        return value is None or field_fits(value, kind[:-1])
    if kind == "u64":
        return is_int(value) and isinstance(value, int) and 0 <= value < 1 << 64
    if kind == "s64":
        return is_int(value) and isinstance(value, int) and -(1 << 63) <= value < 1 << 63
    if kind == "hex":
        return isinstance(value, str) and value.startswith("0x") and is_hex(value[2:])
    if kind == "bool":
        return isinstance(value, bool)
    if kind == "list":
        return isinstance(value, list)
    if kind == "object":
        return isinstance(value, dict)
    return isinstance(value, str)


def is_hex(text: str) -> bool:
    return bool(text) and all(char in "0123456789abcdefABCDEF" for char in text)


class EventStream:
    """Cuts the bytes of the channel into events, and watches seq."""

    def __init__(self, schema: Schema | None = None) -> None:
        self.schema = schema
        self.buffer = b""
        self.next_seq = 0
        self.unknown: set[str] = set()

    def feed(self, data: bytes) -> list[Event | Defect]:
        self.buffer += data
        *lines, self.buffer = self.buffer.split(b"\n")
        out: list[Event | Defect] = []
        for line in lines:
            out += self.take(line)
        if len(self.buffer) > LINE_MAX:
            out.append(Defect("an event is longer than any can be", self.buffer[:80].decode("latin-1")))
            self.buffer = b""
        return out

    def take(self, line: bytes) -> list[Event | Defect]:
        record = parse_line(line)
        if isinstance(record, Defect):
            return [record]
        out: list[Event | Defect] = []
        if record.seq != self.next_seq:
            out.append(Defect(f"seq {record.seq} came where {self.next_seq} was due: events were lost"))
        self.next_seq = record.seq + 1
        out += self.schema_defects(record)
        return [*out, record]

    def schema_defects(self, record: Event) -> list[Defect]:
        if self.schema is None:
            return []
        if record.type not in self.schema:
            return [Defect(f"event type {record.type!r} is not in events.tbl")]
        if record.fields.get("truncated") is True:
            return []
        wrong = [
            f"{name} ({kind})"
            for name, kind in self.schema[record.type].items()
            if not field_fits(record.fields.get(name), kind)
        ]
        return [Defect(f"event {record.type!r} breaks the schema: {', '.join(wrong)}")] if wrong else []

    def finish(self) -> list[Defect]:
        """What is left when the channel ended: a line cut short is a defect."""
        if not self.buffer:
            return []
        left, self.buffer = self.buffer, b""
        return [Defect("the last event was cut short", left.decode("ascii", "backslashreplace"))]


def parse_schema(text: str) -> Schema:
    """events.tbl: `[@category] type: field:kind ...`, one event a line; a trailing ? marks an optional field."""
    schema: Schema = {}
    for raw in text.splitlines():
        line = raw.split("#", 1)[0].strip()
        if not line:
            continue
        head, *words = line.split()
        fields: dict[str, str] = {}
        if head.startswith("@") and words:  # by way of the trace ring
            head, *words = words
            fields = dict(TRACED)
        for word in words:
            name, colon, kind = word.partition(":")
            if colon and name and kind:
                fields[name] = kind
        schema[head.rstrip(":")] = fields
    return schema


def load_schema(path: Path) -> Schema | None:
    return parse_schema(path.read_text(encoding="ascii")) if path.is_file() else None
