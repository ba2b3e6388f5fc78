"""quick_debug: boots, and stops as soon as the answer is there.

Ends at the first of: a signal on the serial line (0), a stage that was to be reached (0), a failure text
(1), the guest's end without the signal (1; 0 where none was asked for), a panic (255), a guest lost without
a word (3), the time limit (124). The limit does not count the build. With --gdb-on-fail a guest that failed
is stopped and kept, and GDB is started on it (or its command printed, where there is no terminal)."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from .. import exitcodes, options as common
from ..gdb.gdbproc import COMMANDS, find_gdb
from ..guest import launch, rundir
from ..guest.events import Event, EventStream
from ..guest.machine import EVENTS, SERIAL, GuestSpec, UsageError
from ..guest.qmp import QmpError
from ..guest.session import Chunk, Ended, Item, Session, Stop
from ..stages.boot import last_lines, new_nonce
from ..stages.command import pack_initramfs
from .signals import Matcher, Pattern

PANIC_WAIT_S = 0.7


@dataclass(frozen=True)
class Answer:
    exit_code: int
    reason: str  # signal, stage, fail, exit, panic, lost, timeout
    text: str


class Judge:
    """Items in, an answer out. Pure but for the clock that is passed in."""

    def __init__(self, patterns: list[Pattern], stage: str | None) -> None:
        self.matcher = Matcher(patterns)
        self.waits = stage is not None or any(pattern.kind == "signal" for pattern in patterns)
        self.stage = stage
        self.events = EventStream()
        self.answer: Answer | None = None
        self.panic: Event | None = None
        self.panic_at = 0.0
        self.announced = False

    def item(self, item: Item, now: float) -> None:
        if self.answer is not None:
            return
        if isinstance(item, Chunk) and item.channel == SERIAL:
            self.serial(item.data)
        elif isinstance(item, Chunk) and item.channel == EVENTS:
            for event in self.events.feed(item.data):
                if isinstance(event, Event):
                    self.event(event, now)
        elif isinstance(item, Stop):
            self.stop(item)
        elif isinstance(item, Ended):
            self.lost(f"QEMU ended by itself with status {item.status}")

    def serial(self, data: bytes) -> None:
        match = self.matcher.feed(data)
        if match is None:
            return
        if match.pattern.kind == "signal":
            self.answer = Answer(exitcodes.OK, "signal", match.line)
        else:
            self.answer = Answer(exitcodes.FAILED, "fail", match.line)

    def event(self, event: Event, now: float) -> None:
        if event.type == "stage_begin" and event.text("id") == self.stage:
            self.answer = self.answer or Answer(exitcodes.OK, "stage", f"stage {self.stage} begins")
        elif event.type == "panic" and self.panic is None:
            self.panic, self.panic_at = event, now
        elif event.type == "panic_end":
            self.settle_panic()
        elif event.type in ("poweroff", "reboot"):
            self.announced = True

    def settle_panic(self) -> None:
        if self.panic is not None and self.answer is None:
            text = f"{self.panic.text('reason')} at {self.panic.text('where')}"
            self.answer = Answer(exitcodes.PANIC, "panic", text)

    def lost(self, text: str) -> None:
        self.settle_panic()
        self.answer = self.answer or Answer(exitcodes.INFRA, "lost", text)

    def stop(self, stop: Stop) -> None:
        if not self.announced and stop.kind != "shutdown":
            self.lost(f"the machine stopped unannounced ({stop.kind})")
            return
        self.settle_panic()
        ended = Answer(exitcodes.OK, "exit", "the guest powered off")
        if self.waits or not self.announced:
            ended = Answer(exitcodes.FAILED, "exit", "the guest ended without the signal")
        self.answer = self.answer or ended

    def tick(self, now: float, deadline: float) -> None:
        if self.panic is not None and now >= self.panic_at + PANIC_WAIT_S:
            self.settle_panic()
        if self.answer is None and now >= deadline:
            self.answer = Answer(exitcodes.TIMEOUT, "timeout", "the time is up")


def parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="quick_debug.py", description=__doc__)
    common.add_build_options(parser)
    parser.add_argument("--signal", action="append", default=[], metavar="TEXT", help="success: on serial")
    parser.add_argument("--regex", action="append", default=[], metavar="RE", help="success: matches a line")
    parser.add_argument("--stage", metavar="ID", help="success: this stage begins")
    parser.add_argument("--fail-on", action="append", default=[], metavar="TEXT", help="failure: on serial")
    parser.add_argument("--timeout", type=float, default=15.0, metavar="S", help="without the build (15)")
    parser.add_argument("--gdb-on-fail", action="store_true", help="keep a failed guest for GDB")
    parser.add_argument("--json", action="store_true", help="the answer as JSON on stdout")
    parser.add_argument("--quiet", action="store_true", help="do not copy the serial line to stdout")
    before, extra = (argv[: argv.index("--")], argv[argv.index("--") + 1 :]) if "--" in argv else (argv, [])
    found = parser.parse_args(before)
    found.extra = extra
    return found


def patterns_of(options: argparse.Namespace) -> list[Pattern]:
    import re

    for text in options.regex:
        try:
            re.compile(text.encode())
        except re.error as error:
            raise UsageError(f"--regex {text!r}: {error}") from None
    if any(not text for text in (*options.signal, *options.regex, *options.fail_on)):
        raise UsageError("an empty text is always there: --signal, --regex and --fail-on need one")
    return [
        *(Pattern("signal", text) for text in options.signal),
        *(Pattern("signal", text, True) for text in options.regex),
        *(Pattern("fail", text) for text in options.fail_on),
    ]


def gdb_command(arch: str, kernel: Path, socket_path: Path) -> list[str]:
    commands = [f"source {COMMANDS}", f"target remote {socket_path}"]
    return [find_gdb(arch), "-q", str(kernel), *(word for line in commands for word in ("-ex", line))]


def hold_for_gdb(session: Session, spec: GuestSpec) -> None:
    """Stops the guest, and gives it to GDB until that ends (or, in a pipe, until we are interrupted)."""
    assert spec.gdb_socket is not None
    try:
        session.qmp.execute("stop")
    except QmpError:
        print("quick_debug: the guest is gone, nothing for GDB to look at", file=sys.stderr)
        return
    command = gdb_command(spec.machine.arch, spec.kernel, spec.gdb_socket)
    print(f"quick_debug: the guest is stopped for: {shlex.join(command)}", file=sys.stderr)
    if sys.stdin.isatty():
        subprocess.run(command, check=False)
        return
    print("quick_debug: interrupt (or end) this process to end the guest", file=sys.stderr)
    for _ in session.drain(3600.0):
        pass


def watch(options: argparse.Namespace, session: Session, judge: Judge, started: float) -> Answer:
    deadline = started + options.timeout
    echo = not (options.json or options.quiet)
    while judge.answer is None:
        limit = deadline if judge.panic is None else min(deadline, judge.panic_at + PANIC_WAIT_S)
        for item in session.wait(max(0.0, limit - time.monotonic())):
            if echo and isinstance(item, Chunk) and item.channel == SERIAL:
                os.write(1, item.data)
            judge.item(item, time.monotonic())
        judge.tick(time.monotonic(), deadline)
    return judge.answer


def boot(options: argparse.Namespace, spec: GuestSpec, launcher: launch.Launcher) -> int:
    judge = Judge(patterns_of(options), options.stage)
    directory = rundir.create(options.keep_logs)
    started = time.monotonic()
    guest = launcher(spec, directory)
    with launch.ended_at_exit(guest):
        session = Session(guest, directory)
        try:
            answer = watch(options, session, judge, started)
            wall_s = time.monotonic() - started
            tell(options, answer, wall_s, directory)
            if options.gdb_on_fail and answer.exit_code:
                hold_for_gdb(session, spec)
        finally:
            session.close()
    return answer.exit_code


def tell(options: argparse.Namespace, answer: Answer, wall_s: float, directory: Path) -> None:
    record = {
        "exit_code": answer.exit_code,
        "reason": answer.reason,
        "text": answer.text,
        "wall_s": round(wall_s, 3),
        "log": str(directory / "serial.log"),
    }
    (directory / "result.json").write_text(json.dumps(record, indent=1) + "\n")
    if options.json:
        print(json.dumps(record), flush=True)
        return
    if answer.exit_code and options.quiet:
        print("\n".join(last_lines(directory / "serial.log")), file=sys.stderr)
    print(
        f"\nquick_debug: {answer.reason} after {wall_s:.2f} s: {answer.text}\n"
        f"quick_debug: log in {directory}/serial.log",
        file=sys.stderr,
    )


def run(options: argparse.Namespace, launcher: launch.Launcher) -> int:
    patterns_of(options)
    build = common.make_build(options, ["kernel", "user"])
    with tempfile.TemporaryDirectory(prefix="cairn.") as directory:
        initrd = pack_initramfs(build, Path(directory) / "initramfs.cpio")
        stages = "stages=all" if options.stage and "stages=" not in options.append else ""
        spec = common.guest_spec(options, build, initrd, stages, f"nonce={new_nonce()}", options.append)
        spec.gdb_socket = Path(directory) / "gdb" if options.gdb_on_fail else None
        spec.extra = options.extra
        return boot(options, spec, launcher)


def main(argv: list[str], launcher: launch.Launcher = launch.launch) -> int:
    options = parse(argv)
    return common.guarded("quick_debug", lambda: run(options, launcher))
