"""The first steps of a session: connect, load the symbols of early code, go to where it begins."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field

from ..guest.launch import InfraError
from .core import Core
from .verbs import Reply, Verbs, error_of

RESET, ENTRY = "reset", "entry"
READY_S = 15.0  # for GDB to read the kernel's symbols


class OpenError(Exception):
    """GDB cannot be brought to where it should be."""


@dataclass
class EarlyCode:
    """The code around the kernel's first instruction, at physical addresses."""

    file: str  # for GDB, quoted; "": there is none
    section: str
    entry: int  # of the first instruction, from the base
    base: int | None  # where the image is; None: not known yet

    def symbols(self) -> str:
        """Arguments of add-symbol-file."""
        return f"{self.file} -s {self.section} {self.base or 0:#x}" if self.file else ""


ROM = re.compile(r'addr=([0-9a-f]+) size=0x[0-9a-f]+ mem=ram name="(.*)"\r?$', re.MULTILINE)


def rom_address(listing: str, name: str) -> int:
    """Where QEMU has put a file, from what its monitor says to `info roms`."""
    for address, known in ROM.findall(listing):
        if known == name:
            return int(address, 16)
    raise InfraError(f"QEMU does not say where it has put {name}")


@dataclass
class Opening:
    """Where a session begins."""

    location: str  # reset, entry, or a location of GDB's
    condition: str = ""
    early: EarlyCode = field(default_factory=lambda: EarlyCode("", "", 0, 0))
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
    if symbols := opening.early.symbols():
        must(core, f"add-symbol-file {symbols}", deadline)
    with core.cond:
        stops = core.target.stops
        core.target.text.take()
    if opening.location != RESET:
        early = opening.early
        where = f"*{(early.base or 0) + early.entry:#x}" if opening.location == ENTRY else opening.location
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
