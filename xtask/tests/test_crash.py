"""Crash reports without a guest: reading logs, causes, titles, directories, the command."""

from __future__ import annotations

import io
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ..crash import cause, command, disasm, image, record, report, store, title
from ..crash.cause import Scene
from ..guest.events import load_schema
from ..guest.rundir import ROOT

STACK = {"start": "0x7ffd00000000", "end": "0x7ffd00800000", "perms": "rw-pd", "name": "[stack]"}
TEXT = {"start": "0x401000", "end": "0x480000", "perms": "r-xp", "offset": "0x1000", "file_size": "0x90000", "name": "/bin/p"}
DATA = {"start": "0x480000", "end": "0x490000", "perms": "r--p", "offset": "0x80000", "file_size": "0x90000", "name": "/bin/p"}
STORE_RAX = bytes.fromhex("48895808")  # mov [rax+8], rbx


def event(**changed: Any) -> dict[str, Any]:
    """A null pointer's report, with what a test changes."""
    fields: dict[str, Any] = {
        "type": "crash_report", "seq": 0, "ns": 1_000_000, "cpu": 0, "pid": 7, "tid": 7, "comm": "p", "exe": "/bin/p",
        "left_out": 0, "argv": ["p"], "sig": 11, "signal": "SIGSEGV", "code": 1, "reason": "nothing is mapped there",
        "ip": "0x401100", "addr": "0x8", "regs_from": "exception",
        "regs": {"ip": "0x401100", "sp": "0x7ffd00700000", "ax": "0x0"}, "tls": "0x1000",
        "fault": {"vector": "0xe", "error": "0x6", "cr2": "0x8"}, "text_at": "0x401100", "text": STORE_RAX.hex(),
        "backtrace": ["0x401100"], "syscalls": [], "missing": [], "maps_total": 3, "maps": [TEXT, DATA, STACK],
    }  # fmt: skip
    fields.update(changed)
    return {key: value for key, value in fields.items() if value is not None}


def line(**changed: Any) -> bytes:
    return json.dumps(event(**changed), separators=(",", ":")).encode() + b"\n"


def crash(**changed: Any) -> record.Crash:
    log = record.read(line(**changed))
    assert len(log.crashes) == 1, changed
    return log.crashes[0]


def scene(**changed: Any) -> Scene:
    made = crash(**changed)
    code = disasm.around(made.text, made.text_at, made.ip, made.arch)
    return Scene(made, disasm.current(code))


def kind(**changed: Any) -> str:
    return cause.probable(scene(**changed)).kind


def test_the_schema_knows_what_is_read() -> None:
    schema = load_schema(ROOT / "kernel/debug/events.tbl")
    assert schema is not None
    assert {key for key in event() if key not in ("type", "seq", "ns", "cpu")} <= set(schema["crash_report"])
    assert {"panic", "panic_locks", "panic_process", "panic_end", "crash_left_out"} <= set(schema)


# --- logs ---


def test_events_among_other_lines() -> None:
    log = record.read(b"[ 0.1] boot\n> " + line() + b"noise\n" + line(pid=8) + b'{"type":"crash_report","pid":9')
    assert [c.pid for c in log.crashes] == [7, 8] and log.damaged == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"regs": ["0x1"]}, {"regs": {"ip": 5, "sp": "0xzz", "ax": "0x" + "f" * 40}}, {"maps": {"a": 1}},
        {"maps": [1, None, {"start": None}]}, {"syscalls": [[], {"args": "x"}, {"name": 3, "end_ns": "q"}]},
        {"argv": [1, {}]}, {"ip": 12}, {"addr": None}, {"fault": None}, {"text": "zz"}, {"text": "0"},
        {"backtrace": "0x1"}, {"signal": 4}, {"note": 7}, {"code": 1.5}, {"exe": "/\x1b[2J"}, {"missing": [[]]},
        {"truncated": True, "maps": None, "maps_total": None}, {"sender_pid": "x"}, {"regs": {}, "maps": []},
    ],
)  # fmt: skip
def test_hostile_events_give_a_report(changed: dict[str, Any]) -> None:
    made = report.analyse(crash(**changed), None)
    text = report.text_of(made)
    assert text.startswith(made.title) and "\x1b" not in text
    json.dumps(report.json_of(made))


