"""`xtask run --strace`: the same program under strace(1) on the host gives the same lines."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from .conftest import BUILD, REPO, Runner, run_in_guest

PREFIX = re.compile(r"^(?:\[pid +(\d+)\]|(\d+)) +")
UNFINISHED = " <unfinished ...>"
RESUMED = re.compile(r"^<\.\.\. \w+ resumed>")
# Addresses, process numbers and what depends on the file system differ; the rest must not.
NORMAL = [
    (re.compile(r"0x[0-9a-f]{5,}"), "ADDRESS"),
    (re.compile(r"st_size=\d+|st_rdev=\S+"), "SIZE"),
    (re.compile(r"(\\x[0-9a-f]{2})+"), "RANDOM"),
    (re.compile(r"si_pid=\d+"), "si_pid=N"),
    (re.compile(r"^(execve)\(.*\)( += 0)$"), r"\1(...)\2"),
    (re.compile(r'^(readlink(at)?)\((AT_FDCWD, )?"/proc/self/exe", .*'), r"\1(...)"),
    # What is left of the time: the kernel writes it back, and the record is made then.
    (re.compile(r"^(ppoll\(.*, )\{tv_sec=0, tv_nsec=\d+\}"), r"\1TIME"),
    (re.compile(r"^kill\(\d+"), "kill(N"),
    (re.compile(r"^((?:getpid|set_tid_address|clone)\(.*\)) += \d+$"), r"\1 = N"),
    (re.compile(r"^rt_sigreturn\(.*"), "rt_sigreturn(...)"),
    (re.compile(r"^(rseq\(.*\)) += .*"), r"\1 = ..."),  # Cairn has none
    (re.compile(r" += "), " = "),
]
# The host's lines as a port with the generic table has them: calls that became others there.
GENERIC = [
    (re.compile(r"^arch_prctl\(.*"), ""),
    (re.compile(r"^readlink\("), "readlinkat("),
    (re.compile(r"^unlink\((.*)\) ="), r"unlinkat(AT_FDCWD, \1, 0) ="),
    (re.compile(r"^poll\((.*), 10\) ="), r"ppoll(\1, TIME, NULL, 0) ="),
    (re.compile(r"SA_RESTORER\|(.*), sa_restorer=\w+"), r"\1"),
]


def generic(lines: list[str]) -> list[str]:
    out = []
    for line in lines:
        for pattern, word in GENERIC:
            line = pattern.sub(word, line)
        out += [line] if line else []
    return out


def lines_of(text: str) -> list[str]:
    """The lines of the first process, made comparable; a signal that nobody handles is not one of ours."""
    out: list[str] = []
    begun = ""
    first = re.search(r"set_tid_address\(.*\) += (\d+)", text)  # it says who it is; a child may speak before it does
    assert first, text
    for raw in text.splitlines():
        match = PREFIX.match(raw)
        if match and (match[1] or match[2]) != first[1]:
            continue
        line = raw[match.end() :] if match else raw
        if line.endswith(UNFINISHED):  # another process's line came in between
            begun = line.removesuffix(UNFINISHED)
            continue
        resumed = RESUMED.match(line)
        if resumed:
            line = begun + line[resumed.end() :]
        if line.startswith(("--- SIGCHLD", "wait4", "+++ exited with 3")):
            continue
        for pattern, word in NORMAL:
            line = pattern.sub(word, line)
        out.append(line)
    return out


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What strace(1) says of the program on the host."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed (scripts/setup.sh test)")
    log = tmp_path_factory.mktemp("strace") / "host"
    command = ["strace", "-f", "-o", str(log), str(REPO / BUILD / "user" / "traced")]
    done = subprocess.run(command, timeout=60, check=False, capture_output=True)
    if done.returncode != 7:
        pytest.skip(f"strace does not work here: {done.stderr.decode()}")
    return lines_of(log.read_text())


def traced_in_guest(arch: str, build: Path, log: Path) -> list[str]:
    result = run_in_guest([str(REPO / build / "user" / "traced")], "--strace", "-o", str(log), arch=arch)
    assert result.status == 7, result.explain()
    return lines_of(log.read_text())


def test_same_as_strace(host: list[str], tmp_path: Path) -> None:
    assert traced_in_guest("x86_64", BUILD, tmp_path / "cairn") == host


def test_same_on_aarch64_but_for_its_table(host: list[str], aarch64: Path, tmp_path: Path) -> None:
    ours = traced_in_guest("aarch64", aarch64, tmp_path / "cairn")
    assert ours == generic(host)
    assert "unlinkat(AT_FDCWD, \"/tmp/traced\", 0) = 0" in ours


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
