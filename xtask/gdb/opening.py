"""The first steps of a session: connect, load the symbols of early code, go to where it begins."""

from __future__ import annotations

import time
from dataclasses import dataclass

from .core import Core
from .verbs import Reply, Verbs, error_of

RESET, ENTRY = "reset", "entry"
READY_S = 15.0  # for GDB to read the kernel's symbols


class OpenError(Exception):
    """GDB cannot be brought to where it should be."""


@dataclass
class Opening:
    """Where a session begins."""

    location: str  # reset, entry, or a location of GDB's
    condition: str = ""
    entry: int = 0  # physical address of the kernel's first instruction
    early_symbols: str = ""  # arguments of add-symbol-file
    timeout_s: float = 60.0
    pending: bool = False  # the location may be one of a program that is not there yet


def must(core: Core, command: str, deadline: float) -> None:
    result = core.console(command, deadline)
    if result is None:
        raise OpenError(core.target.lost_reason() if core.target.lost() else f"GDB does not answer to {command!r}")
    if error := error_of(result):
        raise OpenError(f"GDB refuses {command!r}: {error}")


def open_target(core: Core, verbs: Verbs, opening: Opening) -> Reply:
    """The first reply: stopped there, or running when the time was up before that."""
    deadline = time.monotonic() + READY_S
    result = core.connect(deadline)
    if result is None or error_of(result):
        why = error_of(result) if result else core.target.lost_reason() if core.target.lost() else "no answer"
        raise OpenError(f"GDB cannot connect to QEMU: {why}")
    core.settle(deadline)
    if opening.early_symbols:
        must(core, f"add-symbol-file {opening.early_symbols}", deadline)
    with core.cond:
        stops = core.target.stops
        core.target.text.take()
    if opening.location != RESET:
        where = f"*{opening.entry:#x}" if opening.location == ENTRY else opening.location
        condition = f" if {opening.condition}" if opening.condition else ""
        must(core, f"set breakpoint pending {'on' if opening.pending else 'off'}", deadline)
        must(core, f"thbreak {where}{condition}", deadline)
        must(core, "set breakpoint pending on", deadline)
        deadline = time.monotonic() + opening.timeout_s
        with core.turn:
            must(core, "continue", deadline)
            core.settle(deadline)
    reply: Reply = {"seq": 0, **verbs.reply(stops, {})}
    if opening.location == RESET:
        reply["stop_reason"] = RESET
    return reply
