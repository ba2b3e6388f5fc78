"""`xtask run`: streams, exit status, environment."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from .conftest import Runner

BUSYBOX = "/bin/busybox"


@pytest.mark.parametrize("machine", ["q35", "microvm"])
def test_says_hello(guest: Runner, machine: str) -> None:
    result = guest([BUSYBOX, "echo", "hello, kernel"], "--machine", machine)
    assert (result.status, result.out) == (0, b"hello, kernel\n"), result.explain()


@pytest.mark.parametrize(
    ("script", "status"),
    [("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", 143), ("kill -SEGV $$", 139), ("exit 255", 255)],
)
def test_exit_status(guest: Runner, script: str, status: int) -> None:
    result = guest([BUSYBOX, "sh", "-c", script])
    assert result.status == status, result.explain()


def test_timeout_is_124(guest: Runner) -> None:
    result = guest([BUSYBOX, "sleep", "100"], limit_s=3)
    assert result.status == 124, result.explain()


def test_missing_program_is_refused(guest: Runner) -> None:
    assert guest(["/no/such/program"]).status == 2


def test_streams_are_binary_clean(guest: Runner) -> None:
    seed = 20240601
    data = random.Random(seed).randbytes(700_001)
    result = guest([BUSYBOX, "cat"], stdin=data)
    assert result.status == 0 and result.out == data, f"seed {seed}: {len(result.out)} bytes, {result.err[-500:]!r}"


def test_stderr_is_separate(guest: Runner) -> None:
    result = guest([BUSYBOX, "sh", "-c", "echo out; echo err >&2"])
    assert (result.out, result.err) == (b"out\n", b"err\n"), result.explain()


def test_environment_cwd_and_files(guest: Runner, tmp_path: Path) -> None:
    data = tmp_path / "data.txt"
    data.write_text("from the host\n")
    result = guest(
        [BUSYBOX, "sh", "-c", "pwd; echo $COLOUR; /bin/busybox cat /etc/data.txt"],
        "--cwd", "/tmp", "--env", "COLOUR=dark blue", "--add", f"{data}:/etc/data.txt",
    )  # fmt: skip
    assert result.out == b"/tmp\ndark blue\nfrom the host\n", result.explain()


def test_icount_is_deterministic(guest: Runner, tmp_path: Path) -> None:
    counts = []
    for name in ("a", "b"):
        report = tmp_path / f"{name}.json"
        result = guest([BUSYBOX, "true"], "--icount", "--json", str(report))
        assert result.status == 0, result.explain()
        counts.append(json.loads(report.read_text()).get("instructions"))
    assert counts[0] and counts[0] == counts[1]


@pytest.mark.parametrize("word", ["poweroff", "reboot"])
def test_a_program_may_stop_the_machine(guest: Runner, word: str) -> None:
    result = guest([BUSYBOX, word, "-f"])
    assert result.status == 0, result.explain()


@pytest.mark.parametrize("machine", ["q35", "microvm"])
def test_disk(guest: Runner, tmp_path: Path, machine: str) -> None:
    seed = 7
    data = random.Random(seed).randbytes(1 << 20)
    image = tmp_path / "disk.img"
    image.write_bytes(data)
    script = "/bin/busybox cat /dev/vda; echo written | /bin/busybox dd of=/dev/vda bs=8 count=1 2>/dev/null"
    result = guest([BUSYBOX, "sh", "-c", script], "--disk", str(image), "--machine", machine)
    assert result.status == 0 and result.out == data, f"seed {seed}: {result.err[-500:]!r}"
    assert image.read_bytes() == b"written\n" + data[8:]
