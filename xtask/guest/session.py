"""A session: one guest, and what it says, as a stream of items in the order they came.

Chunk(channel, data): bytes. Lost(channel): that end was closed. Stop(kind): QEMU says why the machine
stopped. Ended(status): the process is gone. Before Stop and Ended are handed out, everything that was
written before them has been read, so nothing is judged with half the evidence."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from .launch import Guest
from .machine import QMP
from .qmp import Message, Qmp

CHUNK = 65536
LOG_NAMES = {"serial": "serial.log", "events": "events.jsonl"}


@dataclass(frozen=True)
class Chunk:
    channel: str
    data: bytes


@dataclass(frozen=True)
class Lost:
    channel: str


@dataclass(frozen=True)
class Stop:
    kind: str  # shutdown, reset, panicked, host


@dataclass(frozen=True)
class Ended:
    status: int


Item = Chunk | Lost | Stop | Ended
STOP_KINDS = {"guest-shutdown": "shutdown", "guest-reset": "reset", "guest-panic": "panicked"}


def stop_of(message: Message) -> Stop | None:
    """The Stop that a QMP event means, if it does."""
    if message.get("event") == "SHUTDOWN":
        reason = str(message.get("data", {}).get("reason", ""))
        return Stop(STOP_KINDS.get(reason, "host"))
    return None


class Session:
    """Waits on all channels of a guest at once. Every byte is also kept in directory, by channel."""

    def __init__(self, guest: Guest, directory: Path | None = None) -> None:
        self.guest = guest
        self.qmp = Qmp(guest.channels[QMP])
        self.selector = selectors.EpollSelector()
        self.open: dict[str, socket.socket] = {}
        self.files: dict[str, FileIO] = {}
        self.ended = False
        self.stop_seen = False
        self.paused: set[str] = set()
        for name, sock in guest.channels.items():
            self.open[name] = sock
            self.selector.register(sock, selectors.EVENT_READ, name)
            if directory and name in LOG_NAMES:
                self.files[name] = FileIO(directory / LOG_NAMES[name], "wb")
        self.selector.register(guest.exit_fd(), selectors.EVENT_READ, "")

    def close(self) -> None:
        self.selector.close()
        for stream in self.files.values():
            stream.close()

    def fileno(self) -> int:
        """A descriptor that is readable when wait() has something."""
        return self.selector.fileno()

    def pause(self, name: str, paused: bool) -> None:
        """Stops (or resumes) reading a channel, so that its writer in the guest waits."""
        if name not in self.open or paused == (name in self.paused):
            return
        if paused:
            self.paused.add(name)
            self.selector.unregister(self.open[name])
        else:
            self.paused.discard(name)
            self.selector.register(self.open[name], selectors.EVENT_READ, name)

    def read(self, name: str) -> Item | None:
        """One chunk of a channel, or its loss; None when there is nothing now."""
        try:
            data = self.open[name].recv(CHUNK)
        except BlockingIOError:
            return None
        except OSError:
            data = b""
        if data:
            if name in self.files:
                self.files[name].write(data)
            return Chunk(name, data)
        if name not in self.paused:
            self.selector.unregister(self.open[name])
        del self.open[name]
        return Lost(name)

    def read_rest(self) -> Iterator[Item]:
        """All that was written so far, on all channels but QMP's."""
        for name in [n for n in self.open if n != QMP]:
            while name in self.open and (item := self.read(name)) is not None:
                yield item

    def poll_qmp(self) -> Iterator[Item]:
        self.qmp.read_ready()
        if self.qmp.closed and QMP in self.open:
            self.selector.unregister(self.open.pop(QMP))
        for message in self.qmp.take_events():
            stop = stop_of(message)
            if stop and not self.stop_seen:
                self.stop_seen = True
                yield from self.read_rest()
                yield stop

    def poll_exit(self) -> Iterator[Item]:
        status = self.guest.poll()
        if status is None or self.ended:
            return
        self.ended = True
        self.selector.unregister(self.guest.exit_fd())
        yield from self.poll_qmp()
        yield from self.read_rest()
        yield Ended(status)

    def wait(self, timeout_s: float | None) -> Iterator[Item]:
        """What happened, waiting at most timeout_s for something; may be nothing."""
        ready = [key.data for key, _ in self.selector.select(timeout_s)]
        for name in ready:
            if name not in ("", QMP) and name in self.open:
                item = self.read(name)
                if item is not None:
                    yield item
        if QMP in ready:
            yield from self.poll_qmp()
        if "" in ready:
            yield from self.poll_exit()

    def drain(self, timeout_s: float) -> Iterator[Item]:
        """What still comes within the time, ending early when the guest is gone."""
        deadline = time.monotonic() + timeout_s
        while not self.ended and (left := deadline - time.monotonic()) > 0:
            yield from self.wait(left)
