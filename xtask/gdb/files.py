"""A session's directory, and processes by number and start time.

.cairn/gdb/NAME/ holds control (the daemon's socket), gdb (QEMU's stub), state.json, files.json, daemon.log. Sockets
are opened by way of a directory descriptor, since their names may be longer than an address takes."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..guest import rundir
from ..guest.machine import UsageError

CONTROL, STUB, STATE = "control", "gdb", "state.json"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True)
class Process:
    """A process, never mistaken for a later one of the same number."""

    pid: int
    start: int

    def alive(self) -> bool:
        return self.pid > 0 and start_time(self.pid) == self.start

    def kill(self) -> None:
        """Ends it, if it still is the one."""
        try:
            fd = os.pidfd_open(self.pid)
        except OSError:
            return
        try:
            if self.alive():
                signal.pidfd_send_signal(fd, signal.SIGKILL)
        except ProcessLookupError:
            pass
        finally:
            os.close(fd)


def start_time(pid: int) -> int:
    """When the process started, in ticks since the host's boot; 0: there is none (or a dead one)."""
    try:
        after = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return 0
    return 0 if len(after) < 20 or after[0] in "ZX" else int(after[19])


def process(pid: int) -> Process:
    return Process(pid, start_time(pid))


@dataclass
class State:
    """state.json."""

    name: str
    arch: str
    argv: list[str]
    run: str = ""
    kernel: str = ""
    processes: dict[str, Process] = field(default_factory=dict)  # daemon, qemu, gdb

    def write(self, directory: Path) -> None:
        temporary = directory / f"{STATE}.new"
        temporary.write_text(json.dumps(asdict(self), indent=1) + "\n")
        os.replace(temporary, directory / STATE)


def read_state(directory: Path) -> State | None:
    try:
        raw: dict[str, Any] = json.loads((directory / STATE).read_text())
        raw["processes"] = {name: Process(**words) for name, words in raw["processes"].items()}
        return State(**raw)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def base() -> Path:
    return rundir.state() / "gdb"


def check_name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise UsageError(f"a session's name is letters, digits, `_`, `.` and `-`, not {name!r}")
    return name


def names() -> list[str]:
    try:
        return sorted(entry.name for entry in base().iterdir() if entry.is_dir())
    except OSError:
        return []


def remove(directory: Path) -> None:
    """Ends what a daemon that died may have left (nothing else), and removes the directory."""
    state = read_state(directory)
    for one in state.processes.values() if state else ():
        one.kill()
    shutil.rmtree(directory, ignore_errors=True)


def alive(directory: Path) -> bool:
    """Whether a daemon has the session; one that is just starting has."""
    state = read_state(directory)
    if state is not None:
        return state.processes["daemon"].alive()
    try:
        return time.time() - directory.stat().st_mtime < 60
    except OSError:
        return False


def create(name: str) -> Path:
    """Claims the name."""
    directory = base() / check_name(name)
    directory.parent.mkdir(parents=True, exist_ok=True)
    for _ in range(2):
        try:
            directory.mkdir(mode=0o700)
            return directory
        except FileExistsError:
            if alive(directory):
                raise UsageError(f"there is a session {name!r} already (stop it, or take another --name)") from None
            remove(directory)
    raise UsageError(f"cannot make {directory}")


def connect(directory: Path, timeout_s: float) -> socket.socket:
    """To the daemon. OSError."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(timeout_s)
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        sock.connect(f"/proc/self/fd/{fd}/{CONTROL}")
    except OSError:
        sock.close()
        raise
    finally:
        os.close(fd)
    return sock
