"""The daemon of one session: owns one QEMU and one GDB, reads what they say, and serves requests.

The main thread reads; each request is served by a thread of its own (verbs.py, core.py). Both children are ended
on every way out: by the daemon, or by the host when the daemon was killed. It ends by itself when its directory
is removed, its owner is gone, or nobody has asked anything for long."""

from __future__ import annotations

import json
import os
import selectors
import shutil
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..guest import launch, rundir
from ..guest.machine import SERIAL, GuestSpec
from ..guest.session import Chunk, Ended, Item, Session, Stop
from ..stages.boot import last_lines
from . import gdbproc
from .attach import Attachment
from .core import Core
from .files import CONTROL, STUB, Process, State, process
from .gdbproc import Gdb, read_some
from .mi import MiStream
from .opening import READY_S, OpenError, Opening, open_target, rom_address
from .transcript import script
from .verbs import Entry, Reply, Request, Verbs

TICK_S = 0.5
DEAD_IDLE_S = 300.0
REQUEST_MAX = 4 << 20
INTERRUPT = b"\x03"  # ^C


@dataclass
class Plan:
    """What a session is made of."""

    name: str
    argv: list[str]  # of `start`, for the transcript
    spec: GuestSpec
    opening: Opening
    directory: Path
    logs: Path | None = None
    idle_s: float = 3600.0
    owner: Process | None = None
    files: dict[str, Any] = field(default_factory=dict)  # files.json, for inside.py


