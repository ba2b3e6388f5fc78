"""The stage table: kernel/init/stages.tbl → stages_gen.h, and the rows for the runner.

A row: id | phase | title | subsystem | ports | deadline_ms | what a failure means | where to look
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from .table import Mistakes, c_string, table_lines

PHASES = ("boot", "mm", "irq", "sched", "smp", "dev", "fs", "proc", "user")
PORTS = ("x86_64", "aarch64", "vkernel")
FIELDS = ("id", "phase", "title", "subsystem", "ports", "deadline_ms", "meaning", "where")
DEADLINE_MAX_MS = 60_000
IDENTIFIER = re.compile(r"[a-z][a-z0-9_]*\Z")


@dataclass(frozen=True)
class Stage:
    """A row of the table, numbered by its place among the rows of one port."""

    n: int
    id: str
    phase: str
    title: str
    subsystem: str
    ports: str
    deadline_ms: int
    meaning: str
    where: str

    @property
    def user(self) -> bool:
        return self.phase == "user"

    def canonical(self) -> str:
        fields = (self.id, self.phase, self.title, self.subsystem, self.ports, str(self.deadline_ms))
        return "|".join((*fields, self.meaning, self.where))


def check_row(fields: list[str], line: int, mistakes: Mistakes) -> bool:
    """Checks one row by itself; True when it can be used."""
    before = len(mistakes.found)
    if len(fields) != len(FIELDS):
        mistakes.add(line, f"{len(fields)} fields, expected {len(FIELDS)}: {' | '.join(FIELDS)}")
        return False
    for name, value in zip(FIELDS, fields):
        if not value:
            mistakes.add(line, f"field {name!r} is empty")
        elif not value.isascii() or not value.isprintable():
            mistakes.add(line, f"field {name!r} is not printable ASCII: {value!r}")
    row = dict(zip(FIELDS, fields))
    if row["id"] and not IDENTIFIER.match(row["id"]):
        mistakes.add(line, f"id {row['id']!r} is not a lower-case C identifier")
    if row["phase"] and row["phase"] not in PHASES:
        mistakes.add(line, f"unknown phase {row['phase']!r} (one of {', '.join(PHASES)})")
    if row["deadline_ms"] and not row["deadline_ms"].isdecimal():
        mistakes.add(line, f"deadline {row['deadline_ms']!r} is not a number of milliseconds")
    elif row["deadline_ms"] and not 0 < int(row["deadline_ms"]) <= DEADLINE_MAX_MS:
        mistakes.add(line, f"deadline {row['deadline_ms']} ms is outside 1..{DEADLINE_MAX_MS}")
    for port in row["ports"].split(","):
        if port.strip() and port.strip() not in (*PORTS, "all"):
            mistakes.add(line, f"unknown port {port.strip()!r} (all, or of {', '.join(PORTS)})")
    return len(mistakes.found) == before


def parse(text: str, path: str, arch: str) -> list[Stage]:
    """The rows for arch, in order; TableError names every mistake."""
    mistakes = Mistakes(path)
    stages: list[Stage] = []
    seen: dict[str, int] = {}
    last_phase = 0
    for line, row in table_lines(text):
        fields = [field.strip() for field in row.split("|")]
        if not check_row(fields, line, mistakes):
            continue
        stage_id, phase, title, subsystem, ports, deadline, meaning, where = fields
        if stage_id in seen:
            mistakes.add(line, f"stage {stage_id!r} is already in line {seen[stage_id]}")
        seen.setdefault(stage_id, line)
        if PHASES.index(phase) < last_phase:
            mistakes.add(line, f"phase {phase!r} after phase {PHASES[last_phase]!r}: out of order")
        last_phase = max(last_phase, PHASES.index(phase))
        if arch in [port.strip() for port in ports.split(",")] or ports == "all":
            n = len(stages) + 1
            stages.append(
                Stage(n, stage_id, phase, title, subsystem, ports, int(deadline), meaning, where)
            )
    if not stages and not mistakes.found:
        mistakes.add(1, f"no stages for {arch}")
    mistakes.raise_if_any()
    return stages


def table_hash(stages: list[Stage]) -> str:
    """What kernel and runner compare, so that a kernel built from another table is refused."""
    text = "\n".join(stage.canonical() for stage in stages)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def generate(text: str, path: str, arch: str) -> str:
    stages = parse(text, path, arch)
    rows = [
        f"\tX({s.n}, {s.id}, PHASE_{s.phase.upper()}, {c_string(s.title)}, {c_string(s.subsystem)}, "
        f"{s.deadline_ms}, {int(s.user)})"
        for s in stages
    ]
    lines = [
        "/* Generated from the stage table by xtask gen stages: do not edit. */",
        "#pragma once",
        "",
        f"#define STAGE_COUNT {len(stages)}",
        f'#define STAGE_TABLE_HASH "{table_hash(stages)}"',
        "",
        "/* X(n, id, enum stage_phase, title, subsystem, deadline_ms, is_user) */",
        " \\\n".join(["#define STAGES(X)", *rows]),
    ]
    return "\n".join(lines) + "\n"
