"""check: every structure that the other commands walk, in one go."""

from __future__ import annotations

from collections.abc import Callable

from . import command as commands
from . import target
from .command import Args, command
from .errors import CairnError
from .report import Cell, Report

# Commands that check what they show; arguments as words.
PARTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("ps", ()), ("current", ()), ("runq", ()), ("locks", ()), ("waitq", ()), ("futex", ()), ("pstree", ()),
    ("slab", ("--check",)), ("heap", ("--check",)), ("vmalloc", ()), ("mounts", ()), ("timers", ()), ("irqs", ()),
    ("rcu", ()), ("bt", ("all",)),
)  # fmt: skip
IDLE = "sched_idle_loop+"
DOING_MAX = 8


@command("check", "walk all lists and trees: what is damaged")
def check(args: Args, report: Report) -> None:
    """Runs the commands that check what they walk and keeps only what they complain about; then, for every
    process, its mappings, files and signals. A kernel that was stopped in the middle of a change may show
    a difference that is none: what was under way is said below."""
    del args
    target.allow(120.0)
    table = report.table("parts")
    done = {name: part(name, list(words), table.row, report) for name, words in PARTS}
    for pid in pids(report):
        for name in ("vmmap", "files", "signals", "proc"):
            part(name, [str(pid)], lambda **cells: None, report)
    report.note(f"{len(report.problems)} problems")
    if report.problems:
        report.note(under_way(done["current"], done["locks"]))


def under_way(current: Report, locks: Report) -> str:
    """What was being changed when the machine was stopped: half done, it looks like damage. Pure."""
    doing = [
        f"cpu {str(row['cpu']).rstrip('*')} is in {row['place']}"
        for row in rows(current, "cpus")
        if row["mode"] == "kernel" and not str(row["place"]).startswith(IDLE)
    ]
    doing += [f"{row['held_by']} holds {row['lock']}" for row in rows(locks, "held")]
    if not doing:
        return "nothing was being changed: no CPU is in the kernel, and no lock is held"
    shown = ", ".join(doing[:DOING_MAX]) + (f" and {len(doing) - DOING_MAX} more" if len(doing) > DOING_MAX else "")
    return f"maybe half done rather than damaged: {shown}. Continue for a moment, interrupt, check again: damage stays"


def rows(report: Report, name: str) -> list[dict[str, Cell]]:
    return next((table.rows for table in report.tables if table.name == name), [])


def pids(report: Report) -> list[int]:
    from . import tasks

    found: set[int] = set()
    for thread in report.guard(tasks.threads()):
        try:
            proc = thread.follow("proc")
            if proc and thread.num("mm"):
                found.add(proc.num("pid"))
        except CairnError as error:
            report.problem(str(error))
    return sorted(found)


def part(name: str, words: list[str], row: Callable[..., None], report: Report) -> Report:
    inner = Report(name)
    try:
        declared = commands.COMMANDS[name]
        declared.body(commands.parse(declared, words)[0], inner)
    except CairnError as error:
        inner.problem(str(error))
    for text in inner.problems:
        report.problem(f"{name}: {text}")
    row(part=name, problems=len(inner.problems), rows=sum(len(t.rows) for t in inner.tables))
    return inner
