"""GDB as a child: its own console on one terminal, for people who attach, and MI on another, for the daemon."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import struct
import subprocess
import termios
import tty
from dataclasses import dataclass
from pathlib import Path

from ..guest.launch import InfraError, die_with_parent
from ..guest.rundir import ROOT

INSIDE = Path(__file__).resolve().with_name("inside.py")
COMMANDS = ROOT / "gdb" / "load.py"


@dataclass(frozen=True)
class Port:
    """What a session has to know about a port, beside its machines."""

    gdb: tuple[str, ...]  # programs that can debug it, the best first
    early_object: str  # the code that runs before paging, in the build directory
    early_section: str  # its section; it begins where the image is loaded
    movable: bool = False  # the image goes where QEMU puts it; else where the ELF file says


PORTS = {
    "x86_64": Port(("gdb", "gdb-multiarch"), "kernel/arch/x86_64/boot/head.S.o", ".head.text"),
    "aarch64": Port(("gdb-multiarch",), "kernel/arch/aarch64/boot/head.S.o", ".head.text", movable=True),
}

SETTINGS = (
    "set pagination off",
    "set confirm off",
    "set height 0",
    "set width 0",
    "set mi-async on",
    "set breakpoint pending on",
    "set print symbol-loading off",
    "set history save off",
    "set debuginfod enabled off",
    "set tcp connect-timeout 5",
    "set remotetimeout 10",
)


def find_gdb(arch: str) -> str:
    port = PORTS.get(arch)
    for name in port.gdb if port else ():
        if shutil.which(name):
            return name
    name = port.gdb[0] if port else "gdb-multiarch"
    raise InfraError(f"{name} is not installed (try scripts/setup.sh debug)")


def take_terminal() -> None:
    """In the child: the terminal on stdin becomes its controlling one, so that ^C there reaches it."""
    die_with_parent()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def set_size(fd: int, rows: int, columns: int) -> None:
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


class Gdb:
    """A started GDB. `mi` and `console` are the masters of its terminals, `notices` the pipe of inside.py."""

    def __init__(self, program: str, arguments: list[str], environment: dict[str, str]) -> None:
        self.console, console_end = os.openpty()
        self.mi, mi_end = os.openpty()
        tty.setraw(mi_end)
        set_size(self.console, 24, 80)
        self.notices, notice_end = os.pipe2(os.O_CLOEXEC)
        # No terminal's end is ours alone: GDB holds the other one, and its death is seen by its process.
        command = [program, "-nx", "-q"]
        for line in SETTINGS:
            command += ["-iex", line]
        command += ["-ex", f"new-ui mi3 {os.ttyname(mi_end)}", *arguments]
        ours = {"TERM": "xterm", "LC_ALL": "C.UTF-8", "CAIRN_NOTICE_FD": str(notice_end)}
        try:
            self.process = subprocess.Popen(
                command,
                stdin=console_end,
                stdout=console_end,
                stderr=console_end,
                env={**os.environ, **ours, **environment},
                pass_fds=[notice_end],
                start_new_session=True,
                preexec_fn=take_terminal,
            )
        except OSError as error:
            raise InfraError(f"{program}: {error}") from None
        os.close(console_end)
        os.close(notice_end)
        self.mi_end = mi_end  # held open: what is written before GDB opens it must not be lost
        self.pid = self.process.pid
        self.exit_fd = os.pidfd_open(self.pid)
        for fd in (self.mi, self.console, self.notices):
            os.set_blocking(fd, False)

    def interrupt(self) -> None:
        """SIGINT, as ^C: ends what GDB itself is busy with."""
        try:
            signal.pidfd_send_signal(self.exit_fd, signal.SIGINT)
        except ProcessLookupError:
            pass

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(5.0)


def read_some(fd: int) -> bytes | None:
    """What is there; None: nothing yet, b"": the end."""
    try:
        return os.read(fd, 65536)
    except BlockingIOError:
        return None
    except OSError:
        return b""
