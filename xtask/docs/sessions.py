"""Console blocks: commands after `$ `, each followed by what it prints. Pure.

In the expected output `...` stands for any text within a line; alone on a line it stands for any lines. A command
ends with status 0 unless the last line says `[exit status N]`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .pages import Block

STATUS = re.compile(r"\[exit status (\d+)\]\Z")


@dataclass(frozen=True)
class Step:
    line: int
    command: str
    expected: tuple[str, ...]
    status: int = 0


def steps(block: Block) -> list[Step]:
    out: list[Step] = []
    for offset, text in enumerate(block.lines, 1):
        if text.startswith("$ "):
            out.append(Step(block.line + offset, text[2:], ()))
        elif not out:
            raise ValueError(f"line {block.line + offset}: output before any command")
        elif out[-1].command.endswith("\\"):
            out[-1] = Step(out[-1].line, out[-1].command[:-1] + text.strip(), ())
        else:
            out[-1] = Step(out[-1].line, out[-1].command, (*out[-1].expected, text))
    if not out:
        raise ValueError(f"line {block.line}: a runnable block without a command")
    return [with_status(step) for step in out]


def with_status(step: Step) -> Step:
    mark = STATUS.match(step.expected[-1]) if step.expected else None
    return Step(step.line, step.command, step.expected[:-1], int(mark[1])) if mark else step


def line_pattern(expected: str) -> str:
    return ".*".join(re.escape(part) for part in expected.rstrip().split("..."))


def matches(expected: tuple[str, ...], printed: list[str]) -> str | None:
    """None when the output is as expected; else the first expected line that was not found, and where."""
    at, skipping = 0, False
    for want in expected:
        if want.strip() == "...":
            skipping = True
            continue
        pattern = re.compile(line_pattern(want))
        found = at
        while found < len(printed) and not pattern.fullmatch(printed[found].rstrip()):
            if not skipping:
                return f"expected: {want}\nprinted:  {printed[found]}"
            found += 1
        if found == len(printed):
            return f"expected: {want}\nprinted:  nothing more"
        at, skipping = found + 1, False
    if at < len(printed) and not skipping:
        return f"expected: no more output\nprinted:  {printed[at]}"
    return None
