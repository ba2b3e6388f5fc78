"""The compiler's own call graph: the .ci files of gcc's -fcallgraph-info=su. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

NODE = re.compile(r'^node: \{ title: "([^"]*)" label: "([^"]*)"')
EDGE = re.compile(r'^edge: \{ sourcename: "([^"]*)" targetname: "([^"]*)"(?: label: "([^"]*)")?')
FRAME = re.compile(r"^(\d+) bytes \(([a-z,]+)\)$")
INDIRECT = "__indirect_call"


@dataclass(frozen=True)
class Call:
    """target: a name; __indirect_call for a call through a pointer. place: file:line of the source."""

    target: str
    place: str


@dataclass
class Compiled:
    """One function as the compiler saw it, inlined ones included."""

    name: str
    place: str
    frame: int
    bounded: bool
    calls: list[Call] = field(default_factory=list)


def own_name(title: str) -> str:
    """A static function's title has its file before it."""
    return title.rpartition(":")[2]


def short_place(label: str) -> str:
    """file:line of file:line:column."""
    parts = label.split(":")
    return ":".join(parts[:2]) if len(parts) >= 2 else label


def parse(text: str) -> dict[str, Compiled]:
    """The functions that the file defines, by their name in the object."""
    found: dict[str, Compiled] = {}
    for line in text.splitlines():
        node, edge = NODE.match(line), EDGE.match(line)
        if node:
            parts = node[2].split("\\n")
            frame = FRAME.match(parts[2]) if len(parts) > 2 else None
            if frame:
                name = own_name(node[1])
                bounded = frame[2] in ("static", "dynamic,bounded")
                found[name] = Compiled(name, short_place(parts[1]), int(frame[1]), bounded)
        elif edge and own_name(edge[1]) in found:
            call = Call(own_name(edge[2]), short_place(edge[3] or ""))
            if call not in found[own_name(edge[1])].calls:
                found[own_name(edge[1])].calls.append(call)
    return found
