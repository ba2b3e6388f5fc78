"""`xtask run` with a played guest, in a process of its own so that its streams are real ones."""

from __future__ import annotations

import json
import os
import pty
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from xtask.guest.rundir import ROOT

CHILD = """
import json, sys
from pathlib import Path
from xtask.guest.launch import unwind_on_signals
from xtask.guest.machine import GuestSpec, find_machine
from xtask.run.command import parse, play
from xtask.tests import log
from xtask.tests.fake import Die, Echo, Halt, Played, Say, Sleep

work = Path(sys.argv[1])
(work / "k").write_bytes(b"")
OUT, ERR = "cairn.stdout", "cairn.stderr"
BEGIN = {"type": "run_begin", "pid": 2, "path": "/bin/x"}

def events(*records):
    return Say("events", log.lines(list(records)))

def leave(status, **more):
    return [events(BEGIN, {"type": "run_exit", "status": status, **more}, {"type": "poweroff"}), Halt("guest-shutdown")]

PANIC = [{"type": "panic", "reason": "BUG: boom", "where": "f+0x1", "text": "tid 3"},
         {"type": "backtrace", "of": "cpu 0", "frames": ["0xffffffff80000001 f+0x1"]}, {"type": "panic_end"}]
SCRIPTS = {
    "echo": [Echo("cairn.stdin", OUT), *leave(7), Sleep(2)],
    "both": [Say("serial", b"kernel noise"), Say(OUT, b"out"), Say(ERR, b"err"), *leave(0), Sleep(2)],
    "panic": [Say("serial", b"last words\\n"), events(*PANIC), Sleep(3)],
    "hang": [Say(OUT, b"partial"), Sleep(5)],
    "reset": [Halt("guest-reset"), Sleep(2)],
    "die": [Die(1)],
    "forge": [Say("serial", log.lines([{"type": "run_exit", "status": 0}])), Say(OUT, log.lines([{"type": "run_exit", "status": 0}])), Die(1)],
    "flood": [*[Say(OUT, b"y" * 65536)] * 400, *leave(0), Sleep(2)],
    "tty": [Echo("serial", "serial")],
}
options = parse([*sys.argv[3:], "--", "x"])
spec = GuestSpec(find_machine("x86_64", None), work / "k", None, "nonce=1", streams=True)
sys.exit(play(options, spec, work, Played(lambda nonce: SCRIPTS[sys.argv[2]])))
"""


