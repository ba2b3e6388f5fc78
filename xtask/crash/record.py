"""Crashes as a log has them. Pure. Whatever the log holds, what comes out is well-formed; what was damaged is
counted and said."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..guest.events import Event, field_fits, parse_line

MARK = b'{"type":"'
LISTED_MAX = 4096  # no list of an event has more


@dataclass(frozen=True)
class Call:
    """One system call."""

    tid: int
    nr: int
    name: str
    args: tuple[int, ...]
    start_ns: int
    result: int | None = None  # None: it had not returned
    end_ns: int | None = None


@dataclass(frozen=True)
class Mapping:
    start: int
    end: int
    perms: str
    name: str = ""
    offset: int = 0
    file_size: int | None = None

    def holds(self, address: int) -> bool:
        return self.start <= address < self.end

    @property
    def grows_down(self) -> bool:
        return self.perms.endswith("d") or self.name == "[stack]"


@dataclass(frozen=True)
class Crash:
    """A program that a signal ended."""

    pid: int
    tid: int
    comm: str
    exe: str
    argv: tuple[str, ...]
    sig: int
    signal: str
    code: int
    reason: str
    ip: int
    addr: int | None = None
    note: str = ""
    sender: tuple[int, int] | None = None  # pid, uid
    regs: dict[str, int] = field(default_factory=dict)
    regs_from: str = ""
    tls: int = 0
    fault: dict[str, int] = field(default_factory=dict)
    text_at: int = 0
    text: bytes = b""
    backtrace: tuple[int, ...] = ()
    guess: tuple[int, ...] = ()
    calls: tuple[Call, ...] = ()  # the last first
    maps: tuple[Mapping, ...] = ()
    maps_total: int = 0
    missing: tuple[str, ...] = ()
    left_out: int = 0
    truncated: bool = False
    cpu: int = 0
    ns: int = 0
    seq: int = 0

    def mapping(self, address: int) -> Mapping | None:
        return next((m for m in self.maps if m.holds(address)), None)

    @property
    def sp(self) -> int:
        return self.regs.get("sp", 0)

    @property
    def arch(self) -> str:
        return "aarch64" if "x0" in self.regs else "x86_64"


@dataclass
class Backtrace:
    of: str
    frames: list[str]
    regs: dict[str, int]


@dataclass
class Panic:
    """The kernel's own end."""

    reason: str
    where: str
    text: str
    cpu: int = 0
    ns: int = 0
    backtraces: list[Backtrace] = field(default_factory=list)
    locks: list[dict[str, Any]] = field(default_factory=list)
    process: dict[str, Any] | None = None
    calls: tuple[Call, ...] = ()
    last_events: list[str] = field(default_factory=list)
    complete: bool = False


@dataclass
class Log:
    """What was found in a log, in order."""

    crashes: list[Crash] = field(default_factory=list)
    panics: list[Panic] = field(default_factory=list)
    left_out: int = 0
    damaged: int = 0  # lines that look like an event and are none
    events: list[dict[str, Any]] = field(default_factory=list)  # of each crash, as it came


# --- values that may be anything ---


def number(value: object, default: int = 0) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def text(value: object) -> str:
    return value if isinstance(value, str) else ""


def address(value: object) -> int:
    """A "0x..." string."""
    if isinstance(value, str) and field_fits(value, "hex") and len(value) <= 18:
        return int(value, 16)
    return 0


def listed(value: object) -> list[Any]:
    return value[:LISTED_MAX] if isinstance(value, list) else []


def addresses(value: object) -> tuple[int, ...]:
    return tuple(address(item) for item in listed(value))


def named(value: object) -> dict[str, int]:
    """An object of name: "0x...": registers."""
    if not isinstance(value, dict):
        return {}
    return {str(name): address(item) for name, item in list(value.items())[:LISTED_MAX]}


def code_bytes(value: object) -> bytes:
    try:
        return bytes.fromhex(text(value))
    except ValueError:
        return b""


# --- records ---


