"""The trace rings: events."""

from __future__ import annotations

from . import target
from .command import Arg, Args, command
from .errors import CairnError
from .report import Cell, Hex, Report
from .target import Obj

LINES = 40


@command("events", "the last events of the trace rings", Arg("count", "number", optional=True), flags=("all",))
def events(args: Args, report: Report) -> None:
    """What hot paths recorded on each CPU, merged by time: the last COUNT (40), or --all. Which categories are
    recorded and which become events on the channel is in the notes; signals and processes always are."""
    wanted = args.number("count")
    if wanted is not None and wanted <= 0:
        raise CairnError(f"{wanted} events cannot be shown")
    categories(report)
    found: list[tuple[int, int, Obj]] = []
    for cpu in target.cpus():
        for record in report.guard(records(target.global_array("trace_rings")[cpu], cpu, report)):
            found.append((record.num("ns"), cpu, record))
    found.sort(key=lambda one: one[:2])
    table = report.table("events")
    layouts = target.global_array("types", "debug/trace.c")
    for ns, cpu, record in found if "all" in args.flags else found[-(wanted or LINES) :]:
        table.row(
            us=f"{ns / 1000:.3f}", cpu=cpu, pid=record.num("pid"), tid=record.num("tid"),
            **dict(zip(("event", "fields"), decode(record, layouts, report))),
        )  # fmt: skip


def records(ring: Obj, cpu: int, report: Report) -> list[Obj]:
    """The whole records of a ring. One being written just now is left out and counted."""
    slots = ring.items("record")
    head, size = ring.num("head"), len(slots)
    if ring.num("records") != size or head >= 1 << 60:
        raise CairnError(f"trace ring of cpu {cpu}: {ring.num('records')} records, head {head:#x}: damaged")
    first = max(0, head - size)
    whole = [slots[at % size] for at in range(first, head) if slots[at % size].num("seq") == at + 1]
    if first:
        report.note(f"cpu {cpu}: {first} older records were written over")
    if len(whole) != head - first:
        report.note(f"cpu {cpu}: {head - first - len(whole)} records are being written")
    return whole


def decode(record: Obj, layouts: list[Obj], report: Report) -> tuple[Cell, Cell]:
    """Name and fields in words."""
    kind = record.num("type")
    if kind >= len(layouts) or not layouts[kind].num("name"):
        report.problem(f"trace record {record.addr:#x}: type {kind} is none there is")
        return f"type {kind}", ""
    words = []
    for i, field in enumerate(layouts[kind].items("field")):
        if not field.num("name"):
            break
        value, form = record.num(f"arg[{i}]"), chr(field.num("kind") & 0x7F)
        if form == "s" and value >= 1 << 63:
            value -= 1 << 64
        words.append(f"{field.string('name')}={Hex(value) if form == 'x' else value}")
    return layouts[kind].string("name"), " ".join(words)


def categories(report: Report) -> None:
    names = target.enum_names("enum event_category")
    for variable, words in (("trace_mask", "recorded"), ("event_mask", "on the event channel")):
        mask = target.global_num(variable)
        known = [name.removeprefix("EVC_").lower() for bit, name in names.items() if bit < 32 and mask >> bit & 1]
        report.note(f"{words}: {' '.join(known) or 'none'}")
