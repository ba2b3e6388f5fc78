"""`xtask boot-stages`: builds, boots, and checks every boot stage."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Protocol

from .. import exitcodes, options as common
from ..build import Build, BuildError
from ..gen import stages as stage_table
from ..gen.table import TableError
from ..guest import launch, rundir
from ..guest.events import load_schema
from ..guest.machine import UsageError
from ..guest.trace import Symbols
from ..initramfs import Initramfs
from . import report
from .boot import Boot, Plan, boot, new_nonce
from .runner import Limits, Result, Runner, select, selection_word

ROOT = rundir.ROOT
BOOT_KEYS = ("exit_code", "verdict", "cause", "problems", "wall_s", "directory", "counts")


class Display(Protocol):
    """Where progress is shown."""

    def stage(self, runner: Runner, result: Result) -> None:
        """A stage's result is known."""

    def close(self) -> None:
        """The boot is over."""


class Lines:
    """A plain line for each stage."""

    def stage(self, runner: Runner, result: Result) -> None:
        print(report.stage_line(result, len(runner.table)), flush=True)

    def close(self) -> None:
        pass


class Live:
    """A terminal: the lines of stages above, the state of the boot at the bottom."""

    def __init__(self, total: int, colour: bool) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self.colour = colour
        self.console = Console(no_color=not colour, highlight=False)
        columns = (BarColumn(30), MofNCompleteColumn(), TimeElapsedColumn())
        self.progress = Progress(*columns, TextColumn("{task.description}"), console=self.console, transient=True)
        self.task = self.progress.add_task("starting", total=total)
        self.progress.start()

    def stage(self, runner: Runner, result: Result) -> None:
        from rich.text import Text

        line = report.stage_line(result, len(runner.table), self.colour)
        self.console.print(Text.from_ansi(line), soft_wrap=True)
        self.progress.update(self.task, advance=1, description=result.stage.id)

    def close(self) -> None:
        self.progress.stop()


def parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="xtask boot-stages", description=__doc__)
    common.add_build_options(parser)
    common.add_device_options(parser)
    parser.add_argument("--only", action="append", default=[], metavar="ID[,ID]", help="only these stages")
    parser.add_argument("--from", dest="first", metavar="ID", help="this stage and those after it")
    parser.add_argument("--json", type=Path, metavar="FILE", help="the result for machines (- for stdout)")
    parser.add_argument("--junit", type=Path, metavar="FILE")
    parser.add_argument("--ktap", action="store_true", help="KTAP on stdout in place of lines")
    parser.add_argument("--repeat", type=int, default=1, metavar="N", help="boot N times")
    parser.add_argument("--timeout", type=float, default=120.0, metavar="S", help="for one boot (120)")
    parser.add_argument("--list", action="store_true", help="show the stages and do nothing")
    parser.add_argument(
        "--factor",
        type=float,
        default=float(os.environ.get("CAIRN_DEADLINE_FACTOR", "1")),
        help="stretch every deadline (1; also CAIRN_DEADLINE_FACTOR)",
    )
    found = parser.parse_args(argv)
    if found.repeat < 1 or found.factor <= 0 or found.timeout <= 0:
        parser.error("--repeat, --factor and --timeout are above zero")
    if found.only and found.first:
        parser.error("--only and --from exclude each other")
    found.only = [stage for word in found.only for stage in word.split(",") if stage]
    return found


def read_table(arch: str) -> list[stage_table.Stage]:
    path = ROOT / "kernel" / "init" / "stages.tbl"
    try:
        return stage_table.parse(path.read_text(encoding="utf-8"), str(path), arch)
    except (OSError, TableError) as error:
        raise BuildError(str(error)) from None


def pack_initramfs(build: Build, path: Path) -> Path:
    """The root of a stages boot: the test program, an /init, and an empty tree around them."""
    archive = Initramfs()
    for name in ("dev", "proc", "tmp", "sys", "root", "etc"):
        archive.directory(name)
    build.require(build.user("stagetest"), build.user("init"))
    archive.file("stages/stagetest", build.user("stagetest"), 0o755)
    archive.file("init", build.user("init"), 0o755)
    archive.write(path)
    return path


