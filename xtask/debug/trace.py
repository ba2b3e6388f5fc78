"""`xtask trace FILE [--last N] [--type TYPE]... [--json]`: the trace rings in a dump of the kernel's memory.

FILE is anything that holds the rings: a core made by dump-guest-memory, what pmemsave wrote, a part of it.
They are found by their magic, so neither symbols nor page tables are needed.
"""

from __future__ import annotations

import argparse
import json
import mmap
import sys
from pathlib import Path
from typing import Any

from .. import exitcodes
from ..gen import events
from ..gen.table import TableError
from ..guest.rings import Ring, as_event, find_rings
from ..guest.rundir import ROOT

TABLE = ROOT / "kernel" / "debug" / "events.tbl"


def parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="xtask trace", description=__doc__)
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--last", type=int, metavar="N", help="the last N only")
    parser.add_argument("--type", action="append", default=[], metavar="TYPE", help="records of that type only")
    parser.add_argument("--json", action="store_true", help="one object a line, as on the event channel")
    return parser.parse_args(argv)


def load(path: Path) -> list[Ring]:
    with open(path, "rb") as stream:
        if path.stat().st_size == 0:
            return []
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return find_rings(data)


def text_of(event: dict[str, Any]) -> str:
    rest = {key: value for key, value in event.items() if key not in ("type", "ns", "cpu", "pid", "tid")}
    seconds, below = divmod(event["ns"], 1_000_000_000)
    words = " ".join(f"{key}={value}" for key, value in rest.items())
    return f"{seconds}.{below:09} cpu {event['cpu']} pid {event['pid']} tid {event['tid']} {event['type']} {words}".rstrip()


def collect(rings: list[Ring], types: list[events.EventType], wanted: list[str]) -> list[dict[str, Any]]:
    """All records in the order of time."""
    found = [as_event(record, types) for ring in rings for record in ring.records]
    found = [event for event in found if not wanted or event["type"] in wanted]
    return sorted(found, key=lambda event: (event["ns"], event["cpu"]))


def show(rings: list[Ring], options: argparse.Namespace) -> None:
    types = events.traced(events.parse(TABLE.read_text(encoding="utf-8"), str(TABLE)))
    found = collect(rings, types, options.type)
    for event in found[-options.last :] if options.last else found:
        print(json.dumps(event) if options.json else text_of(event))
    for ring in rings:
        if ring.lost:
            lost = {"type": "trace_lost", "of_cpu": rings.index(ring), "count": ring.lost}
            text = f"cpu {lost['of_cpu']}: {ring.head} records in all, {ring.lost} written over"
            print(json.dumps(lost) if options.json else text)


def main(argv: list[str]) -> int:
    options = parse(argv)
    try:
        rings = load(options.file)
        if not rings:
            print(f"xtask trace: no trace ring in {options.file}", file=sys.stderr)
            return exitcodes.FAILED
        show(rings, options)
    except BrokenPipeError:  # of stdout: nothing is wrong with the file
        raise
    except (OSError, TableError, UnicodeError) as error:
        print(f"xtask trace: {error}", file=sys.stderr)
        return exitcodes.USAGE
    return exitcodes.OK
