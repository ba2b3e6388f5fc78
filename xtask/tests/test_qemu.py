"""The launcher with a real QEMU and the smallest guest there is, which plays a log and ends in some way."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from xtask import exitcodes
from xtask.debug.quick import boot as quick_boot
from xtask.debug.quick import parse as quick_parse
from xtask.guest import launch, rundir
from xtask.guest.machine import GuestSpec, find_machine
from xtask.guest.trace import Symbols
from xtask.stages import report
from xtask.stages.boot import Boot, Plan, boot
from xtask.stages.runner import Limits, Result, Runner

from . import log

NONCE = "0badc0de0badc0de"
POWEROFF, TRIPLE_FAULT, HANG = 0, 1, 2
SOURCE = Path(__file__).with_name("stubguest.S")

pytestmark = pytest.mark.skipif(shutil.which("qemu-system-x86_64") is None, reason="no QEMU here")


def stub(tmp_path: Path, data: bytes, way: int) -> Path:
    events, image = tmp_path / "log", tmp_path / "stub.elf"
    events.write_bytes(data)
    words = ["gcc", "-nostdlib", "-static", "-Wl,-Ttext=0x100000", "-Wl,-e,start", "-Wl,--build-id=none"]
    words += [f"-DWAY={way}", f'-DLOG="{events}"', str(SOURCE), "-o", str(image)]
    subprocess.run(words, check=True)
    return image


def spec(image: Path, machine: str) -> GuestSpec:
    return GuestSpec(find_machine("x86_64", machine), image, None, f"nonce={NONCE}", mem="64M", smp=2)


def upto(stage_id: str) -> bytes:
    records = log.good(NONCE)
    return log.lines(records[: log.find(records, "stage_begin", stage_id) + 1])


def play(tmp_path: Path, data: bytes, way: int, machine: str = "microvm", kill_after: float = 0) -> Boot:
    rows = log.table()
    directory = rundir.create(tmp_path / "runs")
    guests: list[launch.Guest] = []

    def launcher(wanted: GuestSpec, where: Path) -> launch.Guest:
        guests.append(launch.launch(wanted, where))
        if kill_after:
            threading.Timer(kill_after, lambda: os.kill(guests[-1].pid, signal.SIGKILL)).start()
        return guests[-1]

    def progress(runner: Runner, result: Result) -> None:
        pass

    plan = Plan(spec(stub(tmp_path, data, way), machine), rows, rows, Limits(boot_s=5))
    done = boot(plan, directory, launcher, NONCE, progress)
    assert not Path(f"/proc/{guests[0].pid}").exists()
    return done


def test_poweroff(tmp_path: Path) -> None:
    done = play(tmp_path, log.lines(log.good(NONCE)), POWEROFF, "q35")
    assert done.exit_code == exitcodes.OK, report.failure_lines(done, Symbols([]))


@pytest.mark.parametrize("machine", ["q35", "microvm"])
def test_triple_fault(tmp_path: Path, machine: str) -> None:
    done = play(tmp_path, upto("gamma"), TRIPLE_FAULT, machine)
    assert done.runner.cause is not None and done.runner.cause.kind == "triple fault"
    assert done.wall_s < 3 and len(done.evidence.cpus) == 2


def test_hang(tmp_path: Path) -> None:
    done = play(tmp_path, upto("gamma"), HANG)
    assert done.exit_code == exitcodes.TIMEOUT and done.wall_s < 3
    assert any("CPU 1 (seen by QEMU)" in line for line in report.failure_lines(done, Symbols([])))


def test_qemu_killed(tmp_path: Path) -> None:
    done = play(tmp_path, log.lines(log.good(NONCE)[:1]), HANG, kill_after=1.0)
    assert done.runner.cause is not None and "signal 9" in done.runner.cause.text
    assert done.exit_code == exitcodes.INFRA and done.wall_s < 2


def test_quick_debug(tmp_path: Path) -> None:
    def quick(way: int, *words: str) -> int:
        options = quick_parse(["--keep-logs", str(tmp_path / "q"), "--quiet", *words])
        return quick_boot(options, spec(stub(tmp_path, b"serial says: READY> ", way), "microvm"), launch.launch)

    started = time.monotonic()
    assert quick(HANG, "--signal", "READY>") == exitcodes.OK
    assert quick(HANG, "--signal", "never", "--fail-on", "says") == exitcodes.FAILED
    assert quick(HANG, "--signal", "never", "--timeout", "0.5") == exitcodes.TIMEOUT
    assert quick(TRIPLE_FAULT, "--signal", "never") == exitcodes.INFRA
    assert time.monotonic() - started < 6


def test_qemu_that_does_not_start(tmp_path: Path) -> None:
    image = stub(tmp_path, b"", HANG)
    broken = spec(image, "microvm")
    broken.extra = ["-device", "no-such-device"]
    rows = log.table()
    done = boot(
        Plan(broken, rows, rows, Limits()), rundir.create(tmp_path / "r"), launch.launch, NONCE, lambda r, s: None
    )
    assert done.exit_code == exitcodes.INFRA and done.wall_s < 2
    assert any("no-such-device" in line for line in report.failure_lines(done, Symbols([])))


# --- a process of ours that is killed leaves no guest ------------------------------------------------------

STARTER = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
from pathlib import Path
from xtask.guest import launch
from xtask.guest.machine import GuestSpec, find_machine
from xtask.guest.launch import Stopped
launch.unwind_on_signals()
spec = GuestSpec(find_machine("x86_64", None), Path(sys.argv[1]), None, "")
guest = launch.launch(spec, Path(sys.argv[2]))
with launch.ended_at_exit(guest):
    print(guest.pid, flush=True)
    time.sleep(30)
"""


@pytest.mark.parametrize("number", [2, 9, 15])
def test_no_guest_outlives_us(tmp_path: Path, number: int) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(stub(tmp_path, b"", HANG)), str(tmp_path)],
        cwd=rundir.ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert child.stdout is not None
    pid = int(child.stdout.readline())
    child.send_signal(number)
    child.wait(10)
    for _ in range(100):
        if not Path(f"/proc/{pid}").exists():
            break
        time.sleep(0.05)
    assert not Path(f"/proc/{pid}").exists()