def call_of(item: object) -> Call | None:
    if not isinstance(item, dict):
        return None
    ended = "end_ns" in item
    return Call(
        number(item.get("tid")),
        number(item.get("nr")),
        text(item.get("name")) or "?",
        addresses(item.get("args"))[:6],
        number(item.get("start_ns")),
        number(item.get("result")) if ended else None,
        number(item.get("end_ns")) if ended else None,
    )


def calls_of(value: object) -> tuple[Call, ...]:
    return tuple(call for item in listed(value) if (call := call_of(item)) is not None)


def mapping_of(item: object) -> Mapping | None:
    if not isinstance(item, dict):
        return None
    size = address(item.get("file_size")) if "file_size" in item else None
    name, perms = text(item.get("name")), text(item.get("perms"))
    return Mapping(address(item.get("start")), address(item.get("end")), perms, name, address(item.get("offset")), size)


def crash_of(event: Event) -> Crash:
    f = event.fields
    sender = None
    if "sender_pid" in f:
        sender = (number(f["sender_pid"]), number(f.get("sender_uid")))
    return Crash(
        pid=number(f.get("pid")),
        tid=number(f.get("tid")),
        comm=text(f.get("comm")),
        exe=text(f.get("exe")),
        argv=tuple(text(item) for item in listed(f.get("argv"))),
        sig=number(f.get("sig")),
        signal=text(f.get("signal")) or f"signal {number(f.get('sig'))}",
        code=number(f.get("code")),
        reason=text(f.get("reason")),
        ip=address(f.get("ip")),
        addr=address(f["addr"]) if "addr" in f else None,
        note=text(f.get("note")),
        sender=sender,
        regs=named(f.get("regs")),
        regs_from=text(f.get("regs_from")),
        tls=address(f.get("tls")),
        fault=named(f.get("fault")),
        text_at=address(f.get("text_at")),
        text=code_bytes(f.get("text")),
        backtrace=addresses(f.get("backtrace")),
        guess=addresses(f.get("guess")),
        calls=calls_of(f.get("syscalls")),
        maps=tuple(m for item in listed(f.get("maps")) if (m := mapping_of(item)) is not None),
        maps_total=number(f.get("maps_total")),
        missing=tuple(text(item) for item in listed(f.get("missing"))),
        left_out=number(f.get("left_out")),
        truncated=f.get("truncated") is True,
        cpu=event.cpu,
        ns=event.ns,
        seq=event.seq,
    )


def panic_part(panic: Panic, event: Event) -> None:
    """One of the events that follow a `panic`."""
    f = event.fields
    if event.type == "backtrace":
        frames = [text(item) for item in listed(f.get("frames"))]
        panic.backtraces.append(Backtrace(event.text("of"), frames, named(f.get("regs"))))
    elif event.type == "panic_locks":
        panic.locks.append(f)
    elif event.type == "panic_process":
        panic.process = f
        panic.calls = calls_of(f.get("syscalls"))
    elif event.type == "panic_end":
        panic.complete = True
    elif event.type == "panic_trace":
        panic.last_events += [f"{event.text('of')}  {text(item)}" for item in listed(f.get("records"))]


def take(log: Log, event: Event) -> None:
    if event.type == "crash_report":
        log.crashes.append(crash_of(event))
        log.events.append({"type": event.type, "seq": event.seq, "ns": event.ns, "cpu": event.cpu, **event.fields})
        log.left_out += log.crashes[-1].left_out
    elif event.type == "crash_left_out":
        log.left_out += max(0, event.number("count"))
    elif event.type == "panic":
        log.panics.append(
            Panic(event.text("reason"), event.text("where"), event.text("text"), event.cpu, event.ns)
        )
    elif log.panics:
        panic_part(log.panics[-1], event)


def read(data: bytes) -> Log:
    """Events among whatever else is in the log. A line cut short or altered is counted, not believed."""
    log = Log()
    for line in data.split(b"\n"):
        start = line.find(MARK)
        if start < 0:
            continue
        event = parse_line(line[start:].rstrip(b"\r"))
        if isinstance(event, Event):
            take(log, event)
        else:
            log.damaged += 1
    return log