def test_every_cut_of_a_log_is_read() -> None:
    data = line(guess=["0x401200"], syscalls=[{"tid": 7, "nr": 1, "name": "write", "args": ["0x1"], "start_ns": 5}])
    for end in range(0, len(data), 37):
        log = record.read(data[:end])
        assert len(log.crashes) == 0 and log.damaged <= 1
    assert record.read(data).crashes[0].calls[0].result is None


def test_left_out_is_summed() -> None:
    extra = b'{"type":"crash_left_out","count":5,"seq":2,"ns":1,"cpu":0}\n'
    assert record.read(line(left_out=3) + extra).left_out == 8


# --- causes ---


def test_null_pointers() -> None:
    assert kind() == "null pointer"
    found = cause.probable(scene())
    assert "write at 0x8" in found.text and "mov qword ptr [rax + 8], rbx" in found.text
    assert kind(ip="0x0", addr="0x0", fault={"vector": "0xe", "error": "0x14"}) == "call of null"


def test_aarch64_says_what_was_tried() -> None:
    regs = {"pc": "0x401100", "sp": "0x7ffd00700000", "x0": "0x0"}
    code = {"text": "010400f9", "regs": regs}  # str x1, [x0, #8]
    made = scene(**code, fault={"esr": "0x92000046", "far": "0x8"})
    assert cause.probable(made).text.startswith("Null pointer: write at 0x8") and made.instruction
    assert made.instruction.text == "str x1, [x0, #8]"
    jump = {"esr": "0x82000006", "far": "0x123456789000"}
    assert kind(ip="0x123456789000", addr="0x123456789000", fault=jump, regs=regs) == "wild jump"
    assert report.fault_words(made.crash) == "  (data abort, write, translation, level 2)"


def arm_image() -> image.Image:
    names = ("leaf", "caller", "main")
    symbols = [image.Symbol(0x400000 + 0x100 * n, 0x100, name, True) for n, name in enumerate(names)]
    return image.Image(Path("x"), symbols)


@pytest.mark.parametrize(
    ("link", "names"),
    [
        (0x400120, ["leaf", "caller", "main"]),  # it has no frame: x30 alone says who called
        (0x400020, ["leaf", "main"]),  # from a call of its own that has returned
        (0x400210, ["leaf", "main"]),  # what the frame says too
        (0x1E1E1E1E, ["leaf", "main"]),  # no address of code
    ],
)
def test_aarch64_link_register(link: int, names: list[str]) -> None:
    maps = (record.Mapping(0x400000, 0x401000, "r-xp", "/bin/x"),)
    base = crash(exe="/bin/x")
    made = replace(base, ip=0x400010, regs={"x0": 0, "x30": link}, maps=maps, backtrace=(0x400010, 0x400210), guess=())
    assert [f.function.split("+")[0] for f in report.frames_of(made, arm_image())] == names


def test_aarch64_instructions_nobody_knows() -> None:
    pytest.importorskip("capstone")
    code = bytes.fromhex("07000000" "ffffffff" "1f2003d5" "201018d5")
    made = disasm.around(code, 0x1000, 0x1000, "aarch64")
    assert [item.address for item in made] == [0x1000, 0x1004, 0x1008, 0x100C]
    assert made[0].current and [item.text for item in made[:3]] == ["udf #0x7", ".inst 0xffffffff", "nop"]


def test_jumps() -> None:
    jump = {"vector": "0xe", "error": "0x14"}
    assert kind(ip="0x123456789000", addr="0x123456789000", fault=jump) == "wild jump"
    assert kind(ip="0x480010", addr="0x480010", code=2, fault={"vector": "0xe", "error": "0x15"}) == "jump into data"


def test_stack_overflow_needs_the_stack_pointer_near() -> None:
    below: dict[str, Any] = {"addr": "0x7ffcfffffff8"}
    assert kind(**below, regs={"sp": "0x7ffcfffffff8"}) == "stack overflow"
    assert kind(**below, regs={"sp": "0x7ffd00700000"}) == "wild pointer"
    guard = {"start": "0x7f0000000000", "end": "0x7f0000001000", "perms": "---p"}
    assert kind(addr="0x7f0000000ff8", code=2, regs={"sp": "0x7f0000001010"}, maps=[guard]) == "stack overflow"


def test_what_a_mapping_does_not_allow() -> None:
    assert kind(addr="0x480010", code=2, fault={"vector": "0xe", "error": "0x7"}) == "write to read-only memory"
    assert kind(addr="0x490010") == "past the end of a mapping"
    assert kind(addr="0x500000000000") == "wild pointer"
    assert kind(addr="0xffff800000000000") == "kernel address"


