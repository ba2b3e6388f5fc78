"""Tools whose stdout nobody reads end quietly; what breaks elsewhere is still an error."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest

from xtask import pipe
from xtask.guest.rundir import ROOT

XTASK = ("/usr/bin/python3", "-m", "xtask")
PAGES = [f"skills/{name}/SKILL.md" for name in ("page-fault", "crash-report")]
TOOLS = {
    "help": (*XTASK, "help"),
    "argparse": (*XTASK, "docs", "--help"),
    "docs": (*XTASK, "docs", "--check-only", *PAGES),
    "trace": (*XTASK, "trace", "--help"),
    "logs": ("scripts/find-in-logs", "--help"),
    "crashes": ("scripts/crash_report.py", "--help"),
    "quick": ("scripts/quick_debug.py", "--help"),
    "gdb": ("scripts/gdb_session.sh", "--help"),
}


def into_nothing(*command: str) -> tuple[int, str]:
    """Status and stderr of a command whose stdout has no reader from the start."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=writer, stderr=subprocess.PIPE, timeout=60, check=False
        )
    finally:
        os.close(writer)
    return done.returncode, done.stderr.decode()


@pytest.mark.parametrize("name", TOOLS)
def test_ends_quietly(name: str) -> None:
    assert into_nothing(*TOOLS[name]) == (pipe.CLOSED, "")


def test_another_broken_pipe_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def main(_: list[str]) -> int:
        ours, theirs = socket.socketpair()
        theirs.close()
        with ours:
            ours.sendall(b"?")
        return 0

    with open(tmp_path / "out", "w", encoding="ascii") as out:
        monkeypatch.setattr("sys.stdout", out)
        with pytest.raises(BrokenPipeError):
            pipe.quietly(main, [])


def test_what_was_printed_is_out_and_the_status_is_the_tools(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def main(words: list[str]) -> int:
        print(*words)
        return 7

    with open(tmp_path / "out", "w", encoding="ascii") as out:
        monkeypatch.setattr("sys.stdout", out)
        assert pipe.quietly(main, ["a", "b"]) == 7
        assert (tmp_path / "out").read_text() == "a b\n"
    monkeypatch.setattr("sys.stdout", None)
    assert pipe.quietly(main, []) == 7
