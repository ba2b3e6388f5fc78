"""strace lines from events, and trace rings from bytes. Pure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from xtask.debug import trace as trace_command
from xtask.gen import capture, events, syscalls
from xtask.gen.table import TableError
from xtask.guest.events import Event, parse_schema
from xtask.guest.rings import HEADER, MAGIC, RECORD, find_rings
from xtask.guest.rundir import ROOT
from xtask.run import strace_names, strace_values
from xtask.run.strace import Strace

SYSCALLS = ROOT / "kernel" / "syscall" / "syscalls.tbl"
EVENTS = ROOT / "kernel" / "debug" / "events.tbl"
NUMBERS = {row.name: number for number, row in Strace.load(SYSCALLS, "x86_64").table.items()}


def event(kind: str, **fields: Any) -> Event:
    return Event(kind, 0, 0, 0, {"pid": 2, "tid": 2, **fields})


def one(name: str, args: list[int], result: int | None, **data: str | list[str]) -> str:
    """The line of one call of a process that is being followed."""
    strace = Strace.load(SYSCALLS, "x86_64")
    strace.shown.add(2)
    fields: dict[str, Any] = {"nr": NUMBERS[name], "args": [f"{value:#x}" for value in args]}
    fields["data"] = {key.lstrip("d").replace("_", "."): value for key, value in data.items()}
    if result is not None:
        fields["result"] = result
    else:
        fields["state"] = "ended"
    return " ".join(strace.feed(event("syscall", **fields))[0].split())


def packed(*words: int) -> str:
    return b"".join(word.to_bytes(8, "little") for word in words).decode("latin-1")


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (one("openat", [0xFFFFFF9C, 1, 0o2000000], 3, d1="/a\n\"\xff"), 'openat(AT_FDCWD, "/a\\n\\"\\377", O_RDONLY|O_CLOEXEC) = 3'),
        (one("openat", [5, 1, 0o1102, 0o640], -2, d1="x"), 'openat(5, "x", O_RDWR|O_CREAT|O_TRUNC, 0640) = -1 ENOENT (No such file or directory)'),
        (one("openat", [5, 0x10, 0], -14), "openat(5, 0x10, O_RDONLY) = -1 EFAULT (Bad address)"),
        (one("read", [3, 0x1000, 64], 4, d1="a\0\x017"), 'read(3, "a\\0\\0017", 64) = 4'),
        (one("read", [3, 0x1000, 64], 0), 'read(3, "", 64) = 0'),
        (one("write", [1, 0x1000, 48], 48, d1="x" * 48), 'write(1, "' + "x" * 32 + '"..., 48) = 48'),
        (one("brk", [0], 0x5000), "brk(NULL) = 0x5000"),
        (one("mmap", [0, 4096, 3, 0x22, 0xFFFFFFFF, 0], 0x7F0000000000), "mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000000000"),
        (one("rt_sigprocmask", [0, 16, 0, 8], 0, d1=packed(1 << 11)), "rt_sigprocmask(SIG_BLOCK, [USR2], NULL, 8) = 0"),
        (one("nanosleep", [16, 0], -516, d0=packed(5, 7)), "nanosleep({tv_sec=5, tv_nsec=7}, NULL) = ? ERESTART_RESTARTBLOCK (Interrupted by signal)"),
        (one("exit_group", [7], None), "exit_group(7) = ?"),
        (one("pause", [], None), "pause( <unfinished ...>"),
        (one("writev", [1, 16, 1], 2, d1=packed(0x99, 2), d1_0="ab"), 'writev(1, [{iov_base="ab", iov_len=2}], 1) = 2'),
        (one("wait4", [0xFFFFFFFF, 16, 0, 0], 9, d1="\x0b\0\0\0"), "wait4(-1, [{WIFSIGNALED(s) && WTERMSIG(s) == SIGSEGV}], 0, NULL) = 9"),
        (one("execve", [16, 32, 48], -2, d0="/x", d1=["x", "\x01"], d2=["A=1"]), 'execve("/x", ["x", "\\1"], 0x30) = -1 ENOENT (No such file or directory)'),
    ],
)  # fmt: skip
def test_lines(call: str, line: str) -> None:
    assert call == line


def test_a_number_that_is_not_in_the_table() -> None:
    strace = Strace(table={}, shown={2})
    line = strace.feed(event("syscall", nr=999, args=["0x1"] * 6, data={}, result=-38))[0]
    assert line.startswith("syscall_0x3e7(0x1, ") and line.endswith("-1 ENOSYS (Function not implemented)")


def test_damaged_events_give_lines_and_no_traceback() -> None:
    for args in ("no list", ["zzz", 7, None], []):
        for data in ("no object", {"0": 7, "1": ["a", "b"]}, {"1": "\u20ac"}):
            strace = Strace.load(SYSCALLS, "x86_64")
            strace.shown.add(2)
            for number in strace.table:
                assert strace.feed(event("syscall", nr=number, args=args, data=data, result=0))


def test_signals_ends_and_prefixes() -> None:
    strace = Strace.load(SYSCALLS, "x86_64")
    assert strace.feed(event("signal", sig=10, code=0)) == []  # not followed yet
    strace.feed(event("exec", path="/bin/x", argc=1, envc=0, argv=["x"]))
    fault = strace.feed(event("signal", sig=11, code=1, handled=False, addr="0x0"))
    assert fault == ["--- SIGSEGV {si_signo=SIGSEGV, si_code=SEGV_MAPERR, si_addr=NULL} ---"]
    strace.feed(Event("fork", 0, 0, 0, {"pid": 3, "tid": 3, "parent": 2, "flags": "0x0"}))
    assert strace.feed(event("exit", status=0x8B, last=True)) == ["[pid     2] +++ killed by SIGSEGV (core dumped) +++"]


def test_flags_that_overlap_and_bits_without_a_name() -> None:
    assert strace_names.open_flags(0o4010002) == "O_RDWR|O_SYNC"
    assert strace_names.flags(0x80000001, {1: "ONE"}, "0") == "ONE|0x80000000"
    assert strace_names.signal_set((1 << 64) - 1) == "~[]"
    assert strace_values.quote(b"\x00\x00" + b"7", True) == '"\\0\\0007"...'


def test_the_other_layout_of_stat() -> None:
    generic = b"\0" * 16 + (0o100644).to_bytes(4, "little") + b"\0" * 28 + (77).to_bytes(8, "little") + b"\0" * 72
    assert len(generic) == 128
    assert strace_values.file_stat(generic) == "{st_mode=S_IFREG|0644, st_size=77, ...}"
    text = "- 80 fstat(fd fd, stat st) full - -"
    assert "{ CAPTURE_STRUCT, 0, 128 }" in capture.generate(text, "t", "aarch64")


def test_capture_table() -> None:
    rows = {row.name: row for row in syscalls.parse(SYSCALLS.read_text(), "t")}
    assert capture.capture_of(rows["read"], 1) == capture.Capture("BUFFER", capture.RESULT)
    assert capture.capture_of(rows["write"], 1) == capture.Capture("BUFFER", 2)
    assert capture.capture_of(rows["openat"], 1) == capture.Capture("STRING")
    assert capture.capture_of(rows["ioctl"], 2) is None
    for size, _ in strace_values.STRUCTS.values():
        assert size <= 512
    assert set(strace_values.STRUCTS) <= set(capture.STRUCT_SIZES)


# --- the event table and the rings ---


@pytest.mark.parametrize(
    ("row", "named"),
    [
        ("@sched x: a:str", "has numbers alone"),
        ("@sched x: a:u64 b:u64 c:u64 d:u64 e:u64", "at most 4"),
        ("x a:u64", "not a row"),
        ("x: a", "is not field:kind"),
        ("x: a:u64 a:u64", "there twice"),
        ("x: a:u64\nx: b:u64", "f.tbl:2: type 'x' is there twice"),
    ],
)
def test_event_table_mistakes(row: str, named: str) -> None:
    with pytest.raises(TableError) as caught:
        events.parse(row, "f.tbl")
    assert named in str(caught.value)


def test_one_table_for_kernel_and_tools() -> None:
    text = EVENTS.read_text()
    assert {row.name: row.schema() for row in events.parse(text, "events.tbl")} == parse_schema(text)


def ring_bytes(head: int, count: int = 8, spoil: int | None = None) -> bytes:
    """A ring of `count` slots after `head` records, each with its place as arguments; one slot being written."""
    slots = [bytes(RECORD.size)] * count
    for place in range(head):
        seq = 0 if place == spoil else place + 1
        slots[place % count] = RECORD.pack(seq, 1000 + place, 5, 6, 0, 1, 0, place, 2, (1 << 64) - 1, 4)
    return HEADER.pack(MAGIC, count, RECORD.size, head) + b"".join(slots)


def test_rings_are_found_and_counted() -> None:
    rings = find_rings(b"noise" * 13 + ring_bytes(3) + MAGIC + b"short" + ring_bytes(20, spoil=15) + b"tail")
    assert [(ring.head, len(ring.records), ring.lost) for ring in rings] == [(3, 3, 0), (20, 7, 13)]
    assert [record.args[0] for record in rings[1].records] == [12, 13, 14, 16, 17, 18, 19]


def test_rings_that_only_look_like_one() -> None:
    assert find_rings(b"") == [] and find_rings(MAGIC * 100) == []
    assert find_rings(HEADER.pack(MAGIC, 7, RECORD.size, 1) + bytes(4096)) == []
    assert find_rings(HEADER.pack(MAGIC, 8, 48, 1) + bytes(4096)) == []
    assert find_rings(ring_bytes(9)[:-1]) == []


def test_trace_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dump = tmp_path / "dump"
    dump.write_bytes(ring_bytes(20))
    assert trace_command.main([str(dump), "--json", "--last", "2"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["ns"] for line in lines[:2]] == [1018, 1019] and lines[2]["count"] == 12
    first = events.traced(events.parse(EVENTS.read_text(), "t"))[0]
    assert lines[0]["type"] == first.name and lines[0]["pid"] == 5 and lines[0][first.fields[0][0]] == 18
    empty = tmp_path / "empty"
    empty.write_bytes(b"")
    assert trace_command.main([str(empty)]) == 1
    assert trace_command.main([str(tmp_path / "none")]) == 2