def make_plan(options: argparse.Namespace, build: Build, initrd: Path) -> Plan:
    table = read_table(options.arch)
    try:
        chosen = select(table, options.only, options.first)
    except KeyError as error:
        raise UsageError(f"no stage {error} in the table (--list shows them)") from None
    spec = common.guest_spec(options, build, initrd)
    spec.disks = list(options.disk)
    spec.graphics = options.graphics
    schema = load_schema(ROOT / "kernel" / "debug" / "events.tbl")
    return Plan(spec, table, chosen, Limits(options.factor, total_s=options.timeout), schema)


def boot_once(options: argparse.Namespace, plan: Plan, launcher: launch.Launcher) -> Boot:
    nonce = new_nonce()
    words = [selection_word(options.only, options.first), f"nonce={nonce}", options.append]
    plan.spec.cmdline = " ".join(word for word in words if word)
    display: Display = Lines()
    if options.ktap:
        display = Silent()
    elif sys.stdout.isatty():
        display = Live(len(plan.selected), common.use_colour(True))
    directory = rundir.create(options.keep_logs)
    try:
        done = boot(plan, directory, launcher, nonce, display.stage)
    finally:
        display.close()
    (directory / "result.json").write_text(json.dumps(report.as_json(done), indent=1) + "\n")
    return done


class Silent:
    def stage(self, runner: Runner, result: Result) -> None:
        pass

    def close(self) -> None:
        pass


def show(options: argparse.Namespace, done: Boot, symbols: Symbols) -> None:
    """The end of one boot: why it failed, or what it took."""
    lines = report.failure_lines(done, symbols)
    if options.ktap:
        print(report.as_ktap(done), end="")
        print("\n".join(lines), file=sys.stderr)
        return
    slowest = sorted(done.runner.results.values(), key=lambda r: -(r.took_ms or 0))[:3]
    notes = ", ".join(f"{r.stage.id} {r.took_ms:.0f} ms" for r in slowest if r.took_ms)
    print("\n".join(lines))
    print(f"{len(done.runner.selected)} stages in {done.wall_s:.2f} s" + (f"; slowest: {notes}" if notes else ""))


def write_reports(options: argparse.Namespace, boots: list[Boot]) -> None:
    runs = [report.as_json(done) for done in boots]
    record = {
        "tool": "boot-stages",
        "arch": options.arch,
        "machine": options.machine or "default",
        "smp": options.smp,
        "variant": options.variant,
        "passed_boots": sum(done.exit_code == 0 for done in boots),
        **report.as_json(worst(boots)),
        "boots": [{key: run[key] for key in BOOT_KEYS} for run in runs],
    }
    if options.json:
        text = json.dumps(record, indent=1) + "\n"
        if str(options.json) == "-":
            print(text, end="")
        else:
            options.json.write_text(text)
    if options.junit:
        options.junit.write_text(report.as_junit(worst(boots)))


def worst(boots: list[Boot]) -> Boot:
    return next((done for done in boots if done.exit_code), boots[-1])


def run(options: argparse.Namespace, launcher: launch.Launcher) -> int:
    if options.list:
        for stage in read_table(options.arch):
            print(f"{stage.n:3} {stage.phase:6} {stage.id:32} {stage.title}")
        return exitcodes.OK
    build = common.make_build(options, ["kernel", "user"])
    symbols = Symbols.load(build.kernel)
    boots: list[Boot] = []
    start = time.monotonic()
    initrd = pack_initramfs(build, build.directory / f"stages.{os.getpid()}.cpio")
    try:
        plan = make_plan(options, build, initrd)
        for number in range(options.repeat):
            boots.append(boot_once(options, plan, launcher))
            show(options, boots[-1], symbols)
            if options.repeat > 1:
                print(f"boot {number + 1} of {options.repeat}: {report.as_json(boots[-1])['verdict']}")
    finally:
        initrd.unlink(missing_ok=True)
    status = next((done.exit_code for done in boots if done.exit_code), exitcodes.OK)
    write_reports(options, boots)
    if options.repeat > 1:
        good = sum(done.exit_code == 0 for done in boots)
        print(f"{good} of {len(boots)} boots passed in {time.monotonic() - start:.1f} s")
    print(report.closing_line(worst(boots)), file=sys.stderr if options.ktap else sys.stdout)
    return status


def main(argv: list[str], launcher: launch.Launcher = launch.launch) -> int:
    options = parse(argv)
    return common.guarded("boot-stages", lambda: run(options, launcher))
