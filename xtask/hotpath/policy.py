"""The `[hotpath]` tables of policy.toml: read, checked for form, and narrowed to one port. Pure."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ANYONE = "*"
EDGES = ("leaves", "guarded", "permits", "repeats")


def is_pattern(name: str) -> bool:
    return name != ANYONE and any(c in name for c in "*?[")


class PolicyError(Exception):
    """The tables do not say what they must; the message names the row."""


@dataclass(frozen=True)
class Forbidden:
    """What no hot path may reach: functions, and whatever a file defines."""

    group: str
    why: str
    files: tuple[str, ...]
    symbols: tuple[str, ...]
    harmless: tuple[str, ...]  # functions of these files that are not meant


@dataclass
class Edges:
    """Calls that are judged otherwise. leaves: the tier ends there. guarded: never made on these ways, since
    the caller tests for it at run time. permits: made, although the callee is forbidden, and followed.
    repeats: goes back into a function that is under way, at most `times` deep."""

    kind: str
    callers: tuple[str, ...]
    callees: tuple[str, ...]
    why: str
    entries: tuple[str, ...] = ()  # only on the way from these; all when empty
    times: int = 0
    used: set[str] = field(default_factory=set)


@dataclass
class Pointers:
    """The calls through pointers in one function, how many there are, and where they may go."""

    caller: str
    sites: int
    targets: tuple[str, ...]
    table: str | None
    registrar: str | None
    argument: int
    leaves: bool
    why: str
    used: bool = False


@dataclass(frozen=True)
class Entry:
    """A way into the hot paths. frame: what the hardware puts on the stack before the first instruction."""

    name: str
    roots: tuple[str, ...]
    stack: int
    frame: int
    why: str


@dataclass(frozen=True)
class Measure:
    """A stretch that is counted: from any of `start`, over `via`, to any of `stop`."""

    name: str
    start: tuple[str, ...]
    via: tuple[str, ...]
    stop: tuple[str, ...]
    budget: int
    hits: int
    why: str


@dataclass
class HotPolicy:
    arch: str
    tier: tuple[str, ...]
    tests: tuple[str, ...]
    growth_percent: float
    mark: str  # the function that begins and ends what is counted
    forbidden: list[Forbidden]
    ends: dict[str, str]
    edges: list[Edges]
    pointers: list[Pointers]
    entries: list[Entry]
    measures: list[Measure]


class Row:
    """A table of the file, read key by key; what is left over or missing is an error that names it."""

    def __init__(self, where: str, table: object) -> None:
        if not isinstance(table, dict):
            raise PolicyError(f"{where}: not a table")
        self.where, self.left = where, dict(table)

    def take(self, key: str, kind: type, default: Any = None) -> Any:
        value = self.left.pop(key, default)
        if value is None:
            raise PolicyError(f"{self.where}: {key} is missing")
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise PolicyError(f"{self.where}: {key} must be of type {kind.__name__}, not {value!r}")
        return value

    def text(self, key: str, default: str | None = None) -> str:
        value = str(self.take(key, str, default))
        if key == "why" and len(value) < 12:
            raise PolicyError(f"{self.where}: why must be a reason, not {value!r}")
        return value

    def texts(self, key: str, default: list[str] | None = None) -> tuple[str, ...]:
        value = self.take(key, list, default)
        if not all(isinstance(item, str) and item for item in value):
            raise PolicyError(f"{self.where}: {key} must be a list of names")
        return tuple(value)

    def count(self, key: str, least: int, default: int | None = None) -> int:
        value = int(self.take(key, int, default))
        if value < least:
            raise PolicyError(f"{self.where}: {key} must be at least {least}, not {value}")
        return value

    def done(self) -> None:
        if self.left:
            raise PolicyError(f"{self.where}: unknown key {sorted(self.left)[0]}")


def read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except OSError as error:
        raise PolicyError(f"{path}: {error.strerror}") from None
    except tomllib.TOMLDecodeError as error:
        raise PolicyError(f"{path}: {error}") from None


def load(path: Path, arch: str) -> HotPolicy:
    return parse(read(path), arch)


def parse(document: dict[str, Any], arch: str) -> HotPolicy:
    """The tables for one port: a row with `arch` counts for that port alone."""
    table = document.get("hotpath")
    if not isinstance(table, dict):
        raise PolicyError("there is no [hotpath] table")
    top = Row("[hotpath]", table)
    keys = ("ends", *EDGES, "pointers", "entry", "measure")
    lists = {key: rows_for(top, key, arch) for key in keys}
    forbidden = top.take("forbidden", dict, {})
    policy = HotPolicy(
        arch,
        tuple(prefix.replace("{arch}", arch) for prefix in top.texts("tier")),
        tuple(prefix.replace("{arch}", arch) for prefix in top.texts("tests", [])),
        float(top.count("growth_percent", 0)),
        top.text("mark"),
        [read_forbidden(name, group, arch) for name, group in sorted(forbidden.items())],
        {},
        [read_edges(kind, row) for kind in EDGES for row in lists[kind]],
        [read_pointers(row) for row in lists["pointers"]],
        [read_entry(row) for row in lists["entry"]],
        [read_measure(row) for row in lists["measure"]],
    )
    top.done()
    for row in lists["ends"]:
        why = row.text("why")
        policy.ends.update({name: why for name in row.texts("symbols")})
        row.done()
    check_complete(policy)
    return policy


def rows_for(top: Row, key: str, arch: str) -> list[Row]:
    found = []
    for number, item in enumerate(top.take(key, list, []), start=1):
        row = Row(f"[[hotpath.{key}]] {number}", item)
        only = row.left.pop("arch", None)
        if only is None or only == arch:
            found.append(row)
    return found


def check_complete(policy: HotPolicy) -> None:
    for what, names in (
        ("forbidden groups", [g.group for g in policy.forbidden]),
        ("entries", [e.name for e in policy.entries]),
        ("measures", [m.name for m in policy.measures]),
    ):
        if not names:
            raise PolicyError(f"[hotpath]: no {what} for {policy.arch}")
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise PolicyError(f"[hotpath]: {what}: {twice[0]} is there twice")


def read_forbidden(name: str, table: object, arch: str) -> Forbidden:
    row = Row(f"[hotpath.forbidden.{name}]", table)
    files = tuple(file.replace("{arch}", arch) for file in row.texts("files", []))
    found = Forbidden(name, row.text("why"), files, row.texts("symbols", []), row.texts("harmless", []))
    row.done()
    if not found.files and not found.symbols:
        raise PolicyError(f"{row.where}: neither files nor symbols")
    return found


def read_edges(kind: str, row: Row) -> Edges:
    found = Edges(kind, row.texts("from"), row.texts("to"), row.text("why"), row.texts("entries", []))
    found.times = row.count("times", 1) if kind == "repeats" else 0
    row.done()
    return found


def read_pointers(row: Row) -> Pointers:
    found = Pointers(
        row.text("from"),
        row.count("sites", 1, 1),
        row.texts("targets", []),
        row.text("table", "") or None,
        row.text("registrar", "") or None,
        row.count("argument", 0, 0),
        bool(row.take("leaves", bool, False)),
        row.text("why"),
    )
    row.done()
    if not found.targets and not found.table:
        raise PolicyError(f"{row.where}: neither targets nor a table")
    return found


def read_entry(row: Row) -> Entry:
    found = Entry(
        row.text("name"), row.texts("roots"), row.count("stack", 1), row.count("frame", 0, 0), row.text("why")
    )
    row.done()
    return found


def read_measure(row: Row) -> Measure:
    found = Measure(
        row.text("name"),
        row.texts("from"),
        row.texts("via", []),
        row.texts("to"),
        row.count("budget", 1),
        row.count("hits", 1),
        row.text("why"),
    )
    row.done()
    return found
