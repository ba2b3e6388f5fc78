"""Crash reports of programs that die in every way, and of kernels: complete, with the registers they had."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from xtask.crash import image, record, report, store
from xtask.guest.events import Event, EventStream, load_schema

from .conftest import BUILD, PYTHON, REPO, Runner

WAYS = ("null", "jump", "ud2", "divide", "abort", "stack", "protection", "bus", "exec", "frame")
EXTRA = ("libc_abort", "thread")
KNOWN = {
    "bx": 0x1111111111111111, "cx": 0x2222222222222222, "dx": 0x3333333333333333, "si": 0x4444444444444444,
    "di": 0x5555555555555555, "r8": 0x6666666666666666, "r9": 0x7777777777777777, "r10": 0x8888888888888888,
    "r11": 0x9999999999999999, "r12": 0xAAAAAAAAAAAAAAAA, "r13": 0xBBBBBBBBBBBBBBBB, "r14": 0xCCCCCCCCCCCCCCCC,
    "r15": 0xDDDDDDDDDDDDDDDD, "cs": 0x33, "ss": 0x2B,
}  # fmt: skip
NO_CALL = (1 << 64) - 1
CAUSES = {
    "null": "null pointer", "jump": "wild jump", "ud2": "trap instruction", "divide": "division by zero",
    "abort": "abort", "stack": "stack overflow", "protection": "non-canonical address", "bus": "past end of file",
    "exec": "failed exec", "frame": "no room for a signal frame", "libc_abort": "abort", "thread": "null pointer",
}  # fmt: skip
SIGNALS = {"ud2": 4, "abort": 6, "libc_abort": 6, "bus": 7, "divide": 8}  # 11 of all others
PROGRAM = REPO / BUILD / "user" / "crash"


def symbol(name: str) -> int:
    found = [s.start for s in image.load(PROGRAM).symbols if s.name == name]
    assert found, name
    return found[0]


def events_of(run: Path) -> list[Event]:
    """Every line of the event channel, each held to the schema; seq without a gap."""
    stream = EventStream(load_schema(REPO / "kernel/debug/events.tbl"))
    items = stream.feed((run / "latest" / "events.jsonl").read_bytes()) + stream.finish()
    defects = [str(item) for item in items if not isinstance(item, Event)]
    assert not defects, defects[:5]
    return [item for item in items if isinstance(item, Event)]


@pytest.fixture(scope="module", params=[1, 4], ids=["1cpu", "4cpus"])
def deaths(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, report.Analysis]:
    """One guest in which a child dies in each way: the analysis of each report, by way."""
    from .conftest import run_in_guest

    run = tmp_path_factory.mktemp(f"crash{request.param}")
    done = run_in_guest([str(PROGRAM), "all"], "--smp", str(request.param), "--keep-logs", str(run))
    assert done.status == 0, done.explain()
    pids = {int(words[1]): words[0] for line in done.out.decode().splitlines() if (words := line.split())}
    sigs = {words[0]: int(words[2]) for line in done.out.decode().splitlines() if (words := line.split())}
    assert sigs == {way: SIGNALS.get(way, 11) for way in (*WAYS, *EXTRA)}
    events_of(run)
    log = record.read((run / "latest" / "events.jsonl").read_bytes())
    assert len(log.crashes) == len(pids) and not log.damaged and not log.left_out
    images = store.Images(store.read_run(run / "latest"))
    return {pids[crash.pid]: report.analyse(crash, images.of_crash(crash)) for crash in log.crashes}


def expected(way: str, crash: record.Crash) -> dict[str, int]:
    """All registers but sp, bp and flags, as crash.c loads them. orig_ax: of system calls, their number."""
    regs = {**KNOWN, "ax": 0, "orig_ax": NO_CALL, "ip": symbol("dies_at_null" if way == "thread" else f"dies_at_{way}")}
    own: dict[str, dict[str, int]] = {
        "jump": {"ax": 0x123456789000, "ip": 0x123456789000},
        "protection": {"ax": 1 << 63},
        "bus": {"ax": (crash.addr or 0) - 0x1008},
        "abort": {"di": crash.pid, "si": crash.tid, "dx": 6, "orig_ax": 234},
        "exec": {"dx": 0, "orig_ax": 59, "ax": (1 << 64) - 38, "di": crash.regs["di"], "si": crash.regs["si"]},
    }
    regs.update(own.get(way, {}))
    if regs["orig_ax"] != NO_CALL:  # the processor keeps ip and flags there
        regs.update(cx=regs["ip"], r11=crash.regs["flags"])
    return regs


@pytest.mark.parametrize("way", WAYS)
def test_report_is_complete(way: str, deaths: dict[str, report.Analysis]) -> None:
    a = deaths[way]
    crash = a.crash
    regs = dict(crash.regs)
    sp, bp, flags = regs.pop("sp"), regs.pop("bp"), regs.pop("flags")
    assert regs == expected(way, crash)
    assert flags & 0x202 == 0x202
    assert crash.ip == crash.regs["ip"] and crash.sig == SIGNALS.get(way, 11)
    assert a.cause.kind == CAUSES[way], a.cause
    assert not crash.truncated and set(crash.missing) == ({"command line"} if way == "exec" else set())
    assert crash.tls or way == "exec"
    assert crash.maps_total == len(crash.maps) > 2
    check_stack(way, crash, sp, bp)
    check_calls(way, crash)
    if way != "exec":
        assert crash.argv == ("/bin/crash", way) and crash.exe == "/bin/crash"


def check_stack(way: str, crash: record.Crash, sp: int, bp: int) -> None:
    if way == "frame":
        assert sp == 0x123456789000
        return
    if way == "exec":
        return  # the old program's, whose memory is gone
    if way == "stack":
        assert sp == crash.addr
        return
    where = crash.mapping(sp)
    assert where is not None and where.name == "[stack]" and crash.mapping(bp) == where


def check_calls(way: str, crash: record.Crash) -> None:
    """getppid() is what every program does last, but for what it dies by."""
    names = [call.name for call in crash.calls]
    assert "getppid" in names and 8 <= len(names) <= 32
    assert all(len(call.args) == 6 for call in crash.calls)
    call = crash.calls[names.index("getppid")]
    assert call.result and call.end_ns and call.end_ns > call.start_ns and call.tid == crash.tid
    if way == "exec":
        assert names[0] == "execve" and crash.calls[0].result is None
        assert crash.calls[0].args[:3] == (crash.regs["di"], crash.regs["si"], 0)
    if way == "abort":
        assert (names[0], crash.calls[0].args[:3]) == ("tgkill", (crash.pid, crash.tid, 6))


@pytest.mark.parametrize("way", ["null", "ud2", "divide", "protection", "bus"])
def test_backtrace_and_source(way: str, deaths: dict[str, report.Analysis]) -> None:
    names = [frame.function.split("+")[0] for frame in deaths[way].frames if not frame.guess]
    assert names[0] == f"die_{way}"
    assert "die" in [frame.function.split("+")[0] for frame in deaths[way].frames]
    assert deaths[way].frames[0].line.startswith("userspace/programs/x86_64/crash.c:")
    current = [item for item in deaths[way].code if item.current]
    assert len(current) == 1 and current[0].address == deaths[way].crash.ip


def test_another_thread(deaths: dict[str, report.Analysis]) -> None:
    crash = deaths["thread"].crash
    assert crash.tid != crash.pid and {call.tid for call in crash.calls} == {crash.pid, crash.tid}
    waiting = [call for call in crash.calls if call.tid == crash.pid][0]
    assert waiting.name == "futex" and waiting.result is None
    assert {name: crash.regs[name] for name in KNOWN} == KNOWN


@pytest.mark.parametrize("smp", ["1", "4"])
def test_storm_is_counted_exactly(guest: Runner, tmp_path: Path, smp: str) -> None:
    result = guest([str(PROGRAM), "storm", "400"], "--smp", smp, "--keep-logs", str(tmp_path))
    assert result.status == 0, result.explain()
    events = events_of(tmp_path)
    reports = [e for e in events if e.type == "crash_report"]
    left_out = sum(e.number("left_out") for e in reports)
    left_out += sum(e.number("count") for e in events if e.type == "crash_left_out")
    assert len(reports) + left_out == 400 and 64 <= len(reports) < 400, (len(reports), left_out)
    assert all(e.number("sender_pid") == e.number("pid") and e.number("sig") == 15 for e in reports)


def test_hostile_command_line(guest: Runner, tmp_path: Path) -> None:
    words = ['"}\n{"type":"panic"', "\\", "\x01\x7f\x1b[2J", "ü€", "", "x" * 300, "%s%n", "\t\r"]
    result = guest([str(PROGRAM), "argv", *words], "--keep-logs", str(tmp_path))
    assert result.status == 139, result.explain()
    events = [e for e in events_of(tmp_path) if e.type in ("crash_report", "panic")]
    assert len(events) == 1
    want = ["/bin/crash", "argv"] + [os.fsencode(word)[:256].decode("latin-1") for word in words]
    assert events[0].fields["argv"] == want
    crash = record.crash_of(events[0])
    assert all(31 < ord(char) for line in report.text_of(report.analyse(crash, None)).split("\n") for char in line)


KERNEL = {
    "null": ("null pointer", "die_null"),
    "text": ("write to read-only memory", "die_text"),
    "stack": ("kernel stack overflow", "deeper"),
    "double": ("double fault", "arch_bad_stack"),
    "deadlock": ("deadlock", "die_deadlock and other_order"),
    "hang": ("lockup", "die_hang"),
}


@pytest.mark.parametrize("way", KERNEL)
def test_kernel_fault_is_named(guest: Runner, tmp_path: Path, way: str) -> None:
    kind, function = KERNEL[way]
    words = f"crash_test={way}" + {"null": " debug=sched", "hang": " watchdog=4"}.get(way, "")
    result = guest(["/bin/busybox", "true"], "--smp", "2", "--append", words, "--keep-logs", str(tmp_path))
    assert result.status == 255, result.explain()
    assert f"panic: {kind} in {function}" in result.err.decode(), result.explain()
    events = events_of(tmp_path)
    kinds = [e.type for e in events]
    assert kinds.count("panic") == 1 and kinds[-1] == "panic_end"
    panic = record.read((tmp_path / "latest" / "events.jsonl").read_bytes()).panics[0]
    assert panic.complete and len(panic.backtraces) == 2 and all(t.frames and t.regs for t in panic.backtraces)
    assert bool(panic.last_events) == (way == "null")
    if way == "deadlock":
        held = {str(lock["of"]): lock.get("held_by") for lock in panic.locks if "waits_for" in lock}
        assert held == {"cpu 0": 1, "cpu 1": 0}


def test_report_command_and_directories(guest: Runner, tmp_path: Path) -> None:
    """A run keeps what crashed; the same crash twice is one directory with a count of two."""
    counts = []
    for name in ("a", "b"):
        result = guest([str(PROGRAM), "divide"], "--keep-logs", str(tmp_path / name))
        assert result.status == 136, result.explain()
        said = result.err.decode()
        assert "xtask run: SIGFPE: division by zero in die_divide (crash)" in said
        kept = Path(said.rsplit("(", 1)[1].rstrip(")\n"))
        counts.append(json.loads((kept / "crash.json").read_text())["count"])
    assert counts[1] == counts[0] + 1
    script = [PYTHON, "scripts/crash_report.py", str(tmp_path / "b" / "latest")]
    done = subprocess.run([*script, "--json"], cwd=REPO, capture_output=True, text=True, timeout=60, check=True)
    found = json.loads(done.stdout)
    assert found["cause"]["kind"] == "division by zero" and found["frames"][0]["function"].startswith("die_divide")
    again = json.loads((kept / "crash.json").read_text())["command"]
    assert again.startswith("python3 -m xtask run ") and again.endswith(" divide")


def test_run_without_a_crash_says_nothing(guest: Callable[..., object], tmp_path: Path) -> None:
    from .conftest import run_in_guest

    done = run_in_guest([str(PROGRAM), "list"], "--keep-logs", str(tmp_path))
    assert done.status == 0 and done.err == b"" and done.out.split() == [way.encode() for way in (*WAYS, *EXTRA)]
