"""One boot under the runner: starts the guest, feeds the runner, gathers the evidence of a failure."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ..gen.stages import Stage
from ..guest import trace
from ..guest.events import EventStream, Schema
from ..guest.launch import Launcher, ended_at_exit
from ..guest.machine import EVENTS, GuestSpec
from ..guest.qmp import QmpError
from ..guest.session import Chunk, Ended, Item, Lost, Session, Stop
from .runner import Limits, Result, Runner

NMI_WAIT_S = 0.7
LOG_LINES = 20
Progress = Callable[[Runner, Result], None]


@dataclass
class Evidence:
    """What a failure left behind."""

    serial: list[str] = field(default_factory=list)
    qemu: list[str] = field(default_factory=list)
    cpus: list[trace.CpuState] = field(default_factory=list)


@dataclass
class Boot:
    """A finished boot."""

    runner: Runner
    directory: Path
    wall_s: float
    evidence: Evidence
    arch: str

    @property
    def exit_code(self) -> int:
        return self.runner.exit_code()


@dataclass
class Plan:
    """What to boot and what to expect."""

    spec: GuestSpec
    table: list[Stage]
    selected: list[Stage]
    limits: Limits
    schema: Schema | None = None


def new_nonce() -> str:
    return secrets.token_hex(8)


class Watch:
    """Feeds a session's items to the runner, and keeps an index of where each stage is in the log."""

    def __init__(self, session: Session, runner: Runner, plan: Plan, directory: Path, progress: Progress):
        self.session = session
        self.runner = runner
        self.stream = EventStream(plan.schema)
        self.index = open(directory / "stages.index", "w", encoding="ascii")
        self.serial_bytes = 0
        self.progress = progress

    def item(self, item: Item) -> None:
        now = time.monotonic()
        if isinstance(item, Chunk) and item.channel == EVENTS:
            self.events(item.data, now)
        elif isinstance(item, Chunk):
            self.serial_bytes += len(item.data)
        elif isinstance(item, Stop):
            self.runner.stop(item, now)
        elif isinstance(item, Ended):
            self.cut(now)
            self.runner.ended(item, now)
        elif isinstance(item, Lost) and item.channel == EVENTS:
            self.cut(now)

    def cut(self, now: float) -> None:
        for defect in self.stream.finish():
            self.runner.event(defect, now)

    def events(self, data: bytes, now: float) -> None:
        for event in self.stream.feed(data):
            before = self.runner.current
            for result in self.runner.event(event, now):
                self.progress(self.runner, result)
            current = self.runner.current
            if current is not None and current is not before:
                self.index.write(f"{current.stage.id} {self.serial_bytes}\n")

    def until_over(self) -> None:
        while not self.runner.over:
            left = self.runner.deadline() - time.monotonic()
            for item in self.session.wait(max(left, 0.0)):
                self.item(item)
            self.runner.tick(time.monotonic())


def gather(session: Session, runner: Runner, watch: Watch) -> list[trace.CpuState]:
    """The state of every CPU of a guest that failed while QEMU still is there."""
    if runner.cause is None or runner.cause.kind == "qemu died" or session.ended:
        return []
    states = trace.examine(session.qmp)
    if runner.cause.kind in ("hang", "silence", "timeout"):
        ask_kernel(session, runner, watch)
    return states


def ask_kernel(session: Session, runner: Runner, watch: Watch) -> None:
    """An NMI makes a kernel that still can report as in a panic; its backtraces are the better ones."""
    try:
        session.qmp.execute("inject-nmi")
        session.qmp.execute("cont")
    except QmpError:
        return
    deadline = time.monotonic() + NMI_WAIT_S
    listener = Runner([], [], runner.nonce, time.monotonic())
    while not listener.over and not session.ended and (left := deadline - time.monotonic()) > 0:
        for item in session.wait(left):
            if isinstance(item, Chunk) and item.channel == EVENTS:
                for event in watch.stream.feed(item.data):
                    listener.event(event, time.monotonic())
    runner.panic = listener.panic


def last_lines(path: Path, count: int = LOG_LINES) -> list[str]:
    """The last lines of a log, printable."""
    try:
        with open(path, "rb") as stream:
            stream.seek(0, 2)
            stream.seek(max(0, stream.tell() - 65536))
            text = stream.read().decode("utf-8", "replace")
    except OSError:
        return []
    lines = [line.rstrip("\r") for line in text.split("\n")]
    shown = ["".join(c if c.isprintable() or c == "\t" else "?" for c in line) for line in lines if line]
    return shown[-count:]


def boot(plan: Plan, directory: Path, launcher: Launcher, nonce: str, progress: Progress) -> Boot:
    """Boots once and judges. InfraError when the guest cannot be started."""
    started = time.monotonic()
    guest = launcher(plan.spec, directory)
    with ended_at_exit(guest):
        session = Session(guest, directory)
        runner = Runner(plan.table, plan.selected, nonce, started, plan.limits)
        watch = Watch(session, runner, plan, directory, progress)
        try:
            watch.until_over()
            wall_s = time.monotonic() - started
            serial = last_lines(directory / "serial.log")  # before a hung kernel adds its report
            cpus = gather(session, runner, watch)
        finally:
            watch.index.close()
            session.close()
    if not runner.exit_code():
        return Boot(runner, directory, wall_s, Evidence(), plan.spec.machine.arch)
    evidence = Evidence(serial, last_lines(directory / "qemu.stderr"), cpus)
    return Boot(runner, directory, wall_s, evidence, plan.spec.machine.arch)
