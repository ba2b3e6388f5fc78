"""Crash reports of programs that die in every way, and of kernels: complete, with the registers they had."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from xtask.crash import image, record, report, store
from xtask.guest.events import Event, EventStream, load_schema

from .conftest import AARCH64_BUILD, BUILD, PYTHON, REPO, Runner, run_in_guest

NO_CALL = (1 << 64) - 1
ONES = 0x0101010101010101


@dataclass(frozen=True)
class Port:
    """What differs between the ports: the program's two ways of its own, and what the registers are called."""

    build: Path
    own: dict[str, tuple[int, str]]  # way: its signal and cause
    regs: dict[str, int]  # that every way sets, at its end
    first: str  # the register that most ways make an address of
    link: str  # of the frames
    calls: tuple[int, int]  # tgkill, execve

    @property
    def program(self) -> Path:
        return REPO / self.build / "user" / "crash"

    @property
    def causes(self) -> dict[str, str]:
        """By way, in the order in which `crash list` has them."""
        own = {way: cause for way, (_, cause) in self.own.items()}
        return {"null": "null pointer", "jump": "wild jump", "trap": "trap instruction", **own, **CAUSES}

    def signal(self, way: str) -> int:
        return self.own[way][0] if way in self.own else SIGNALS.get(way, 11)


CAUSES = {
    "abort": "abort", "stack": "stack overflow", "bus": "past end of file", "exec": "failed exec",
    "frame": "no room for a signal frame", "libc_abort": "abort", "thread": "null pointer",
}  # fmt: skip
SIGNALS = {"trap": 4, "abort": 6, "libc_abort": 6, "bus": 7}  # 11 of all others
PORTS = {
    "x86_64": Port(
        BUILD,
        {"divide": (8, "division by zero"), "protection": (11, "non-canonical address")},
        {
            "bx": 17 * ONES, "cx": 34 * ONES, "dx": 51 * ONES, "si": 68 * ONES, "di": 85 * ONES, "r8": 102 * ONES,
            "r9": 119 * ONES, "r10": 136 * ONES, "r11": 153 * ONES, "r12": 170 * ONES, "r13": 187 * ONES,
            "r14": 204 * ONES, "r15": 221 * ONES, "cs": 0x33, "ss": 0x2B,
        },
        "ax", "bp", (234, 59),
    ),
    "aarch64": Port(
        AARCH64_BUILD,
        {"privileged": (4, "privileged instruction"), "protection": (11, "kernel address")},
        {f"x{n}": n * ONES for n in (*range(1, 29), 30)},
        "x0", "x29", (131, 221),
    ),
}  # fmt: skip
DIED = [(arch, way) for arch, port in PORTS.items() for way in port.causes if way not in ("libc_abort", "thread")]
TRACED = [(arch, way) for arch, way in DIED if way not in ("jump", "abort", "stack", "exec", "frame")]


def symbol(port: Port, name: str) -> int:
    found = [s.start for s in image.load(port.program).symbols if s.name == name]
    assert found, name
    return found[0]


def events_of(run: Path) -> list[Event]:
    """Every line of the event channel, each held to the schema; seq without a gap."""
    stream = EventStream(load_schema(REPO / "kernel/debug/events.tbl"))
    items = stream.feed((run / "latest" / "events.jsonl").read_bytes()) + stream.finish()
    defects = [str(item) for item in items if not isinstance(item, Event)]
    assert not defects, defects[:5]
    return [item for item in items if isinstance(item, Event)]


Deaths = dict[str, report.Analysis]


@pytest.fixture(scope="module", params=["1", "4"], ids=["1cpu", "4cpus"])
def deaths(
    request: pytest.FixtureRequest, aarch64: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Deaths]:
    """The deaths of one port."""
    made: dict[str, Deaths] = {}

    def of(arch: str) -> Deaths:
        if arch not in made:
            made[arch] = die_in_each_way(arch, request.param, tmp_path_factory.mktemp("crash"))
        return made[arch]

    return of


def die_in_each_way(arch: str, smp: str, run: Path) -> Deaths:
    """One guest in which a child dies in each way: the analysis of each report, by way."""
    port = PORTS[arch]
    done = run_in_guest([str(port.program), "all"], "--smp", smp, "--keep-logs", str(run), arch=arch)
    assert done.status == 0, done.explain()
    said = [line.split() for line in done.out.decode().splitlines()]
    pids = {int(pid): way for way, pid, _ in said}
    assert {way: int(sig) for way, _, sig in said} == {way: port.signal(way) for way in port.causes}
    events_of(run)
    log = record.read((run / "latest" / "events.jsonl").read_bytes())
    assert len(log.crashes) == len(pids) and not log.damaged and not log.left_out
    images = store.Images(store.read_run(run / "latest"))
    return {pids[crash.pid]: report.analyse(crash, images.of_crash(crash)) for crash in log.crashes}


