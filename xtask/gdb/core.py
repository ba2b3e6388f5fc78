"""Operations on a session's GDB, with deadlines. Called from the threads that serve requests; the daemon's main
thread reads what GDB and QEMU say, feeds it to Target, and wakes them.

Every wait here ends: at its deadline, or at once when GDB or QEMU dies. Times are of the monotonic clock."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..guest.machine import SERIAL
from ..guest.session import Session
from .files import STUB
from .gdbproc import Gdb
from .mi import Record, quote
from .target import Serial, Target, in_background, needs_file

QUERY_S = 2.0
PING_S = 0.3
STEP_S = 1.0  # patience with each way of stopping a target, before the next one
ASKS_MAX = 8
BACK_UPS = 10


@dataclass
class Place:
    """Where the selected frame is."""

    pc: str = ""
    where: str = ""
    thread: int | None = None


class Core:
    def __init__(self, gdb: Gdb, session: Session, directory: Path) -> None:
        self.gdb = gdb
        self.session = session
        self.directory = directory
        self.cond = threading.Condition()
        self.target = Target()
        self.serial = Serial()
        self.turn = threading.Lock()  # held by who gives GDB a command of somebody's
        self.asking = threading.Lock()  # held while GDB works on anything
        self.attached = False
        self.errors: list[str] = []  # what inside.py complained about

    # --- waiting ---

    def wait_for(self, what: Callable[[], bool], deadline: float) -> bool:
        """Whether it came true by then; False too when there is nobody left to make it true."""
        with self.cond:
            while not what():
                left = deadline - time.monotonic()
                if left <= 0 or self.target.lost():
                    return what()
                self.cond.wait(left)
            return True

    # --- talking to GDB ---

    def write(self, data: bytes, deadline: float) -> None:
        while data and not self.target.lost():
            try:
                data = data[os.write(self.gdb.mi, data) :]
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    return
                time.sleep(0.01)
            except OSError:
                return

    def ask(self, command: str, deadline: float) -> Record | None:
        """An MI command and its result; None: not in time (it is then the pending one), or GDB is gone."""
        if not self.asking.acquire(timeout=max(0.0, deadline - time.monotonic())):
            return None
        try:
            with self.cond:
                if self.target.pending is not None or self.target.lost():
                    return None
                token, line = self.target.send(command)
            self.write(line, deadline)
            return self.result(token, deadline)
        finally:
            self.asking.release()

    def result(self, token: int, deadline: float) -> Record | None:
        answered = 0
        while True:
            seen = answered
            self.wait_for(lambda: token in self.target.results or self.target.asks > seen, deadline)
            with self.cond:
                found = self.target.results.get(token)
                asks = self.target.asks
            if found is not None or asks <= answered or answered >= ASKS_MAX:
                return found
            answered += 1  # a block was begun that nobody will finish
            self.write(b"end\n", deadline)

    def console(self, command: str, deadline: float) -> Record | None:
        """A command of GDB's command line; as a script where it has several lines."""
        if not needs_file(command):
            return self.ask(f"-interpreter-exec console {quote(in_background(command))}", deadline)
        fd, name = tempfile.mkstemp(".gdb", "cmd.", self.directory)
        with open(fd, "w", encoding="utf-8") as stream:
            stream.write(command + "\n")
        found = self.ask(f"-interpreter-exec console {quote('source ' + name)}", deadline)
        if found is not None:
            os.unlink(name)
        return found

    def place(self) -> Place:
        """Where the stopped target is; nothing known when it runs."""
        if self.target.status() not in ("stopped", "ended"):
            return Place()
        found = self.ask("-stack-info-frame", time.monotonic() + QUERY_S)
        if found is None or found.cls != "done":
            return Place()
        pc = found.word("frame", "addr")
        where = found.word("frame", "func")
        where = "" if where == "??" else where
        if found.word("frame", "file"):
            where += f" {found.word('frame', 'file')}:{found.word('frame', 'line')}"
        current = self.ask("-thread-list-ids", time.monotonic() + QUERY_S)
        thread = current.word("current-thread-id") if current else ""
        return Place(f"{int(pc, 16):#x}" if pc else "", where, int(thread) if thread.isdigit() else None)

    def send_serial(self, keys: bytes, deadline: float) -> None:
        """Types on the guest's serial line."""
        port = self.session.guest.channels[SERIAL]
        while keys and time.monotonic() < deadline and not self.target.lost():
            try:
                keys = keys[port.send(keys) :]
            except BlockingIOError:
                time.sleep(0.01)
            except OSError:
                return

    # --- the target ---

    def settle(self, deadline: float) -> bool:
        """Waits until the target stands still: a stop whose commands go on at once is none."""
        while self.wait_for(lambda: not self.target.running or bool(self.target.guest_end), deadline):
            if self.target.guest_end:  # the last stop is on its way, unless it came before
                self.wait_for(lambda: not self.target.running, min(deadline, time.monotonic() + STEP_S))
                return True
            with self.cond:
                stops = self.target.stops
            self.ask("-data-evaluate-expression 1", time.monotonic() + QUERY_S)
            with self.cond:
                if self.target.lost() or (not self.target.running and self.target.stops == stops):
                    return True
        return not self.target.running

    def finish(self, token: int | None, deadline: float) -> bool:
        """Waits for the pending command, if there is one, and then for the target."""
        if token is not None and not self.wait_for(lambda: self.target.pending != token, deadline):
            return False
        return self.settle(deadline)

    def interrupt(self, deadline: float) -> bool:
        """Brings back what runs or is busy, by one way after the other, and again on a slow host."""
        ways: list[Callable[[float], None]] = [self.interrupt_gdb, self.interrupt_target, self.pause_guest]
        while not self.idle() and time.monotonic() < deadline:
            for way in ways:
                if not self.idle():
                    way(min(deadline, time.monotonic() + STEP_S))
            # A second ^C would make GDB give up the connection: from now on only when it waits for no target.
            ways = [] if self.target.running else [self.interrupt_gdb]
            ways += [self.pause_guest, self.recover]
            self.wait_for(self.idle, min(deadline, time.monotonic() + PING_S))
        return self.idle()

    def idle(self) -> bool:
        target = self.target
        return bool(target.lost()) or (target.pending is None and not target.running and target.connected)

    def interrupt_gdb(self, deadline: float) -> None:
        """GDB is busy with a command: SIGINT ends that, and stops the target if it waited for it."""
        token = self.target.pending
        if token is not None:
            self.gdb.interrupt()
            self.finish(token, deadline)

    def interrupt_target(self, deadline: float) -> None:
        """By GDB, if it listens: it does not while a script of its own waits for the target, and would then
        take the interrupt for the next run."""
        ping = min(deadline, time.monotonic() + PING_S)
        if self.target.running and self.ask("-data-evaluate-expression 1", ping) is not None:
            with self.cond:
                _, line = self.target.send("-exec-interrupt --all", counts=False)
            self.write(line, deadline)
            self.settle(deadline)

    def back_up_interrupt(self) -> None:
        """A person typed ^C. GDB may lose it while it loads symbols or resumes: then QEMU stops the target, and
        again when that came just while GDB had stopped it itself."""
        with self.cond:
            stops = self.target.stops
        for _ in range(BACK_UPS):
            patience = time.monotonic() + PING_S
            if self.wait_for(lambda: self.target.stops != stops, patience) or not self.target.running:
                return
            self.session.qmp.post("stop")

    def pause_guest(self, deadline: float) -> None:
        """QEMU's own stop: it tells GDB."""
        self.session.qmp.post("stop")
        self.finish(self.target.pending, deadline)

    def recover(self, deadline: float) -> None:
        """A new connection to QEMU's stub, which stops the guest. Breakpoints stay."""
        if self.target.pending is not None or self.target.lost():
            return
        with self.cond:
            _, line = self.target.send("-target-disconnect", counts=False)
        self.write(line, deadline)
        self.wait_for(lambda: not self.target.connected, min(deadline, time.monotonic() + STEP_S / 2))
        self.connect(deadline)

    def connect(self, deadline: float) -> Record | None:
        return self.ask(f"-target-select remote {STUB}", deadline)