def test_general_protection() -> None:
    gp: dict[str, Any] = {"code": 128, "addr": None, "fault": {"vector": "0xd", "error": "0x0"}}
    assert kind(**gp, regs={"ax": "0x8000000000000000"}) == "non-canonical address"
    assert kind(**gp, text="f4") == "privileged instruction"  # hlt
    assert kind(**gp, regs={"ax": "0x1000"}) == "general protection"
    assert kind(**gp, text=None) == "general protection"


def test_other_signals() -> None:
    shared = {"start": "0x7f0000000000", "end": "0x7f0000002000", "perms": "rw-s", "offset": "0x0", "file_size": "0x1000"}
    bus: dict[str, Any] = {"sig": 7, "signal": "SIGBUS", "code": 2, "addr": "0x7f0000001008", "maps": [shared]}
    assert kind(**bus) == "past end of file"
    assert kind(**{**bus, "code": 1}) == "misaligned"
    ill: dict[str, Any] = {"sig": 4, "signal": "SIGILL", "code": 2}
    assert kind(**ill, text="0f0b") == "trap instruction"
    fpe: dict[str, Any] = {"sig": 8, "signal": "SIGFPE", "code": 1, "text": "f7f1"}  # div ecx
    assert kind(**fpe, regs={"cx": "0x0"}) == "division by zero"
    assert kind(**fpe, regs={"cx": "0x1"}) == "division overflow"


def test_sent_signals() -> None:
    sent: dict[str, Any] = {"code": -6, "addr": None, "sig": 6, "signal": "SIGABRT", "sender_pid": 7, "sender_uid": 0}
    assert kind(**sent) == "abort"
    assert kind(**{**sent, "sender_pid": 1}) == "killed"
    made = crash(**sent)
    assert cause.probable(Scene(made, None, ("raise+1", "abort+2", "__stack_chk_fail+5"))).kind == "stack smashing"
    assert cause.probable(Scene(made, None, ("abort+2", "__assert_fail+5"))).kind == "assertion"


def test_notes_come_first() -> None:
    assert kind(note="the frame of SIGFPE could not be written", code=128) == "no room for a signal frame"
    assert kind(note="exec of /x failed past the point of no return: error -12", code=128) == "failed exec"


# --- disassembly ---


def test_decoding_meets_the_instruction() -> None:
    code = bytes.fromhex("b8000000004831c0" + "48895808" + "c3")
    lines = disasm.around(code, 0x1000, 0x1008, "x86_64")
    assert [item.text for item in lines] == ["mov eax, 0", "xor rax, rax", "mov qword ptr [rax + 8], rbx", "ret"]
    assert [item.current for item in lines] == [False, False, True, False]
    assert disasm.around(code, 0x1000, 0x5000, "x86_64") == []


# --- titles and directories ---


def test_titles_have_no_addresses() -> None:
    first = report.analyse(crash(), None)
    second = report.analyse(crash(pid=99, addr="0x10", ns=5), None)
    assert first.title == second.title and first.hash == second.hash
    assert title.slug("SIGSEGV: a/b ../x (p)") == "sigsegv-a-b-x-p"
    assert title.slug("///") == "crash"
    assert title.callers(("raise+1", "abort+2", "main+3")) == ("main+3",)


def test_directories_count(tmp_path: Path) -> None:
    log, images = record.read(line()), store.Images(store.Run(("python3", "-m", "xtask", "run", "--", "a b")))
    with ThreadPoolExecutor(4) as pool:
        kept = list(pool.map(lambda _: store.keep(log, images, tmp_path), range(12)))
    assert len({entry for found in kept for entry in found}) == 1
    directory = kept[0][0][1]
    data = json.loads((directory / "crash.json").read_text())
    assert data["count"] == 12 and data["command"] == "python3 -m xtask run -- 'a b'"
    assert (directory / "report.txt").read_text().startswith(data["title"])
    assert record.read((directory / "event.json").read_bytes()).crashes
    (directory / "crash.json").write_text("{broken")
    store.keep(log, images, tmp_path)
    assert json.loads((directory / "crash.json").read_text())["count"] == 1


def test_old_directories_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "KEPT", 3)
    for number in range(5):
        store.keep(record.read(line(exe=f"/bin/p{'x' * number}")), store.Images(store.Run()), tmp_path)
    assert len([entry for entry in tmp_path.iterdir() if entry.is_dir()]) == 3


