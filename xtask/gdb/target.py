"""What is known about a session's GDB and guest, from what they say. Pure: records and facts in, state out.

One command is with GDB at a time. Its result carries its token; text has none, but GDB works on one command after
the other, so what comes before a result belongs to that command. A command that did not answer in time stays the
pending one, and nothing else is sent until it has: so no reply ever shifts to another question."""

from __future__ import annotations

from dataclasses import dataclass, field

from .mi import Record

TEXT_MAX = 1 << 20
RESULTS_KEPT = 16


@dataclass
class Text:
    """Output that grows to a limit, and says when it lost some."""

    limit: int = TEXT_MAX
    data: str = ""
    truncated: bool = False

    def add(self, text: str) -> None:
        room = self.limit - len(self.data)
        self.data += text[:room]
        self.truncated = self.truncated or len(text) > room

    def take(self) -> tuple[str, bool]:
        found = self.data, self.truncated
        self.data, self.truncated = "", False
        return found


@dataclass
class Serial:
    """The serial line: the last part of it, and the readers' places in all of it."""

    limit: int = TEXT_MAX
    data: bytearray = field(default_factory=bytearray)
    start: int = 0  # of data, in all that ever came

    @property
    def end(self) -> int:
        return self.start + len(self.data)

    def add(self, data: bytes) -> None:
        self.data += data
        over = len(self.data) - self.limit
        if over > 0:
            del self.data[:over]
            self.start += over

    def since(self, place: int, limit: int) -> tuple[str, bool]:
        """The last `limit` bytes since a place, and whether there were more."""
        start = max(place, self.start, self.end - limit)
        data = bytes(self.data[start - self.start :])
        return data.decode("utf-8", "replace").replace("\r\n", "\n"), start > place


@dataclass
class Target:
    running: bool = False
    connected: bool = False
    stops: int = 0
    last_stop: Record | None = None
    panicked: bool = False  # the last stop was at a panic
    panic_notice: bool = False
    pending: int | None = None  # token of the command that is with GDB
    results: dict[int, Record] = field(default_factory=dict)
    next_token: int = 1
    text: Text = field(default_factory=Text)
    asks: int = 0  # how often GDB asked for more lines since the command was sent
    guest_end: str = ""  # shutdown, reset, panicked, host: QEMU stopped the machine for good
    gdb_end: int | None = None  # exit statuses
    qemu_end: int | None = None

    def send(self, command: str, counts: bool = True) -> tuple[int, bytes]:
        """A token, and the line for GDB. Without counts: may be sent while another command is pending."""
        token, self.next_token = self.next_token, self.next_token + 1
        if counts:
            self.pending, self.asks = token, 0
        return token, f"{token}{command}\n".encode()

    def record(self, record: Record) -> None:
        if record.kind in ("console", "target", "log"):
            self.stream(record)
        elif record.kind == "result" and record.token is not None:
            self.result(record.token, record)
        elif record.kind == "exec" and record.cls == "running":
            self.running = True
        elif record.kind == "exec" and record.cls == "stopped":
            self.stopped(record)
        elif record.kind == "notify" and record.cls == "thread-group-started":
            self.connected = True
        elif record.kind == "notify" and record.cls == "thread-group-exited":
            self.connected = self.running = False

    def stream(self, record: Record) -> None:
        if record.kind == "console" and record.text.strip() in (">", ">>>") and self.pending is not None:
            self.asks += 1
            return
        self.text.add(record.text)

    def result(self, token: int, record: Record) -> None:
        if record.cls in ("running", "connected"):
            self.running = record.cls == "running"
        if token == self.pending:
            self.pending = None
        self.results[token] = record
        while len(self.results) > RESULTS_KEPT:
            del self.results[next(iter(self.results))]

    def stopped(self, record: Record) -> None:
        self.running = False
        self.stops += 1
        self.last_stop = record
        self.panicked, self.panic_notice = self.panic_notice, False

    def lost(self) -> str:
        """gdb-died, qemu-died or nothing."""
        if self.qemu_end is not None:
            return "qemu-died"
        return "gdb-died" if self.gdb_end is not None else ""

    def status(self) -> str:
        if self.lost():
            return self.lost()
        if self.pending is not None:
            return "busy"
        if self.guest_end:
            return "ended"
        if not self.connected:
            return "disconnected"
        return "running" if self.running else "stopped"

    def stop_reason(self) -> str:
        """Why it stopped last, in GDB's words where there are any."""
        if self.lost():
            return self.lost_reason()
        if self.guest_end:
            return f"guest-{self.guest_end}"
        if self.panicked:
            return "panic"
        stop = self.last_stop
        return "" if stop is None else reason_of(stop)

    def lost_reason(self) -> str:
        if self.qemu_end is not None:
            return f"QEMU ended by itself with status {self.qemu_end}"
        return f"GDB ended by itself with status {self.gdb_end}"


def reason_of(stop: Record) -> str:
    reason = stop.word("reason")
    if reason == "signal-received":
        name = stop.word("signal-name")
        return "interrupt" if name == "SIGINT" else f"signal {name}"
    number = stop.word("bkptno") or stop.word("wpt", "number") or stop.word("hw-rwpt", "number")
    number = number or stop.word("hw-awpt", "number")
    return f"{reason} {number}".strip() or "stopped"


# Commands that let the target run. As they are, they would block the interface until it stops.
RESUMES = frozenset(
    "fg c continue s step n next si stepi ni nexti fin finish u until adv advance j jump signal rc rs rn rsi rni".split()
)


def in_background(command: str) -> str:
    """The command, with the `&` that lets GDB go on listening while the target runs."""
    return f"{command} &" if resumes(command) and not command.rstrip().endswith("&") else command


def resumes(command: str) -> bool:
    word = command.split()[0].partition("/")[0] if command.split() else ""
    return word in RESUMES or word.startswith("reverse-") or (len(word) >= 4 and "continue".startswith(word))


# Commands that go on reading lines until an `end`.
BLOCKS = ("while", "if", "define", "document", "commands", "while-stepping", "stepping", "python", "py")
PYTHON = {"pi": "python", "python-interactive": "python"}


def needs_file(command: str) -> bool:
    """Whether a command is to be run as a script: it has several lines, or is too long for one."""
    return "\n" in command or len(command) > 1000


def unusable(command: str) -> str:
    """Why a command cannot be run here; "" when it can."""
    words = command.split()
    if not words:
        return "an empty command does nothing here"
    if words[0] in PYTHON and len(words) == 1:
        return f"{words[0]} reads from a terminal: use python with its code, or attach"
    if words[0] in BLOCKS and "\n" not in command and not (words[0] in ("python", "py") and len(words) > 1):
        return f"{words[0]} goes on until `end`: give all of its lines"
    if words[:3] == ["set", "logging", "redirect"]:
        return "the session itself reads GDB's output: it cannot be redirected"
    if "\0" in command:
        return "a command has no NUL"
    return ""