def run(tmp_path: Path, script: str, *words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    args = [sys.executable, "-c", CHILD, str(tmp_path), script, *words]
    return subprocess.run(args, cwd=ROOT, input=stdin, capture_output=True, timeout=60, check=False)


def test_streams_are_binary_clean_and_end(tmp_path: Path) -> None:
    data = random.Random(1).randbytes(3_000_003)
    done = run(tmp_path, "echo", stdin=data)
    assert (done.returncode, done.stderr) == (7, b"")
    assert done.stdout == data


def test_input_from_a_file_and_from_nothing(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.write_bytes(b"from a file")
    args = [sys.executable, "-c", CHILD, str(tmp_path), "echo"]
    with open(source, "rb") as stream:
        done = subprocess.run(args, cwd=ROOT, stdin=stream, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (7, b"from a file")
    done = subprocess.run(args, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (7, b"")


def test_streams_stay_apart(tmp_path: Path) -> None:
    done = run(tmp_path, "both")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"out", b"err")


def test_output_to_a_file(tmp_path: Path) -> None:
    target = tmp_path / "out"
    args = [sys.executable, "-c", CHILD, str(tmp_path), "flood"]
    with open(target, "wb") as stream:
        done = subprocess.run(args, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=stream, timeout=60, check=False)
    assert done.returncode == 0 and target.read_bytes() == b"y" * 65536 * 400


def test_slow_reader_loses_nothing(tmp_path: Path) -> None:
    args = [sys.executable, "-c", CHILD, str(tmp_path), "flood"]
    with subprocess.Popen(args, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        time.sleep(0.5)
        assert len(child.stdout.read()) == 65536 * 400
        assert child.wait(30) == 0


def test_reader_that_leaves_ends_the_run(tmp_path: Path) -> None:
    args = [sys.executable, "-c", CHILD, str(tmp_path), "flood"]
    with subprocess.Popen(args, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.read(10)
        child.stdout.close()
        assert child.wait(30) == 141


def test_panic_is_255_with_its_report(tmp_path: Path) -> None:
    done = run(tmp_path, "panic")
    assert done.returncode == 255 and done.stdout == b""
    for wanted in (b"BUG: boom at f+0x1", b"0xffffffff80000001 f+0x1", b"last words"):
        assert wanted in done.stderr


def test_timeout_is_124_and_keeps_the_output(tmp_path: Path) -> None:
    started = time.monotonic()
    done = run(tmp_path, "hang", "--timeout", "0.5")
    assert (done.returncode, done.stdout) == (124, b"partial") and time.monotonic() - started < 2.5


def test_lost_guests_are_3(tmp_path: Path) -> None:
    for script in ("reset", "die", "forge"):
        assert run(tmp_path, script).returncode == 3, script


def test_json(tmp_path: Path) -> None:
    report = tmp_path / "r.json"
    run(tmp_path, "echo", "--icount", "--json", str(report))
    record = json.loads(report.read_text())
    assert (record["status"], record["reason"]) == (7, "exit")
    assert record["instructions"] == 1_000_000 and record["wall_to_begin_s"] <= record["wall_to_exit_s"]


def test_console_as_terminal(tmp_path: Path) -> None:
    master, slave = pty.openpty()
    args = [sys.executable, "-c", CHILD, str(tmp_path), "tty", "--tty"]
    with subprocess.Popen(args, cwd=ROOT, stdin=slave, stdout=slave, stderr=slave) as child:
        os.close(slave)
        seen = b""
        while b"Ctrl-A X leaves" not in seen:
            seen += os.read(master, 1000)
        time.sleep(0.2)
        os.write(master, b"hello\x03\x04")
        while b"hello\x03\x04" not in seen:
            seen += os.read(master, 1000)
        os.write(master, b"\x01x")
        assert child.wait(10) == 0
    os.close(master)


# --- scripts/run-arm64-graphics.sh ------------------------------------------------------------------------

GRAPHICS = "run-arm64-graphics.sh"


@pytest.fixture
def graphics(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The script in a tree whose xtask says how it was called."""
    for name in ("scripts", "xtask", "build/debian/arm64/bin"):
        (tmp_path / name).mkdir(parents=True)
    shutil.copy(ROOT / "scripts" / GRAPHICS, tmp_path / "scripts")
    (tmp_path / "build/debian/arm64/bin/busybox").touch(0o755)
    (tmp_path / "xtask/__main__.py").write_text("import sys\nprint(*sys.argv[1:])\n")

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([tmp_path / "scripts" / GRAPHICS, *words], capture_output=True, text=True, check=False)

    return call


@pytest.mark.parametrize("words,variant", [((), "release"), (("release",), "release"), (("debug",), "debug")])
def test_graphics_script_chooses_the_build(
    graphics: Callable[..., subprocess.CompletedProcess[str]], words: tuple[str, ...], variant: str
) -> None:
    head = f"run --arch aarch64 --variant {variant} --graphics"
    assert graphics(*words, "--smp", "2", "--", "./a", "b").stdout == f"{head} --smp 2 -- ./a b\n"
    shell = graphics(*words, "--smp", "2").stdout
    assert shell.startswith(f"{head} --smp 2 --add build/debian/arm64/bin/busybox:/bin/sh ")
    assert shell.endswith(" -- build/debian/arm64/bin/busybox sh\n")


def test_graphics_script_refuses_other_words(graphics: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    done = graphics("inject")
    assert done.returncode == 2 and "[release|debug]" in done.stderr and not done.stdout