class Daemon:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.run = rundir.create(plan.logs)
        self.last_asked = time.monotonic()
        self.over = False
        self.selector = selectors.DefaultSelector()
        self.wake_read, self.wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(CONTROL)
        self.listener.listen(16)
        self.listener.setblocking(False)
        self.stream = MiStream()
        self.notices = b""
        self.opened: Reply | None = None

    # --- life ---

    def live(self, ready: int) -> None:
        """Starts everything, serves until the end, ends everything. The first reply goes to `ready`."""
        plan = self.plan
        plan.spec.gdb_socket = Path(STUB)  # relative: the working directory is the session's
        plan.spec.extra = [*plan.spec.extra, "-S"]
        (plan.directory / "files.json").write_text(json.dumps(plan.files))
        guest = launch.launch(plan.spec, self.run)
        with launch.ended_at_exit(guest):
            session = Session(guest, self.run)
            self.find_image(session)
            gdb = Gdb(gdbproc.find_gdb(plan.spec.machine.arch), self.gdb_arguments(), self.environment())
            try:
                self.core = Core(gdb, session, plan.directory)
                self.verbs = Verbs(self.core)
                self.console = Attachment(gdb.console)
                self.write_state(guest.pid, gdb.pid)
                self.register()
                self.start(self.first, ready)
                while not self.over:
                    self.step()
            finally:
                gdb.end()
                self.keep_transcript()

    def find_image(self, session: Session) -> None:
        """Asks QEMU where the kernel is, where that is the board's choice."""
        early = self.plan.opening.early
        if early.base is None:
            said = session.qmp.execute("human-monitor-command", {"command-line": "info roms"}, timeout_s=READY_S)
            early.base = rom_address(str(said), str(self.plan.spec.image))

    def gdb_arguments(self) -> list[str]:
        arguments = [str(self.plan.spec.kernel)]
        if gdbproc.COMMANDS.is_file():
            arguments += ["-ex", f"source {gdbproc.COMMANDS}"]
        return [*arguments, "-ex", f"source {gdbproc.INSIDE}"]

    def environment(self) -> dict[str, str]:
        return {"CAIRN_SESSION": str(self.plan.directory / "files.json"), "CAIRN_ROOT": str(rundir.ROOT)}

    def write_state(self, qemu: int, gdb: int) -> None:
        plan = self.plan
        found = {"daemon": process(os.getpid()), "qemu": process(qemu), "gdb": process(gdb)}
        arch = plan.spec.machine.arch
        State(plan.name, arch, plan.argv, str(self.run), str(plan.spec.kernel), found).write(plan.directory)

    def register(self) -> None:
        gdb, read = self.core.gdb, selectors.EVENT_READ
        sources: tuple[tuple[int | socket.socket, Callable[[], None]], ...] = (
            (self.core.session.fileno(), self.read_guest),
            (gdb.mi, self.read_mi),
            (gdb.console, self.read_console),
            (gdb.notices, self.read_notices),
            (gdb.exit_fd, self.gdb_ended),
            (self.listener, self.accept),
            (self.wake_read, self.woken),
        )
        for source, what in sources:
            self.selector.register(source, read, what)

    def start(self, body: Any, *arguments: Any) -> None:
        threading.Thread(target=body, args=arguments, daemon=True).start()

    def wake(self) -> None:
        os.write(self.wake_write, b"x")

    def first(self, ready: int) -> None:
        """Brings the target to where the session begins, and says so to who started it."""
        reply: Reply
        try:
            reply = open_target(self.core, self.verbs, self.plan.opening)
        except OpenError as error:
            lost = self.core.target.lost()
            words = [str(error), *last_lines(self.run / "qemu.stderr", 3)]
            reply = {"seq": 0, "status": lost or "error", "error": "; ".join(words)}
        except Exception as error:  # whatever it is, somebody waits for an answer
            reply = {"seq": 0, "status": "gdb-died", "error": f"{type(error).__name__}: {error}"}
        self.opened = reply
        os.write(ready, json.dumps(reply).encode())
        os.close(ready)
        if "error" in reply:
            self.finish()

    def finish(self) -> None:
        self.over = True
        self.wake()

    def step(self) -> None:
        self.watch_console()
        for key, _ in self.selector.select(TICK_S):
            key.data()
        self.tick(time.monotonic())

    def tick(self, now: float) -> None:
        plan = self.plan
        limit = min(plan.idle_s, DEAD_IDLE_S) if self.core.target.lost() else plan.idle_s
        if self.core.attached or self.core.turn.locked():
            self.last_asked = now
        orphan = plan.owner is not None and not plan.owner.alive()
        if now - self.last_asked > limit or orphan or not (plan.directory / CONTROL).exists():
            self.over = True

    def keep_transcript(self) -> None:
        text = script(self.plan.name, self.plan.argv, self.opened or {}, self.verbs.book.entries)
        (self.run / "transcript.sh").write_text(text)

    # --- what GDB and QEMU say ---

    def read_guest(self) -> None:
        with self.core.cond:
            for item in self.core.session.wait(0):
                self.item(item)
            self.core.cond.notify_all()

    def item(self, item: Item) -> None:
        core = self.core
        if isinstance(item, Chunk) and item.channel == SERIAL:
            core.serial.add(item.data)
        elif isinstance(item, Stop):
            core.target.guest_end = item.kind
        elif isinstance(item, Ended):
            core.target.qemu_end = item.status

    def read_mi(self) -> None:
        data = read_some(self.core.gdb.mi)
        self.read_notices()  # written before what MI says of it
        if data == b"":
            self.drop(self.core.gdb.mi)
        with self.core.cond:
            for record in self.stream.feed(data or b""):
                self.core.target.record(record)
            self.core.cond.notify_all()

    def read_console(self) -> None:
        data = read_some(self.core.gdb.console)
        if data == b"":
            self.drop(self.core.gdb.console)
        elif data:
            self.console.output(data)

    def drop(self, fd: int) -> None:
        try:
            self.selector.unregister(fd)
        except KeyError:
            pass

    def read_notices(self) -> None:
        data = read_some(self.core.gdb.notices)
        if data == b"":
            self.drop(self.core.gdb.notices)
        *lines, self.notices = (self.notices + (data or b"")).split(b"\n")
        for line in lines:
            self.notice(json.loads(line))

    def notice(self, notice: dict[str, Any]) -> None:
        kind = notice.get("notice")
        with self.core.cond:
            if kind == "panic":
                self.core.target.panic_notice = True
            elif kind == "error":
                self.core.errors.append(str(notice.get("text")))
        if kind == "quit":
            self.leave()

    def gdb_ended(self) -> None:
        self.drop(self.core.gdb.exit_fd)
        self.read_mi()
        status = self.core.gdb.process.wait()
        with self.core.cond:
            self.core.target.gdb_end = status
            self.core.cond.notify_all()
        self.leave()

    # --- a person ---

    def watch_console(self) -> None:
        """The person's socket is waited for when there is one, and for writing only when something waits."""
        person, console = self.console.person, self.console
        for fd, key in list(self.selector.get_map().items()):
            if key.data == self.person_ready and (person is None or fd != person.fileno()):
                self.selector.unregister(fd)
        if person is not None:
            mask = selectors.EVENT_READ | (selectors.EVENT_WRITE if console.queue else 0)
            if person.fileno() in self.selector.get_map():
                self.selector.modify(person, mask, self.person_ready)
            else:
                self.selector.register(person, mask, self.person_ready)
        if console.keys:
            console.type()

    def person_ready(self) -> None:
        self.console.push()
        keys = self.console.input()
        if keys is None:
            self.leave()
        elif INTERRUPT in keys:
            self.start(self.core.back_up_interrupt)

    def leave(self) -> None:
        person = self.console.person
        if person is not None and person.fileno() in self.selector.get_map():
            self.selector.unregister(person)
        self.console.push()
        self.console.detach()
        self.core.attached = False

    # --- requests ---

    def woken(self) -> None:
        read_some(self.wake_read)

    def accept(self) -> None:
        try:
            sock, _ = self.listener.accept()
        except OSError:
            return
        self.last_asked = time.monotonic()
        self.start(self.converse, sock)

    def converse(self, sock: socket.socket) -> None:
        """One request, one reply."""
        try:
            sock.settimeout(10)
            request = read_request(sock)
            if request is None:
                sock.close()
                return
            reply = self.serve(request)
            sock.sendall(json.dumps(reply).encode() + b"\n")
            if request.get("verb") == "attach" and reply["status"] == "attached":
                self.console.attach(sock)
                self.wake()
                return
            sock.close()
        except OSError:
            sock.close()  # who asked has gone
        if request is not None and request.get("verb") == "stop":
            self.finish()

    def serve(self, request: Request) -> Reply:
        verb = request.get("verb")
        if verb == "stop":
            return {"seq": self.verbs.book.number(), "status": "stopping", "run": str(self.run)}
        if verb == "attach":
            return self.attach(request)
        if verb == "resize":
            return self.resize(request)
        if verb == "transcript" and not request.get("raw"):
            text = script(self.plan.name, self.plan.argv, self.opened or {}, self.verbs.book.entries)
            return {"seq": self.verbs.book.number(), "status": self.core.target.status(), "output": text}
        return self.verbs.serve(request)

    def attach(self, request: Request) -> Reply:
        seq = self.verbs.book.number()
        with self.core.cond:
            if self.core.target.gdb_end is not None:
                return {"seq": seq, "status": "gdb-died", "error": self.core.target.lost_reason()}
            if self.core.attached:
                return {"seq": seq, "status": "error", "error": "somebody is attached already"}
            self.core.attached = True
        self.resize(request)
        reply: Reply = {"seq": seq, "status": "attached"}
        self.verbs.book.entries.append(Entry("attach", "", 0, reply))
        return reply

    def resize(self, request: Request) -> Reply:
        rows, columns = request.get("rows"), request.get("columns")
        if isinstance(rows, int) and isinstance(columns, int) and 0 < rows < 1000 and 0 < columns < 10000:
            gdbproc.set_size(self.core.gdb.console, rows, columns)
        return {"seq": self.verbs.book.number(), "status": self.core.target.status()}


def read_request(sock: socket.socket) -> Request | None:
    """A line of JSON; None when it is none."""
    data = b""
    while not data.endswith(b"\n"):
        more = sock.recv(65536)
        if not more or len(data) > REQUEST_MAX:
            return None
        data += more
    try:
        request = json.loads(data)
    except ValueError:
        return None
    return request if isinstance(request, dict) else None


def main(plan: Plan, ready: int) -> None:
    """In the daemon's process, which has nothing else of its parent's open."""
    launch.unwind_on_signals()
    os.chdir(plan.directory)
    try:
        Daemon(plan).live(ready)
    except (launch.Stopped, KeyboardInterrupt):
        pass
    except launch.InfraError as error:
        os.write(ready, json.dumps({"seq": 0, "status": "gdb-died", "error": str(error)}).encode())
    finally:
        os.chdir("/")
        shutil.rmtree(plan.directory, ignore_errors=True)
