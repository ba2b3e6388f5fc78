"""Starting and ending QEMU. A Guest owns its process: leaving its `with` block ends it, and so does the
death of this process, however it dies (the kernel is told to, by PR_SET_PDEATHSIG)."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import FrameType, TracebackType
from typing import NoReturn, Protocol

from . import machine as machines

PR_SET_PDEATHSIG = 1
KILL_WAIT_S = 5.0
# QEMU tells events only to who has negotiated: a guest that ran before that could stop with nobody told why.
HELLO, START = b'{"execute":"qmp_capabilities"}\n', b'{"execute":"cont"}\n'


class InfraError(Exception):
    """The machinery around the guest failed (QEMU missing, not startable): exit code 3."""


class Stopped(BaseException):
    """SIGTERM or SIGHUP came; unwinds so that every guest is ended. args[0] is the signal."""


class Guest(Protocol):
    """A started guest, real or played by a test."""

    channels: dict[str, socket.socket]
    pid: int

    def poll(self) -> int | None:
        """The exit status once it has ended, else None."""

    def exit_fd(self) -> int:
        """A descriptor that is readable once it has ended."""

    def end(self) -> None:
        """Ends it; harmless when it has ended."""


Launcher = Callable[[machines.GuestSpec, Path], Guest]


def die_with_parent() -> None:
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class QemuGuest:
    """QEMU as a child process, its channels as socket pairs."""

    def __init__(self, spec: machines.GuestSpec, directory: Path) -> None:
        machines.check(spec)
        if shutil.which(spec.machine.qemu) is None:
            raise InfraError(f"{spec.machine.qemu} is not installed (try scripts/setup.sh build aarch64)")
        self.channels: dict[str, socket.socket] = {}
        theirs: dict[str, socket.socket] = {}
        for name in spec.channels():
            self.channels[name], theirs[name] = socket.socketpair()
            self.channels[name].setblocking(False)
        args = machines.arguments(spec, {name: end.fileno() for name, end in theirs.items()})
        (directory / "qemu.args").write_text("\n".join(args) + "\n")
        with open(directory / "qemu.stderr", "wb") as errors:
            self.process = subprocess.Popen(
                args,
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                pass_fds=[end.fileno() for end in theirs.values()],
                start_new_session=True,  # a ^C on the terminal is for us; we end QEMU
                preexec_fn=die_with_parent,
            )
        for end in theirs.values():
            end.close()
        self.pid = self.process.pid
        self._pidfd = os.pidfd_open(self.pid)
        self.channels[machines.QMP].send(HELLO if "-S" in spec.extra else HELLO + START)

    def poll(self) -> int | None:
        return self.process.poll()

    def exit_fd(self) -> int:
        return self._pidfd

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(KILL_WAIT_S)
        for channel in self.channels.values():
            channel.close()
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1


def launch(spec: machines.GuestSpec, directory: Path) -> Guest:
    return QemuGuest(spec, directory)


class ended_at_exit:
    """`with ended_at_exit(guest):` ends the guest on every way out."""

    def __init__(self, guest: Guest) -> None:
        self.guest = guest

    def __enter__(self) -> Guest:
        return self.guest

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.guest.end()


def raise_stopped(number: int, frame: FrameType | None) -> NoReturn:
    del frame
    raise Stopped(number)


def unwind_on_signals() -> None:
    """SIGTERM and SIGHUP unwind like ^C does."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, raise_stopped)


def kvm_works(arch: str, timeout_s: float = 2.0) -> bool:
    """Whether a QEMU with KVM comes up here within the time."""
    if arch != "x86_64" or not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    args = ["qemu-system-x86_64", "-M", "microvm", "-accel", "kvm", "-cpu", "host", "-nodefaults"]
    args += ["-display", "none", "-S", "-qmp", "stdio"]
    try:
        done = subprocess.run(
            args,
            input=b'{"execute":"qmp_capabilities"}{"execute":"quit"}',
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def window(qemu: str) -> str:
    """The -display that opens a window with this QEMU: gtk, else sdl, else none."""
    try:
        done = subprocess.run([qemu, "-display", "help"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "none"
    known = done.stdout.split()
    # Else the picture would be shrunk to the window's first size.
    return "gtk,zoom-to-fit=off" if "gtk" in known else "sdl" if "sdl" in known else "none"