def expected(arch: str, way: str, crash: record.Crash) -> dict[str, int]:
    """All registers but the stack's and flags, as crash_ways.h loads them."""
    port = PORTS[arch]
    at = symbol(port, "dies_at_null" if way == "thread" else f"dies_at_{way}")
    regs = {**port.regs, port.first: 0}
    own: dict[str, dict[str, int]] = {
        "jump": {port.first: 0x123456789000},
        "protection": {port.first: 1 << 63 if arch == "x86_64" else 0xFFFF << 48},
        "bus": {port.first: (crash.addr or 0) - 0x1008},
    }
    regs.update(own.get(way, {}))
    of_port = expected_x86_64 if arch == "x86_64" else expected_aarch64
    of_port(way, crash, regs, at)
    return regs


def expected_x86_64(way: str, crash: record.Crash, regs: dict[str, int], at: int) -> None:
    regs.update(ip=0x123456789000 if way == "jump" else at, orig_ax=NO_CALL)
    if way == "abort":
        regs.update(di=crash.pid, si=crash.tid, dx=6, orig_ax=234)
    if way == "exec":
        regs.update(dx=0, orig_ax=59, ax=(1 << 64) - 38, di=crash.regs["di"], si=crash.regs["si"])
    if way in ("abort", "exec"):  # the processor keeps ip and flags there
        regs.update(cx=at, r11=crash.regs["flags"])


def expected_aarch64(way: str, crash: record.Crash, regs: dict[str, int], at: int) -> None:
    regs.update(pc=0x123456789000 if way == "jump" else at, orig_x0=NO_CALL, nr=NO_CALL)
    if way == "jump":
        regs["x30"] = at + 4
    if way == "abort":
        regs.update(x0=0, x1=crash.tid, x2=6, x8=131, orig_x0=crash.pid, nr=131)
    if way == "exec":
        name = crash.calls[0].args[0]
        regs.update(x0=name, x1=crash.calls[0].args[1], x2=0, x8=221, orig_x0=name, nr=221)


@pytest.mark.parametrize(("arch", "way"), DIED)
def test_report_is_complete(arch: str, way: str, deaths: Callable[[str], Deaths]) -> None:
    a, port = deaths(arch)[way], PORTS[arch]
    crash = a.crash
    regs = dict(crash.regs)
    sp, fp = regs.pop("sp"), regs.pop(port.link)
    if arch == "x86_64":
        assert regs.pop("flags") & 0x202 == 0x202
    else:
        assert regs.pop("pstate") & 0x1F == 0
    assert regs == expected(arch, way, crash)
    assert crash.ip in (regs.get("ip"), regs.get("pc")) and crash.sig == port.signal(way)
    assert a.cause.kind == port.causes[way], a.cause
    assert not crash.truncated and set(crash.missing) == ({"command line"} if way == "exec" else set())
    assert crash.tls or way == "exec"
    assert crash.maps_total == len(crash.maps) > 2
    check_stack(way, crash, sp, fp)
    check_calls(port, way, crash)
    if way != "exec":
        assert crash.argv == ("/bin/crash", way) and crash.exe == "/bin/crash"


def check_stack(way: str, crash: record.Crash, sp: int, fp: int) -> None:
    if way == "frame":
        assert sp == 0x123456789000
        return
    if way == "exec":
        return  # the old program's, whose memory is gone
    if way == "stack":
        assert sp == crash.addr
        return
    where = crash.mapping(sp)
    assert where is not None and where.name == "[stack]" and crash.mapping(fp) == where


def check_calls(port: Port, way: str, crash: record.Crash) -> None:
    """getppid() is what every program does last, but for what it dies by."""
    names = [call.name for call in crash.calls]
    assert "getppid" in names and 8 <= len(names) <= 32
    assert all(len(call.args) == 6 for call in crash.calls)
    call = crash.calls[names.index("getppid")]
    assert call.result and call.end_ns and call.end_ns > call.start_ns and call.tid == crash.tid
    if way == "exec":
        assert names[0] == "execve" and crash.calls[0].result is None
        assert crash.calls[0].nr == port.calls[1] and crash.calls[0].args[2] == 0
        if "di" in crash.regs:
            assert crash.calls[0].args[:2] == (crash.regs["di"], crash.regs["si"])
    if way == "abort":
        assert (names[0], crash.calls[0].nr) == ("tgkill", port.calls[0])
        assert crash.calls[0].args[:3] == (crash.pid, crash.tid, 6)


