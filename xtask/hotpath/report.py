"""What people and machines are told: the violating path function by function, the figures, the delta."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..guest.trace import short_line
from .check import EntryResult, Finding, Step
from .measure import Count
from .policy import HotPolicy


@dataclass(frozen=True)
class Line:
    """A function, and where in the source it goes on to the next. inlined: it has no code of its own."""

    function: str
    place: str
    inlined: bool


class Sources:
    """file:line of addresses, inlined functions included, by addr2line."""

    def __init__(self, elf: Path, arch: str) -> None:
        self.elf = elf
        names = ([f"{arch}-linux-gnu-addr2line"] if arch != "x86_64" else ["addr2line"]) + ["llvm-addr2line-14"]
        self.tool = next((found for found in map(shutil.which, names) if found), None)

    def lines(self, address: int) -> list[tuple[str, str]]:
        """(function, file:line), innermost first; empty when it cannot be said."""
        if self.tool is None:
            return []
        args = [self.tool, "-f", "-i", "-e", str(self.elf), f"{address:#x}"]
        done = subprocess.run(args, capture_output=True, text=True, timeout=30, check=False)
        words = done.stdout.splitlines()
        return [(name, short_line(place)) for name, place in zip(words[::2], words[1::2])]

    def step(self, step: Step) -> list[Line]:
        """A step of a path as lines, outermost first."""
        found = self.lines(step.address) if step.address is not None else []
        if not found:
            return [Line(step.function.name, step.place, False)]
        outer = Line(step.function.name, found[-1][1], False)
        return [outer, *(Line(name, place, True) for name, place in found[-2::-1])]


def path_lines(sources: Sources, finding: Finding) -> list[Line]:
    return [line for step in finding.path for line in sources.step(step)]


def advice(finding: Finding) -> str:
    return {
        "reach": "take the call out of the path: trace ring or deferred work (docs/guide/hotpath.md)",
        "pointer": "declare the targets in policy.toml, [[hotpath.pointers]]; they are then followed",
        "missing": "policy.toml names what is not there: correct it, or bring the function back",
        "stale": "delete the row in policy.toml",
        "symbol": "if it is meant: python3 -m xtask hotpath --update-baseline",
        "baseline": "python3 -m xtask hotpath --update-baseline",
        "growth": "make it shorter, or accept it: python3 -m xtask hotpath --update-baseline",
        "unmeasured": "the load (userspace/programs/hotload.c) must take that path",
    }.get(finding.kind, "docs/guide/hotpath.md")


def finding_text(sources: Sources, finding: Finding, waiver: str | None) -> str:
    head = f"{finding.entry}: " if finding.entry else ""
    lines = [f"{'waived' if waiver else 'FAIL'} {finding.kind}: {head}{finding.text}"]
    for line in path_lines(sources, finding):
        name = f"  {line.function} (inlined)" if line.inlined else line.function
        lines.append(f"    {name:40} {line.place}".rstrip())
    if waiver:
        lines.append(f"  record {waiver}")
    else:
        lines.append(f"  subject \"{finding.subject}\"; {advice(finding)}")
    return "\n".join(lines)


def figures(policy: HotPolicy, results: list[EntryResult], counts: dict[str, Count]) -> str:
    lines = [f"{'stack of entry':24}{'bytes':>8}{'budget':>8}  functions"]
    for result in results:
        lines.append(f"{result.name:24}{result.stack:>8}{result.budget:>8}  {result.reached}")
    if counts:
        lines.append(f"{'instructions':24}{'median':>8}{'budget':>8}  hits, least, most")
    for measure in policy.measures:
        if measure.name in counts:
            c = counts[measure.name]
            lines.append(f"{measure.name:24}{c.median:>8}{measure.budget:>8}  {c.hits}, {c.least}, {c.most}")
    return "\n".join(lines)


def as_json(sources: Sources, finding: Finding, waiver: str | None) -> dict[str, Any]:
    path = [vars(line) for line in path_lines(sources, finding)]
    return {
        "kind": finding.kind,
        "entry": finding.entry,
        "subject": finding.subject,
        "text": finding.text,
        "path": path,
        "waived": waiver,
    }