# --- the kernel's end ---


def panic_log(reason: str, end: bool = True) -> record.Log:
    lines: list[dict[str, Any]] = [
        {"type": "panic", "reason": reason, "where": "spin_look+0x1", "text": "kernel thread x"},
        {"type": "backtrace", "of": "cpu 0", "frames": ["0xffffffff80200000 spin_look+0x1", "0xffffffff80200100 work+0x2"]},
        {"type": "backtrace", "of": "cpu 1", "frames": ["0xffffffff80200200 stuck+0x2"], "regs": {"ip": "0x1"}},
        {"type": "panic_locks", "of": "cpu 0", "waits_for": "0x10", "held_by": 1, "from": "work+0x2"},
        {"type": "panic_end"},
    ]
    made = [{**item, "seq": n, "ns": n, "cpu": 0} for n, item in enumerate(lines[: 5 if end else 2])]
    return record.read(b"".join(json.dumps(item, separators=(",", ":")).encode() + b"\n" for item in made))


def test_panics_are_named() -> None:
    (panic,) = panic_log("deadlock: cpu 0 waits for a lock that it holds itself: spinlock 0x1, wanted at work+0x2").panics
    assert report.panic_title(panic)[0] == "panic: deadlock in work" and panic.complete
    text = report.panic_text(panic, None)
    assert "cpu 0 waits for 0x10, held by cpu 1" in text and "stuck+0x2" in text
    (panic,) = panic_log("lockup: cpu 1 has taken no timer interrupt for 3 s").panics
    assert report.panic_title(panic)[0] == "panic: lockup in stuck"
    panic.backtraces[1] = record.Backtrace("cpu 1", ["no answer: interrupts are off there; it ran process 3"], {})
    assert report.panic_title(panic)[0] == "panic: lockup"  # not where it was noticed
    (panic,) = panic_log("something new", end=False).panics
    assert report.panic_title(panic)[0] == "panic: panic in work"
    assert "the report ends early" in report.panic_text(panic, None)


def test_every_fault_of_the_kernel_has_words() -> None:
    """The names that the kernel gives to its faults are those that causes are known for."""
    files = [ROOT / f"kernel/arch/{arch}/entry/page_fault.c" for arch in ("x86_64", "aarch64")]
    source = "\n".join(path.read_text() for path in files)
    names = [text.split('"')[1] for text in source.splitlines() if "return" in text and '"' in text]
    assert len(names) >= 12
    for name in names:
        panic = record.Panic(f"{name} in the kernel, address 0x0, error 0x0", "", "")
        assert cause.of_panic(panic).kind != "panic", name


# --- the command ---


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "events.jsonl").write_bytes(line() + line(pid=8, sig=4, signal="SIGILL", code=2, text="0f0b"))
    assert command.main([str(tmp_path), "--pid", "8"]) == 0
    assert capsys.readouterr().out.startswith("SIGILL: trap instruction")
    assert command.main([str(tmp_path / "events.jsonl"), "--json", "--last"]) == 0
    assert json.loads(capsys.readouterr().out)["pid"] == 8
    assert command.main([str(tmp_path), "--list"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert command.main([str(tmp_path), "--pid", "1"]) == 1
    assert command.main([str(tmp_path / "none")]) == 2
    assert command.main([str(tmp_path), "--binary", "/nowhere"]) == 2
    stream = io.TextIOWrapper(io.BytesIO(line()))
    monkeypatch.setattr(sys, "stdin", stream)
    assert command.main(["-"]) == 0


def test_a_binary_that_is_none_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "events.jsonl").write_bytes(line())
    bad = tmp_path / "bad"
    bad.write_bytes(b"\x7fELF\x02\x01" + b"\xff" * 200)
    assert command.main([str(tmp_path), "--binary", str(bad)]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("SIGSEGV: null pointer") and "not an ELF file" in said.err
    with pytest.raises(image.ImageError):
        image.load(bad)


def test_position_independent_programs_are_placed() -> None:
    maps = (record.Mapping(0x5500_0000_1000, 0x5500_0000_2000, "r-xp", "/bin/p", 0x1000, 0x4000),)
    made = image.Image(Path("p"), [image.Symbol(0x1100, 16, "main", True)], [image.Segment(0x1000, 0x1000, 0x500)])
    made.relocatable = True
    image.place(made, maps, "/bin/p")
    assert made.name(0x5500_0000_1104) == "main+0x4"
