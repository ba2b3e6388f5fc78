"""`xtask run --strace`: `syscall`, `exec`, `signal` and `exit` events in, the lines of strace(1) -f out. Pure.

A call is one line, written when it has ended; calls that do not come back end in `= ?` or `<unfinished ...>`.
What it decodes is said by the types in kernel/syscall/syscalls.tbl; the bytes behind pointers come with the
event. Tracing begins with the program: what PID 1 did to start it is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..gen import syscalls
from ..guest.events import Event
from . import strace_names as names
from . import strace_values as values

RESULT_COLUMN = 39  # the equals sign comes after it
AT_FDCWD = -100
INIT = 1


@dataclass
class Call:
    """A `syscall` event with the row of its call."""

    row: syscalls.Syscall
    args: list[int]
    data: dict[str, Any]
    result: int | None

    @property
    def failed(self) -> bool:
        return self.result is not None and -4096 < self.result < 0

    def bytes_of(self, key: str) -> bytes | None:
        text = self.data.get(key)
        return text.encode("latin-1", "replace") if isinstance(text, str) else None


def number_of(text: object) -> int:
    try:
        return int(text, 16) if isinstance(text, str) else 0
    except ValueError:
        return 0


# --- one argument ---


def show_buffer(call: Call, place: int) -> str:
    data = call.bytes_of(str(place))
    kind = call.row.args[place].type
    if data is None:
        empty = call.args[place] and call.result == 0 and kind == "buf_out"
        return '""' if empty else values.pointer(call.args[place])
    whole = call.result or 0
    if kind == "buf_in":
        lengths = [n for n in range(place + 1, len(call.row.args)) if call.row.args[n].type in ("size", "int", "uint")]
        whole = call.args[lengths[0]] if lengths else len(data)
    quote = values.quote_hex if call.row.name == "getrandom" else values.quote
    return quote(data[: values.STRING_SHOWN], whole > values.STRING_SHOWN)


def show_string(call: Call, place: int) -> str:
    data = call.bytes_of(str(place))
    if data is None:
        return values.pointer(call.args[place])
    return values.quote(data, len(data) == 256)


def show_strings(call: Call, place: int) -> str:
    words = call.data.get(str(place))
    if not isinstance(words, list):
        return values.pointer(call.args[place])
    return "[" + ", ".join(values.quote(word.encode("latin-1", "replace")) for word in words) + "]"


def show_iovec(call: Call, place: int) -> str:
    data, count = call.bytes_of(str(place)), call.args[place + 1]
    if data is None:
        return values.pointer(call.args[place])
    parts = []
    for index in range(len(data) // 16):
        base, length = (int.from_bytes(data[16 * index + n : 16 * index + n + 8], "little") for n in (0, 8))
        piece = call.bytes_of(f"{place}.{index}")
        shown = values.pointer(base)
        if piece is not None:
            shown = values.quote(piece[: values.STRING_SHOWN], min(length, max(call.result or 0, 0)) > values.STRING_SHOWN)
        parts.append(f"{{iov_base={shown}, iov_len={length}}}")
    return "[" + ", ".join(parts) + (", ..." if count > len(parts) else "") + "]"


def poll_entries(call: Call, place: int) -> list[tuple[int, int, int]]:
    data = call.bytes_of(str(place)) or b""
    return [
        (values.signed(int.from_bytes(data[at : at + 4], "little"), 32),
         int.from_bytes(data[at + 4 : at + 6], "little"),
         int.from_bytes(data[at + 6 : at + 8], "little"))
        for at in range(0, len(data) - 7, 8)
    ]  # fmt: skip


def show_poll(call: Call, place: int) -> str:
    entries = poll_entries(call, place)
    if not entries:
        return values.pointer(call.args[place])
    return "[" + ", ".join(f"{{fd={fd}, events={names.flags(wanted, names.POLL, '0')}}}" for fd, wanted, _ in entries) + "]"


def show_epoll_events(call: Call, place: int) -> str:
    data = call.bytes_of(str(place))
    if call.row.name == "epoll_ctl":
        return values.epoll_event(data) if data and len(data) == 12 else values.pointer(call.args[place])
    if data is None:
        return "[]" if call.result == 0 else values.pointer(call.args[place])
    return "[" + ", ".join(values.epoll_event(data[at : at + 12]) for at in range(0, len(data) - 11, 12)) + "]"


def show_struct(call: Call, place: int) -> str:
    arg = call.row.args[place]
    size, decode = values.STRUCTS[arg.type]
    data = call.bytes_of(str(place))
    filled = arg.type in values.FILLED or arg.name in values.FILLED_ARGS
    if data is None or len(data) < size or call.result is None or (filled and call.failed):
        return values.pointer(call.args[place])
    if arg.name == "rem" and call.result == 0 or call.row.name == "set_tid_address":
        return values.pointer(call.args[place])
    if call.row.name == "wait4" and arg.name == "status":
        return values.wait_status(data) if call.result else values.pointer(call.args[place])
    return decode(data)


def show_clone_flags(call: Call, place: int) -> str:
    value = call.args[place]
    low = value & 0xFF
    words = [names.flags(value & ~0xFF, names.CLONE, "")] if value & ~0xFF else []
    return "|".join([*words, *([names.signal_name(low)] if low else [])]) or "0"


def show_futex_op(value: int) -> str:
    word = names.FUTEX.get(value & 0x7F, f"{value & 0x7F:#x}")
    return word + ("_PRIVATE" if value & 0x80 else "") + ("|FUTEX_CLOCK_REALTIME" if value & 0x100 else "")


def show_named(call: Call, place: int) -> str | None:
    """Flags and enumerations, by the type or by the name of the argument."""
    arg, value = call.row.args[place], call.args[place]
    kind, _, members = arg.type.partition(":")
    key = (call.row.name, arg.name)
    if members == "open":
        return names.flags(value, names.OPEN, "0") if call.row.name == "pipe2" else names.open_flags(value)
    if kind in ("flags", "flags64"):
        table, none = names.FLAG_SETS.get(members, (names.NO_NAMES, "0"))
        return names.flags(value, table, none)
    if kind == "enum":
        return names.ENUM_SETS.get(members, {}).get(values.signed(value, 32), str(values.signed(value, 32)))
    if key in names.FLAG_ARGS:
        return names.flags(value & 0xFFFFFFFF, *names.FLAG_ARGS[key])
    if key in names.ENUM_ARGS:
        return names.ENUM_ARGS[key].get(values.signed(value, 32), f"{value:#x}")
    if key == ("clone", "a0"):
        return show_clone_flags(call, place)
    if key == ("futex", "op"):
        return show_futex_op(value)
    return None


def show_fd(value: int) -> str:
    number = values.signed(value, 32)
    return "AT_FDCWD" if number == AT_FDCWD else str(number)


SCALARS: dict[str, Callable[[int], str]] = {
    "fd": show_fd,
    "int": lambda value: str(values.signed(value, 32)),
    "pid": lambda value: str(values.signed(value, 32)),
    "uid": lambda value: str(values.signed(value, 32)),
    "gid": lambda value: str(values.signed(value, 32)),
    "uint": lambda value: str(value & 0xFFFFFFFF),
    "u32": lambda value: f"{value & 0xFFFFFFFF:#x}",
    "size": str,
    "u64": str,
    "long": lambda value: str(values.signed(value)),
    "s64": lambda value: str(values.signed(value)),
    "ssize": lambda value: str(values.signed(value)),
    "off": lambda value: str(values.signed(value)),
    "ulong": lambda value: str(value) if value < 65536 else f"{value:#x}",
    "mode": lambda value: values.mode_octal(value & 0xFFFFFFFF),
    "dev": lambda value: values.device(value),
    "sig": lambda value: names.signal_name(values.signed(value, 32)),
    "clock": lambda value: names.CLOCK.get(values.signed(value, 32), str(values.signed(value, 32))),
}
POINTERS: dict[str, Callable[[Call, int], str]] = {
    "path": show_string,
    "str": show_string,
    "strv": show_strings,
    "buf_in": show_buffer,
    "buf_out": show_buffer,
    "iovec": show_iovec,
    "pollfd": show_poll,
    "epoll_event": show_epoll_events,
}


def show_arg(call: Call, place: int) -> str:
    kind = call.row.args[place].type
    named = show_named(call, place)
    if named is not None:
        return named
    if kind in SCALARS:
        return SCALARS[kind](call.args[place])
    if call.args[place] == 0:
        return "NULL"
    if kind in POINTERS:
        return POINTERS[kind](call, place)
    if kind in values.STRUCTS:
        return show_struct(call, place)
    return values.pointer(call.args[place])


def fcntl_args(call: Call) -> list[str]:
    """Its third argument means something with some commands, and each time something else."""
    shown, command, value = [show_arg(call, 0), show_arg(call, 1)], call.args[1], call.args[2]
    word = names.FCNTL.get(command, "")
    if word in ("F_GETFD", "F_GETFL", "F_GETOWN", "F_GETPIPE_SZ", "F_GET_SEALS"):
        return shown
    if word == "F_SETFD":
        return [*shown, names.flags(value, {1: "FD_CLOEXEC"}, "0")]
    if word == "F_SETFL":
        return [*shown, names.open_flags(value)]
    if word in ("F_DUPFD", "F_DUPFD_CLOEXEC", "F_SETOWN", "F_SETPIPE_SZ"):
        return [*shown, str(values.signed(value, 32))]
    return [*shown, values.pointer(value)]


# --- whole calls ---


def shown_args(call: Call) -> int:
    """How many arguments mean something: mode only where a file may be made."""
    n = len(call.row.args)
    if call.row.name in ("open", "openat") and not call.args[n - 2] & 0o20000100:
        return n - 1
    return n


def returned_ready(call: Call) -> str:
    """What poll says behind its result: who is ready."""
    places = [n for n, arg in enumerate(call.row.args) if arg.type == "pollfd"]
    if not places or not call.result or call.failed:
        return " (Timeout)" if places and call.result == 0 else ""
    ready = [(fd, got) for fd, _, got in poll_entries(call, places[0]) if got]
    words = [f"{{fd={fd}, revents={names.flags(got, names.POLL, '0')}}}" for fd, got in ready]
    return f" ([{', '.join(words)}])"


def call_text(call: Call) -> str:
    if call.row.name == "clone":
        return clone_text(call)
    shown = [show_arg(call, place) for place in range(shown_args(call))]
    if call.row.name == "fcntl":
        shown = fcntl_args(call)
    elif call.row.name in ("execve", "execveat"):
        shown = [values.pointer(call.args[n]) if arg.name == "envp" else shown[n] for n, arg in enumerate(call.row.args)]
    return f"{call.row.name}({', '.join(shown)})"


def clone_text(call: Call) -> str:
    """As strace names its arguments (x86_64 order: flags, stack, parent, child, tls)."""
    bits, child_stack, parent, child, tls = call.args[:5]
    words = [f"child_stack={values.pointer(child_stack)}", f"flags={show_clone_flags(call, 0)}"]
    if bits & 0x100000:
        words.append(f"parent_tid={values.pointer(parent)}")
    if bits & 0x80000:
        words.append(f"tls={values.pointer(tls)}")
    if bits & 0x1200000:
        words.append(f"child_tidptr={values.pointer(child)}")
    return f"clone({', '.join(words)})"


def format_call(call: Call, state: str = "") -> str:
    text = call_text(call)
    gone = call.row.name in ("exit", "exit_group")
    if call.result is None and not gone:
        return f"{text[:-1]} <unfinished ...>" + (" (still waiting)" if state == "waiting" else "")
    return f"{text.ljust(RESULT_COLUMN)} = {values.result(call.row.name, call.result)}{returned_ready(call)}"


def format_signal(event: Event) -> str:
    sig, code = event.number("sig"), event.number("code")
    name = names.signal_name(sig)
    word = names.SI_CODES.get(code) or names.FAULT_CODES.get(sig, names.NO_NAMES).get(code, str(code))
    parts = [f"si_signo={name}", f"si_code={word}"]
    if "addr" in event.fields:
        parts.append(f"si_addr={values.pointer(number_of(event.fields['addr']))}")
    if "from" in event.fields:
        parts += [f"si_pid={event.number('from')}", f"si_uid={event.number('uid')}"]
    if "status" in event.fields:
        status = event.number("status")
        parts.append(f"si_status={status if code == 1 else names.signal_name(status)}")
    return f"--- {name} {{{', '.join(parts)}}} ---"


def format_exit(event: Event) -> str:
    status = event.number("status")
    if status & 0x7F:
        return f"+++ killed by {names.signal_name(status & 0x7F)}{' (core dumped)' if status & 0x80 else ''} +++"
    return f"+++ exited with {status >> 8 & 255} +++"


@dataclass
class Strace:
    """Follows the events of a run."""

    table: dict[int, syscalls.Syscall]
    arch: str = "x86_64"
    execs: dict[int, Event] = field(default_factory=dict)  # by thread: seen, its call not ended yet
    shown: set[int] = field(default_factory=set)  # processes that are being followed
    waiting: dict[int, str] = field(default_factory=dict)  # by thread: a call announced as long
    several: bool = False

    @staticmethod
    def load(path: Path, arch: str) -> Strace:
        rows = syscalls.parse(path.read_text(encoding="utf-8"), str(path))
        return Strace(dict(syscalls.numbered(rows, arch)), arch)

    def feed(self, event: Event) -> list[str]:
        """The lines that an event gives."""
        pid, tid = event.number("pid"), event.number("tid")
        if event.type == "exec" and pid != INIT:
            self.execs[tid] = event
            self.shown.add(pid)
            return []
        if event.type == "fork" and event.number("parent") != INIT:
            self.shown.add(pid)
            self.several = True
            return []
        if pid not in self.shown:
            return []
        text = self.text(event, tid)
        return [self.line(tid, text)] if text else []

    def line(self, tid: int, text: str) -> str:
        return f"[pid {tid:5}] {text}" if self.several else text

    def text(self, event: Event, tid: int) -> str:
        if event.type == "syscall":
            return self.syscall(event, tid)
        if event.type == "signal":
            return format_signal(event)
        if event.type == "exit":
            self.waiting.pop(tid, None)
            return format_exit(event)
        return ""

    def syscall(self, event: Event, tid: int) -> str:
        call = self.call_of(event)
        if call.row.name in ("execve", "execveat") and call.result == 0 and tid in self.execs:
            return self.executed(call, self.execs.pop(tid))
        if event.text("state") == "waiting":
            self.waiting[tid] = format_call(call, "waiting")
            return ""
        self.waiting.pop(tid, None)
        return format_call(call)

    def executed(self, call: Call, event: Event) -> str:
        argv = event.fields.get("argv")
        words = argv if isinstance(argv, list) else []
        shown = [values.quote(word.encode("latin-1", "replace")[: 4 * values.STRING_SHOWN]) for word in words]
        if event.number("argc") > len(words):
            shown.append("...")
        path = values.quote(event.text("path").encode("latin-1", "replace"))
        envp = f"{values.pointer(call.args[2])} /* {event.number('envc')} vars */"
        text = f"execve({path}, [{', '.join(shown)}], {envp})"
        return f"{text.ljust(RESULT_COLUMN)} = 0"

    def call_of(self, event: Event) -> Call:
        number, data, args = event.number("nr"), event.fields.get("data"), event.fields.get("args")
        row = self.table.get(number)
        if row is None:
            unknown = tuple(syscalls.Arg("addr", f"a{n}") for n in range(6))
            row = syscalls.Syscall(0, number, number, f"syscall_{number:#x}", unknown, "none", (), "-")
        numbers = [number_of(word) for word in args] if isinstance(args, list) else []
        numbers = (numbers + [0] * 6)[:6]
        if row.name == "clone" and self.arch == "aarch64":
            numbers[3], numbers[4] = numbers[4], numbers[3]
        result = event.fields.get("result")
        return Call(
            row,
            numbers,
            data if isinstance(data, dict) else {},
            result if isinstance(result, int) else None,
        )

    def finish(self) -> list[str]:
        """Calls that were under way when the run ended."""
        return [self.line(tid, text) for tid, text in sorted(self.waiting.items())]
