"""Copying between the host's streams and the guest's ports, without waiting and without changing a byte.

Output goes through a queue of bounded size: when the host's reader is slow the port is not read, and the
program in the guest waits, as it would on a pipe. Input is read only when the port takes it. The end of
the host's input half-closes the port, behind the last byte."""

from __future__ import annotations

import os
import select
import selectors
import socket
import stat

QUEUE_MAX = 1 << 20
CHUNK = 65536


class Output:
    """Bytes on their way to a host descriptor."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.queue = bytearray()
        self.broken = False  # its reader is gone: what comes is dropped
        # A pipe or terminal that is ready takes this much without blocking us.
        self.step = CHUNK if stat.S_ISREG(os.fstat(fd).st_mode) else select.PIPE_BUF

    def put(self, data: bytes) -> None:
        if not self.broken:
            self.queue += data

    @property
    def full(self) -> bool:
        return len(self.queue) >= QUEUE_MAX

    def flush(self, wait: bool = False) -> None:
        """Writes what the descriptor takes; with wait, everything."""
        while self.queue and not self.broken:
            try:
                written = os.write(self.fd, self.queue[: self.step])
            except BlockingIOError:
                if not wait:
                    return
                wait_writable(self.fd)
                continue
            except OSError:
                self.broken = True
                self.queue.clear()
                return
            del self.queue[:written]
            if not wait:
                return  # the rest when it is ready again


def wait_writable(fd: int) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(fd, selectors.EVENT_WRITE)
        selector.select(None)


class Input:
    """Bytes on their way from a host descriptor to a port, or to the console: a serial line has no end, and QEMU
    would give the whole line up at one."""

    def __init__(self, fd: int, port: socket.socket, ends: bool = True) -> None:
        self.ends = ends
        self.fd = fd
        self.port = port
        self.queue = bytearray()
        self.ended = False
        self.closed = False

    def wants_more(self) -> bool:
        return not self.ended and len(self.queue) < CHUNK

    def take(self) -> bytes:
        """Reads once from the host; empty at its end."""
        try:
            data = os.read(self.fd, CHUNK)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        if not data:
            self.ended = True
        return data

    def push(self) -> None:
        """Sends what the port takes; half-closes it behind the end."""
        while self.queue and not self.closed:
            try:
                sent = self.port.send(self.queue[:CHUNK])
            except BlockingIOError:
                return
            except OSError:
                self.closed = True
                return
            del self.queue[:sent]
        if self.ended and not self.closed:
            self.closed = True
            if not self.ends:
                return
            try:
                self.port.shutdown(socket.SHUT_WR)
            except OSError:
                pass


class Escape:
    """Ctrl-A as on QEMU's own console: Ctrl-A X leaves, Ctrl-A Ctrl-A is one Ctrl-A. Pure."""

    KEY = 1

    def __init__(self) -> None:
        self.pending = False
        self.leave = False

    def filter(self, data: bytes) -> bytes:
        out = bytearray()
        for byte in data:
            if self.pending:
                self.pending = False
                if byte in b"xX":
                    self.leave = True
                    break
                out += bytes((byte,)) if byte == self.KEY else bytes((self.KEY, byte))
            elif byte == self.KEY:
                self.pending = True
            else:
                out.append(byte)
        return bytes(out)
