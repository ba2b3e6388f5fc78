"""A person at a session's GDB: the daemon's side (Attachment) and the terminal's side (relay)."""

from __future__ import annotations

import os
import selectors
import shutil
import signal
import socket
from collections.abc import Callable
from types import FrameType

from ..run.bridge import Escape
from ..run.terminal import RawTerminal

SCROLLBACK = 16 << 10
QUEUE_MAX = 1 << 20


class Attachment:
    """GDB's console, and at most one person at it. Runs in the daemon's main loop."""

    def __init__(self, console: int) -> None:
        self.console = console
        self.person: socket.socket | None = None
        self.last = bytearray()
        self.queue = bytearray()  # for the person, who may be slow
        self.keys = bytearray()  # for GDB, which may be busy

    def attach(self, person: socket.socket) -> None:
        person.setblocking(False)
        self.person = person
        self.queue = bytearray(self.last)

    def detach(self) -> None:
        if self.person is not None:
            self.person.close()
        self.person = None
        self.queue.clear()

    def output(self, data: bytes) -> None:
        """From GDB."""
        self.last += data
        del self.last[:-SCROLLBACK]
        if self.person is not None:
            self.queue += data
            del self.queue[:-QUEUE_MAX]
            self.push()

    def push(self) -> None:
        if self.person is None or not self.queue:
            return
        try:
            del self.queue[: self.person.send(self.queue)]
        except BlockingIOError:
            pass
        except OSError:
            self.detach()

    def input(self) -> bytes | None:
        """Keys from the person; None: the person has gone."""
        if self.person is None:
            return None
        try:
            data = self.person.recv(4096)
        except BlockingIOError:
            return b""
        except OSError:
            return None
        self.keys += data
        self.type()
        return data or None

    def type(self) -> None:
        try:
            while self.keys:
                del self.keys[: os.write(self.console, self.keys)]
        except BlockingIOError:
            pass
        except OSError:
            self.keys.clear()


def relay(sock: socket.socket) -> str:
    """Between this terminal and the daemon, until Ctrl-A X (left) or the daemon's end of it (closed)."""
    escape = Escape()
    with RawTerminal(0), selectors.DefaultSelector() as selector:
        selector.register(0, selectors.EVENT_READ)
        selector.register(sock, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                data = os.read(0, 4096) if key.fd == 0 else receive(sock)
                if not data:
                    return "left" if key.fd == 0 else "closed"
                if key.fd != 0:
                    write_all(1, data)
                    continue
                sock.sendall(escape.filter(data))
                if escape.leave:
                    return "left"


def receive(sock: socket.socket) -> bytes:
    try:
        return sock.recv(65536)
    except OSError:
        return b""


def write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


def window() -> dict[str, int]:
    size = shutil.get_terminal_size((80, 24))
    return {"rows": size.lines, "columns": size.columns}


def on_resize(tell: Callable[[], None]) -> None:
    """Calls tell() when the terminal's size changes."""

    def handler(number: int, frame: FrameType | None) -> None:
        del number, frame
        tell()

    signal.signal(signal.SIGWINCH, handler)
