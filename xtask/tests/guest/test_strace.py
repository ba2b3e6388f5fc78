"""`xtask run --strace`: the same program under strace(1) on the host gives the same lines."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Runner

PREFIX = re.compile(r"^(?:\[pid +(\d+)\]|(\d+)) +")
# Addresses, process numbers and what depends on the file system differ; the rest must not.
NORMAL = [
    (re.compile(r"0x[0-9a-f]{5,}"), "ADDRESS"),
    (re.compile(r"st_size=\d+|st_rdev=\S+"), "SIZE"),
    (re.compile(r"(\\x[0-9a-f]{2})+"), "RANDOM"),
    (re.compile(r"si_pid=\d+"), "si_pid=N"),
    (re.compile(r"^(execve)\(.*\)( += 0)$"), r"\1(...)\2"),
    (re.compile(r'^readlink\("/proc/self/exe", .*'), "readlink(...)"),
    (re.compile(r"^kill\(\d+"), "kill(N"),
    (re.compile(r"^((?:getpid|set_tid_address|clone)\(.*\)) += \d+$"), r"\1 = N"),
    (re.compile(r"^rt_sigreturn\(.*"), "rt_sigreturn(...)"),
    (re.compile(r"^(rseq\(.*\)) += .*"), r"\1 = ..."),  # Cairn has none
    (re.compile(r" += "), " = "),
]


def lines_of(text: str) -> list[str]:
    """The lines of the first process, made comparable; a signal that nobody handles is not one of ours."""
    out: list[str] = []
    first = None
    for raw in text.splitlines():
        match = PREFIX.match(raw)
        pid = (match[1] or match[2]) if match else None
        first = first or pid
        if pid != first and match:
            continue
        line = raw[match.end() :] if match else raw
        if line.startswith(("--- SIGCHLD", "wait4", "<... wait4", "+++ exited with 3")):
            continue
        for pattern, word in NORMAL:
            line = pattern.sub(word, line)
        out.append(line)
    return out


def test_same_as_strace(guest: Runner, program: Callable[[str], str], tmp_path: Path) -> None:
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed (scripts/setup.sh test)")
    host, ours = tmp_path / "host", tmp_path / "cairn"
    done = subprocess.run(["strace", "-f", "-o", host, program("traced")], timeout=60, check=False, capture_output=True)
    if done.returncode != 7:
        pytest.skip(f"strace does not work here: {done.stderr.decode()}")
    result = guest([program("traced")], "--strace", "-o", str(ours))
    assert result.status == 7, result.explain()
    assert lines_of(ours.read_text()) == lines_of(host.read_text())


def test_killed_and_several_processes(guest: Runner, tmp_path: Path) -> None:
    ours = tmp_path / "cairn"
    result = guest(["/bin/busybox", "sh", "-c", "/bin/busybox true; kill -SEGV $$"], "--strace", "-o", str(ours))
    assert result.status == 139, result.explain()
    lines = ours.read_text().splitlines()
    assert lines[0].startswith('execve("/bin/busybox", ["/bin/busybox", "sh", "-c", ')
    assert any(re.match(r"\[pid +\d+\] \+\+\+ exited with 0 \+\+\+", line) for line in lines)
    assert lines[-1].endswith("+++ killed by SIGSEGV +++") and "si_code=SI_USER" in lines[-2]


def test_a_call_that_never_ends_is_shown(guest: Runner, tmp_path: Path) -> None:
    ours = tmp_path / "cairn"
    result = guest(["/bin/busybox", "cat", "/dev/console"], "--strace", "-o", str(ours), limit_s=6)
    assert result.status == 124
    assert re.search(r"^sendfile\(1, 3, NULL, \d+ <unfinished \.\.\.>", ours.read_text().splitlines()[-1])


def test_output_file_needs_strace(guest: Runner) -> None:
    result = guest(["/bin/busybox", "true"], "-o", "/dev/null")
    assert result.status == 2 and b"--strace" in result.err