@pytest.mark.parametrize(("arch", "way"), TRACED)
def test_backtrace_and_source(arch: str, way: str, deaths: Callable[[str], Deaths]) -> None:
    a = deaths(arch)[way]
    names = [frame.function.split("+")[0] for frame in a.frames if not frame.guess]
    assert names[0] == ("write_at_0x1008" if way == "bus" else f"die_{way}")
    assert "die" in [frame.function.split("+")[0] for frame in a.frames]
    assert a.frames[0].line.startswith(f"userspace/programs/{arch}/crash_ways.h:")
    current = [item for item in a.code if item.current]
    assert len(current) == 1 and current[0].address == a.crash.ip


@pytest.mark.parametrize("arch", PORTS)
def test_another_thread(arch: str, deaths: Callable[[str], Deaths]) -> None:
    crash, known = deaths(arch)["thread"].crash, PORTS[arch].regs
    assert crash.tid != crash.pid and {call.tid for call in crash.calls} == {crash.pid, crash.tid}
    waiting = [call for call in crash.calls if call.tid == crash.pid][0]
    assert waiting.name == "futex" and waiting.result is None
    assert {name: crash.regs[name] for name in known} == known


@pytest.mark.parametrize("smp", ["1", "4"])
def test_storm_is_counted_exactly(guest: Runner, tmp_path: Path, smp: str) -> None:
    result = guest([str(PORTS["x86_64"].program), "storm", "400"], "--smp", smp, "--keep-logs", str(tmp_path))
    assert result.status == 0, result.explain()
    events = events_of(tmp_path)
    reports = [e for e in events if e.type == "crash_report"]
    left_out = sum(e.number("left_out") for e in reports)
    left_out += sum(e.number("count") for e in events if e.type == "crash_left_out")
    assert len(reports) + left_out == 400 and 64 <= len(reports) < 400, (len(reports), left_out)
    assert all(e.number("sender_pid") == e.number("pid") and e.number("sig") == 15 for e in reports)


def test_hostile_command_line(guest: Runner, tmp_path: Path) -> None:
    words = ['"}\n{"type":"panic"', "\\", "\x01\x7f\x1b[2J", "ü€", "", "x" * 300, "%s%n", "\t\r"]
    result = guest([str(PORTS["x86_64"].program), "argv", *words], "--keep-logs", str(tmp_path))
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


@pytest.mark.usefixtures("aarch64")
@pytest.mark.parametrize("arch", PORTS)
@pytest.mark.parametrize("way", KERNEL)
def test_kernel_fault_is_named(tmp_path: Path, way: str, arch: str) -> None:
    named = "panic: {} in {}".format(*KERNEL[way])
    if (way, arch) == ("double", "aarch64"):  # its like: entry sees where it would write, and does not
        named = "panic: bad stack pointer in arch_bad_stack"
    words = f"crash_test={way}" + {"null": " debug=sched", "hang": " watchdog=4"}.get(way, "")
    program = [str(PORTS[arch].program), "list"]
    result = run_in_guest(program, "--smp", "2", "--append", words, "--keep-logs", str(tmp_path), arch=arch)
    assert result.status == 255, result.explain()
    assert f"xtask run: {named}\n" in result.err.decode(), result.explain()
    events = events_of(tmp_path)
    kinds = [e.type for e in events]
    assert kinds.count("panic") == 1 and kinds[-1] == "panic_end"
    panic = record.read((tmp_path / "latest" / "events.jsonl").read_bytes()).panics[0]
    assert panic.complete and len(panic.backtraces) == 2
    assert all(t.frames and t.regs for t in panic.backtraces)
    assert bool(panic.last_events) == (way == "null")
    if way == "deadlock":
        held = {str(lock["of"]): lock.get("held_by") for lock in panic.locks if "waits_for" in lock}
        assert held == {"cpu 0": 1, "cpu 1": 0}


def test_report_command_and_directories(guest: Runner, tmp_path: Path) -> None:
    """A run keeps what crashed; the same crash twice is one directory with a count of two."""
    counts = []
    for name in ("a", "b"):
        result = guest([str(PORTS["x86_64"].program), "divide"], "--keep-logs", str(tmp_path / name))
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
    done = run_in_guest([str(PORTS["x86_64"].program), "list"], "--keep-logs", str(tmp_path))
    assert done.status == 0 and done.err == b"" and done.out.split() == [way.encode() for way in PORTS["x86_64"].causes]
