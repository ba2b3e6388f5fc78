"""Event logs for tests: a good boot as a list of records, to be mutated and then numbered."""

from __future__ import annotations

import json
from typing import Any

from xtask.gen.stages import Stage, parse, table_hash

Record = dict[str, Any]

TABLE = """
alpha | boot  | first      | boot  | all | 1000 | alpha is broken | kernel/alpha.c
beta  | mm    | second     | mm    | all | 1000 | beta is broken  | kernel/beta.c
gamma | sched | third      | sched | all | 300  | gamma is broken | kernel/gamma.c
delta | user  | fourth     | proc  | all | 300  | delta is broken | kernel/delta.c
"""


def table() -> list[Stage]:
    return parse(TABLE, "stages.tbl", "x86_64")


def begin(nonce: str, stage: Stage) -> Record:
    return {"type": "stage_begin", "nonce": nonce, "n": stage.n, "id": stage.id}


def end(nonce: str, stage: Stage, status: str = "PASS", detail: str = "") -> Record:
    return {
        "type": "stage_end",
        "nonce": nonce,
        "n": stage.n,
        "id": stage.id,
        "status": status,
        "took_ns": 1000,
        "detail": detail,
    }


def boot(nonce: str, rows: list[Stage]) -> Record:
    return {
        "type": "boot",
        "nonce": nonce,
        "arch": "x86_64",
        "cpus": 0,
        "stages": len(rows),
        "table": table_hash(rows),
        "variant": "release",
    }


def done(nonce: str, records: list[Record]) -> Record:
    statuses = [record["status"] for record in records if record["type"] == "stage_end"]
    return {
        "type": "stages_done",
        "nonce": nonce,
        "run": len(statuses),
        "passed": statuses.count("PASS"),
        "failed": statuses.count("FAIL"),
        "skipped": statuses.count("SKIP"),
    }


def good(nonce: str, rows: list[Stage] | None = None) -> list[Record]:
    """boot, begin and end of each stage, stages_done, poweroff."""
    rows = table() if rows is None else rows
    records = [boot(nonce, rows)]
    for stage in rows:
        records += [begin(nonce, stage), end(nonce, stage)]
    return [*records, done(nonce, records), {"type": "poweroff"}]


def find(records: list[Record], kind: str, stage_id: str) -> int:
    return next(i for i, r in enumerate(records) if r["type"] == kind and r.get("id") == stage_id)


def number(records: list[Record]) -> list[Record]:
    """The records with seq, ns and cpu as a kernel gives them."""
    return [{**r, "seq": r.get("seq", i), "ns": i * 1_000_000, "cpu": 0} for i, r in enumerate(records)]


def lines(records: list[Record]) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in number(records))
