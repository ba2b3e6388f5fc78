"""The kernel's trace rings in a piece of its memory: found by their magic, decoded by kernel/debug/events.tbl.

Pure: bytes in, records out. The layout is struct trace_ring and struct trace_record (debug/trace.h).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from mmap import mmap
from typing import Any

from ..gen.events import EventType

MAGIC = b"CairnTrc"
HEADER = struct.Struct("<8sIIQ40x")
RECORD = struct.Struct("<QQiiHHI4Q")
RECORDS_MAX = 1 << 20


@dataclass(frozen=True)
class Record:
    seq: int  # place in the ring's history, from 0
    ns: int
    pid: int
    tid: int
    type: int
    cpu: int
    args: tuple[int, int, int, int]


@dataclass(frozen=True)
class Ring:
    """One CPU's: what is whole in it, the oldest first."""

    offset: int
    head: int  # records ever begun
    records: tuple[Record, ...]
    lost: int  # begun, and not here: written over, or not finished


def decode_record(data: bytes | mmap, offset: int) -> Record | None:
    seq, ns, pid, tid, kind, cpu, _, *args = RECORD.unpack_from(data, offset)
    if seq == 0:
        return None
    return Record(seq - 1, ns, pid, tid, kind, cpu, (args[0], args[1], args[2], args[3]))


def decode_ring(data: bytes | mmap, offset: int) -> Ring | None:
    """The ring at offset; None when what is there only looks like one."""
    if offset + HEADER.size > len(data):
        return None
    magic, count, size, head = HEADER.unpack_from(data, offset)
    if magic != MAGIC or size != RECORD.size or not 0 < count <= RECORDS_MAX or count & (count - 1):
        return None
    first = offset + HEADER.size
    if first + count * size > len(data):
        return None
    places = range(max(0, head - count), head)
    found = [(place, decode_record(data, first + place % count * size)) for place in places]
    whole = tuple(record for place, record in found if record is not None and record.seq == place)
    return Ring(offset, head, whole, head - len(whole))


def find_rings(data: bytes | mmap) -> list[Ring]:
    """Every ring in the bytes, wherever it begins."""
    rings: list[Ring] = []
    at = data.find(MAGIC)
    while at >= 0:
        ring = decode_ring(data, at)
        if ring is not None:
            rings.append(ring)
        at = data.find(MAGIC, at + 1)
    return rings


def field_value(kind: str, value: int) -> int | str:
    if kind == "hex":
        return f"{value:#x}"
    return value - (1 << 64) if kind == "s64" and value >> 63 else value


def as_event(record: Record, types: list[EventType]) -> dict[str, Any]:
    """What the drain would have written, but for seq."""
    if record.type < len(types):
        row = types[record.type]
        fields = {name: field_value(kind, value) for (name, kind), value in zip(row.fields, record.args)}
        name = row.name
    else:
        name, fields = f"type_{record.type}", {f"arg{n}": f"{value:#x}" for n, value in enumerate(record.args)}
    return {"type": name, "pid": record.pid, "tid": record.tid, **fields, "ns": record.ns, "cpu": record.cpu}
