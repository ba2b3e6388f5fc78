"""`xtask run … -- ELF [ARG...]`: boots the kernel, runs a program in it, and ends as the program did."""

from __future__ import annotations

import argparse
import json
import os
import selectors
import signal
import sys
import time
from pathlib import Path
from typing import Any

from .. import exitcodes, options as common
from ..build import Build
from ..crash import store
from ..guest import launch, rundir
from ..guest.events import Event, EventStream, load_schema
from ..guest.machine import EVENTS, SERIAL, STREAMS, GuestSpec
from ..guest.session import Chunk, Ended, Item, Session, Stop
from ..guest.trace import Symbols, examine, format_frames
from ..stages.boot import last_lines, new_nonce
from ..stages.report import kernel_frames
from . import root
from .bridge import Escape, Input, Output
from .strace_output import Tracer
from .terminal import RawTerminal, hint
from .watch import Outcome, Watcher

STDIN, STDOUT, STDERR = STREAMS


def parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="xtask run", description=__doc__, usage="xtask run [OPTIONS] [-- ELF [ARG...]]"
    )
    common.add_build_options(parser)
    common.add_device_options(parser)
    parser.add_argument("--timeout", type=float, metavar="S", help="then 124 (none)")
    parser.add_argument("--root", type=Path, metavar="DIR", help="root tree (a minimal one)")
    parser.add_argument("--add", action="append", default=[], metavar="HOST:GUEST")
    parser.add_argument("--env", action="append", default=[], metavar="K=V")
    parser.add_argument("--cwd", default="/", metavar="DIR")
    parser.add_argument("--icount", action="store_true", help="time is the count of instructions")
    parser.add_argument("--qemu-arg", action="append", default=[], metavar="ARG", help="one more argument for QEMU")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--strace", action="store_true", help="print the program's system calls, as strace -f does")
    parser.add_argument("-o", "--strace-output", type=Path, metavar="FILE", help="to FILE, not to stderr")
    parser.add_argument("--tty", action="store_true", help="use the console as the program's terminal")
    parser.add_argument("--no-tty", action="store_true", help="use the ports even on a terminal")
    parser.add_argument("command", nargs="*", metavar="ELF [ARG...]", help="(a busybox shell)")
    before, dashes, after = split_command(argv)
    found = parser.parse_args(before)
    found.command = after if dashes else found.command
    if found.strace_output and not found.strace:
        parser.error("-o is where --strace writes: --strace is missing")
    return found


def split_command(argv: list[str]) -> tuple[list[str], bool, list[str]]:
    """Everything behind the first `--` is the program's, whatever it looks like."""
    if "--" not in argv:
        return argv, False, []
    place = argv.index("--")
    return argv[:place], True, argv[place + 1 :]


class Runner:
    """One run: the session, the streams and the watcher, moved by one loop."""

    def __init__(self, session: Session, watcher: Watcher, terminal: bool, tracer: Tracer | None) -> None:
        self.session = session
        self.tracer = tracer
        self.watcher = watcher
        self.events = EventStream(load_schema(rundir.ROOT / "kernel" / "debug" / "events.tbl"))
        self.terminal = terminal
        self.escape = Escape()
        out, err = Output(1), Output(2)
        self.outputs = {SERIAL: out} if terminal else {STDOUT: out, STDERR: err}
        self.main_output = SERIAL if terminal else STDOUT
        self.input = Input(0, session.guest.channels[SERIAL if terminal else STDIN], ends=not terminal)

    def item(self, item: Item) -> None:
        if isinstance(item, Chunk):
            if item.channel == EVENTS:
                for event in self.events.feed(item.data):
                    self.watcher.event(event, time.monotonic())
                    if self.tracer and isinstance(event, Event):
                        self.tracer.event(event)
            elif item.channel in self.outputs:
                self.outputs[item.channel].put(item.data)
        elif isinstance(item, (Stop, Ended)):
            self.watcher.stop(item)

    def interest(self) -> dict[int, tuple[int, object]]:
        """Descriptors beside the guest's channels that the loop waits for now."""
        wanted: dict[int, tuple[int, object]] = {}
        if self.input.queue and not self.input.closed:
            wanted[self.input.port.fileno()] = (selectors.EVENT_WRITE, "push")
        elif self.input.wants_more():
            wanted[self.input.fd] = (selectors.EVENT_READ, "take")
        for name, output in self.outputs.items():
            if output.queue:
                wanted[output.fd] = (selectors.EVENT_WRITE, output)
            self.session.pause(name, output.full)
        return wanted

    def step(self, timeout_s: float | None) -> None:
        """Waits for anything once, and moves what can be moved."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.session.fileno(), selectors.EVENT_READ, "guest")
            now_ready: list[object] = []
            for fd, (mask, what) in self.interest().items():
                try:
                    selector.register(fd, mask, what)
                except PermissionError:  # a regular file: always ready
                    now_ready.append(what)
            found = [key.data for key, _ in selector.select(0 if now_ready else timeout_s)]
        for what in [*found, *now_ready]:
            if what == "guest":
                for item in self.session.wait(0):
                    self.item(item)
            elif what == "take":
                self.take_input()
            elif what == "push":
                self.input.push()
            elif isinstance(what, Output):
                what.flush()

    def take_input(self) -> None:
        data = self.input.take()
        if self.terminal:
            data = self.escape.filter(data)
        self.input.queue += data
        self.input.push()

    def until_over(self) -> Outcome:
        while self.watcher.outcome is None:
            deadline = self.watcher.deadline()
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            self.step(left)
            self.watcher.tick(time.monotonic())
            if self.escape.leave:
                return Outcome(exitcodes.OK, "left")
            if self.outputs[self.main_output].broken:
                return Outcome(128 + signal.SIGPIPE, "stdout was closed")
        for item in self.session.read_rest():
            self.item(item)
        return self.watcher.outcome

    def flush(self) -> None:
        for output in self.outputs.values():
            output.flush(wait=True)


def complain(runner: Runner, outcome: Outcome, symbols: Symbols, directory: Path) -> None:
    """What is to be said on stderr about a run that did not end by itself."""
    lines = [f"xtask run: {outcome.reason} (logs in {directory})"]
    watcher = runner.watcher
    if watcher.panic is not None:
        lines.append(f"kernel panic: {watcher.panic.text('reason')} at {watcher.panic.text('where')}")
        if watcher.panic.text("text"):
            lines.append(f"  {watcher.panic.text('text')}")
        for event in watcher.backtraces:
            lines.append(f"backtrace of {event.text('of')}:")
            lines += [f"  {line}" for line in kernel_frames(event.fields.get("frames"), symbols)]
    elif not runner.session.ended:
        for state in examine(runner.session.qmp):
            lines.append(f"CPU {state.cpu}:")
            lines += [f"  {line}" for line in format_frames(symbols, state.frames)]
    if not runner.terminal:
        lines.append("last lines of the kernel log:")
        lines += [f"  {line}" for line in last_lines(directory / "serial.log")]
    print("\n".join(lines), file=sys.stderr)


def result_record(
    options: argparse.Namespace, watcher: Watcher, outcome: Outcome, wall_s: float, directory: Path
) -> dict[str, Any]:
    begin, end = watcher.begin, watcher.exit
    guest_ns = end.ns - begin.ns if begin and end else None
    return {
        "status": outcome.exit_code,
        "reason": outcome.reason,
        "wall_s": round(wall_s, 4),
        "wall_to_begin_s": seconds(watcher.begin_at, watcher.started),
        "wall_to_exit_s": seconds(watcher.exit_at, watcher.started),
        "guest_begin_ns": begin.ns if begin else None,
        "guest_exit_ns": end.ns if end else None,
        # with --icount one instruction is one nanosecond of the guest's clock
        "instructions": guest_ns if options.icount else None,
        "boot_instructions": begin.ns if begin and options.icount else None,
        "defects": [str(defect) for defect in watcher.defects],
        "directory": str(directory),
    }


def seconds(at: float | None, since: float) -> float | None:
    return None if at is None else round(at - since, 4)


def make_spec(options: argparse.Namespace, build: Build, initrd: Path, terminal: bool) -> GuestSpec:
    traced = "debug=syscall,process,signal" if options.strace else ""
    quiet = "loglevel=3" if terminal and not options.graphics else ""
    spec = common.guest_spec(options, build, initrd, "run", f"nonce={new_nonce()}", quiet, traced, options.append)
    spec.icount = options.icount
    spec.streams = True
    spec.disks = list(options.disk)
    spec.graphics = options.graphics
    spec.display = common.display(options)
    spec.extra = list(options.qemu_arg)
    return spec


def use_terminal(options: argparse.Namespace) -> bool:
    wanted = options.tty or options.graphics  # the screen is the console's
    return bool(wanted or (not options.no_tty and sys.stdin.isatty() and sys.stdout.isatty()))


def play(options: argparse.Namespace, spec: GuestSpec, directory: Path, launcher: launch.Launcher) -> int:
    """Starts the guest and moves bytes until its end."""
    started = time.monotonic()
    terminal = use_terminal(options)
    guest = launcher(spec, directory)
    with launch.ended_at_exit(guest):
        session = Session(guest, directory)
        watcher = Watcher(started, options.timeout)
        tracer = Tracer.create(options.arch, options.strace_output, terminal) if options.strace else None
        runner = Runner(session, watcher, terminal, tracer)
        try:
            if terminal:
                hint()
                with RawTerminal(0):
                    outcome = runner.until_over()
                    runner.flush()
            else:
                outcome = runner.until_over()
                runner.flush()
            wall_s = time.monotonic() - started
            if outcome.reason not in ("exit", "poweroff", "reboot", "left", "stdout was closed"):
                complain(runner, outcome, Symbols.load(spec.kernel), directory)
        finally:
            session.close()
            if tracer:
                tracer.close()
    if options.json:
        record = result_record(options, watcher, outcome, wall_s, directory)
        options.json.write_text(json.dumps(record, indent=1) + "\n")
    return outcome.exit_code


def again(argv: list[str]) -> list[str]:
    """The command that makes the same run again."""
    return ["python3", "-m", "xtask", "run", *argv]


def keep_crashes(options: argparse.Namespace, status: int, path: str, kernel: Path, directory: Path) -> None:
    """Files what crashed; when that ended the run, says so."""
    word = options.command[0] if options.command else None
    binaries = {path: str(Path(word).resolve())} if word and Path(word).is_file() else {}
    try:
        kept = store.keep_run(directory, again(options.words), binaries, kernel)
    except OSError as error:
        print(f"xtask run: the crashes of this run could not be kept: {error}", file=sys.stderr)
        return
    if kept and status > 128:
        title, where = kept[-1]
        print(f"xtask run: {title}\nxtask run: more by scripts/crash_report.py {directory} ({where})", file=sys.stderr)


def run(options: argparse.Namespace, launcher: launch.Launcher) -> int:
    build = common.make_build(options, ["kernel", "user"])
    build.require(build.user("init"))
    word = options.command[0] if options.command else None
    archive, path = root.compose(build.user("init"), options.root, options.add, word)
    terminal = use_terminal(options)
    env = root.parse_env(options.env)
    if terminal:
        env.setdefault("TERM", "linux" if options.graphics else os.environ.get("TERM", "vt100"))
    if word is None:
        env.setdefault("PS1", "cairn:\\w# ")
    program = root.Program(path, options.command[1:], env, options.cwd, terminal)
    archive.file(".cairn/spec", root.spec_bytes(program), 0o600)
    directory = rundir.create(options.keep_logs)
    initrd = directory / "initramfs.cpio"
    archive.write(initrd)
    try:
        status = play(options, make_spec(options, build, initrd, terminal), directory, launcher)
        keep_crashes(options, status, path, build.kernel, directory)
        return status
    finally:
        initrd.unlink(missing_ok=True)  # may be large, and can be made again


def main(argv: list[str], launcher: launch.Launcher = launch.launch) -> int:
    options = parse(argv)
    options.words = argv
    return common.guarded("xtask run", lambda: run(options, launcher))
