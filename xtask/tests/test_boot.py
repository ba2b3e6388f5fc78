"""boot-stages and run as commands, with a played guest in QEMU's place: sockets, processes and time are real."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from xtask import exitcodes
from xtask.guest import rundir
from xtask.guest.machine import GuestSpec, UsageError, arguments, check, find_machine
from xtask.run.bridge import Escape
from xtask.run.root import Program, compose, interpreter_of, parse_env, spec_bytes
from xtask.stages import report
from xtask.stages.boot import Boot, Plan, boot
from xtask.stages.runner import Limits, Result, Runner
from xtask.guest.trace import Symbols, parse_registers

from . import log
from .fake import Die, FakeGuest, Halt, Played, Say, Sleep, Step

NONCE = "feedfacefeedface"


def play(tmp_path: Path, steps: list[Step], arch: str = "x86_64") -> tuple[Boot, FakeGuest]:
    kernel = tmp_path / "kernel"
    kernel.write_bytes(b"")
    spec = GuestSpec(find_machine(arch, None), kernel, None, f"nonce={NONCE}")
    rows = log.table()
    launcher = Played(lambda nonce: steps)
    directory = rundir.create(tmp_path / "runs")
    seen: list[str] = []

    def progress(runner: Runner, result: Result) -> None:
        seen.append(result.stage.id)

    done = boot(Plan(spec, rows, rows, Limits(boot_s=0.5, gap_s=0.5)), directory, launcher, NONCE, progress)
    assert launcher.guests[0].ended
    return done, launcher.guests[0]


def text_of(done: Boot) -> str:
    return "\n".join([*report.failure_lines(done, Symbols([])), report.closing_line(done)])


def upto(stage_id: str) -> bytes:
    records = log.good(NONCE)
    return log.lines(records[: log.find(records, "stage_begin", stage_id) + 1])


def test_good(tmp_path: Path) -> None:
    done, _ = play(tmp_path, [Say("events", log.lines(log.good(NONCE))), Halt("guest-shutdown"), Sleep(2)])
    assert done.exit_code == exitcodes.OK
    assert report.closing_line(done) == "boot-stages: 4 passed, 0 failed, 0 skipped"
    assert (done.directory / "events.jsonl").read_bytes() == log.lines(log.good(NONCE))


def test_events_in_single_bytes(tmp_path: Path) -> None:
    data = log.lines(log.good(NONCE))
    steps: list[Step] = [Say("events", data[n : n + 7]) for n in range(0, len(data), 7)]
    done, _ = play(tmp_path, [*steps, Halt("guest-shutdown"), Sleep(2)])
    assert done.exit_code == exitcodes.OK


def test_forged_markers_prove_nothing(tmp_path: Path) -> None:
    """A user program may print what it likes on the console: only the event channel counts."""
    forged = log.lines(log.good(NONCE)) + b"[STAGE 003/004] third ... PASS 3 ms\nboot-stages: 4 passed\n"
    done, _ = play(tmp_path, [Say("events", upto("gamma")), Say("serial", forged), Sleep(3)])
    assert done.exit_code == exitcodes.TIMEOUT
    assert "2 passed, 2 failed" in report.closing_line(done)


def test_hang_is_named_with_its_evidence(tmp_path: Path) -> None:
    started = time.monotonic()
    done, guest = play(tmp_path, [Say("serial", b"last words\n"), Say("events", upto("gamma")), Sleep(5)])
    assert time.monotonic() - started < 2.5
    text = text_of(done)
    for wanted in ("TIMEOUT stage 3 gamma: third", "no result within 300 ms", "gamma is broken", "kernel/gamma.c"):
        assert wanted in text
    assert "last words" in text and "RIP=ffffffff80001234" in text
    assert "inject-nmi" in guest.asked


def test_the_command_that_does_it_again_is_of_the_port(tmp_path: Path) -> None:
    for arch, words in (("x86_64", "boot-stages --only gamma"), ("aarch64", "boot-stages --arch aarch64 --only gamma")):
        (tmp_path / arch).mkdir()
        done, _ = play(tmp_path / arch, [Say("events", upto("gamma")), Die(-9)], arch)
        assert f"  again: python3 -m xtask {words}\n" in text_of(done) + "\n"


def test_panic(tmp_path: Path) -> None:
    records = log.good(NONCE)[:4]
    records += [
        {"type": "panic", "reason": "BUG: list", "where": "list_add+0x1", "text": "tid 1"},
        {"type": "backtrace", "of": "cpu 0", "frames": ["0xffffffff80000010 list_add+0x1"], "regs": {"rax": "0x7"}},
        {"type": "panic_end"},
    ]
    started = time.monotonic()
    done, _ = play(tmp_path, [Say("events", log.lines(records)), Sleep(5)])
    assert time.monotonic() - started < 1.0
    assert done.exit_code == exitcodes.PANIC
    text = text_of(done)
    assert "kernel panic: BUG: list at list_add+0x1" in text and "rax=0x7" in text and "FAIL stage 2 beta" in text


@pytest.mark.parametrize(
    "steps,kind,code",
    [
        ([Halt("guest-reset"), Sleep(2)], "triple fault", exitcodes.INFRA),
        ([Halt("guest-shutdown"), Sleep(2)], "stopped", exitcodes.FAILED),
        ([Die(-9)], "qemu died", exitcodes.INFRA),
        ([Die(1)], "qemu died", exitcodes.INFRA),
    ],
)
def test_sudden_ends(tmp_path: Path, steps: list[Step], kind: str, code: int) -> None:
    started = time.monotonic()
    done, _ = play(tmp_path, [Say("events", upto("gamma")), *steps])
    assert time.monotonic() - started < 1.0
    assert done.runner.cause is not None and done.runner.cause.kind == kind
    assert done.exit_code == code and "FAIL stage 3 gamma" in text_of(done)


def test_everything_before_the_end_is_read(tmp_path: Path) -> None:
    """The machine's end and the last events come on different sockets."""
    for _ in range(20):
        done, _ = play(tmp_path, [Say("events", log.lines(log.good(NONCE))), Halt("guest-shutdown"), Die(0)])
        assert done.exit_code == exitcodes.OK


def test_empty_and_stale_logs(tmp_path: Path) -> None:
    done, _ = play(tmp_path, [Die(0)])
    assert done.exit_code == exitcodes.INFRA
    done, _ = play(tmp_path, [Sleep(2)])
    assert done.exit_code == exitcodes.TIMEOUT and "never said anything" in text_of(done)
    stale = log.lines(log.good("0000000000000000"))
    done, _ = play(tmp_path, [Say("events", stale), Halt("guest-shutdown"), Sleep(2)])
    assert done.exit_code == exitcodes.FAILED and "another boot" in text_of(done)


def test_cut_line_at_the_end(tmp_path: Path) -> None:
    done, _ = play(tmp_path, [Say("events", log.lines(log.good(NONCE))[:-8]), Die(0)])
    assert any("cut short" in problem for problem in done.runner.problems)
    assert done.exit_code


def test_reports(tmp_path: Path) -> None:
    import xml.etree.ElementTree as ElementTree

    done, _ = play(tmp_path, [Say("events", upto("gamma")), Halt("guest-reset"), Sleep(2)])
    record = report.as_json(done)
    assert record["verdict"] == "triple fault" and record["stages"][2]["status"] == "FAIL"
    json.dumps(record)
    suite = ElementTree.fromstring(report.as_junit(done))
    assert suite.get("tests") == "5" and suite.get("failures") == "3"
    ktap = report.as_ktap(done)
    assert ktap.startswith("KTAP version 1\n1..4\n") and "not ok 3 gamma" in ktap and "ok 1 alpha" in ktap


# --- the real launcher's argument list ---------------------------------------------------------------


def spec(tmp_path: Path, **changes: object) -> GuestSpec:
    kernel = tmp_path / "k"
    kernel.write_bytes(b"")
    found = GuestSpec(find_machine("x86_64", None), kernel, None, "x y")
    for name, value in changes.items():
        setattr(found, name, value)
    return found


def test_arguments(tmp_path: Path) -> None:
    words = arguments(spec(tmp_path, icount=True, streams=True, disks=[tmp_path / "k"]), {"serial": 5})
    line = " ".join(words)
    assert "-icount shift=0,sleep=off -rtc base=2024-01-01T00:00:00,clock=vm -seed 1" in line
    assert "-cpu max,-erms,-fsrm" in line and "socket,id=serial,fd=5" in line
    assert "virtio-serial-pci" in line and "virtio-blk-pci" in line and words[words.index("-append") + 1] == "x y"
    micro = arguments(spec(tmp_path, machine=find_machine("x86_64", "microvm"), streams=True), {})
    assert "virtio-serial-device,id=vserial,max_ports=8" in micro


def test_arguments_of_the_second_port(tmp_path: Path) -> None:
    (tmp_path / "Image").write_bytes(b"")
    for name, version, cpu in (("virt", 3, "cortex-a72"), ("virt-gic2", 2, "max")):
        found = spec(tmp_path, machine=find_machine("aarch64", name), disks=[tmp_path / "k"])
        check(found)
        words = arguments(found, {})
        assert words[:3] == ["qemu-system-aarch64", "-M", f"virt,gic-version={version}"]
        assert words[words.index("-cpu") + 1] == cpu
        assert words[words.index("-kernel") + 1] == str(tmp_path / "Image")
        assert words[words.index("-append") + 1] == "events=semihosting x y"
        assert "virtio-blk-device,drive=disk0" in words
        assert "enable=on,target=native,chardev=events" in words
        pci = arguments(spec(tmp_path, machine=find_machine("aarch64", f"{name}-pci"), disks=[tmp_path / "k"]), {})
        assert pci[2] == words[2] and "virtio-blk-pci,drive=disk0,ioeventfd=off" in pci
    (tmp_path / "Image").unlink()
    with pytest.raises(UsageError):
        check(found)
    chosen = arguments(spec(tmp_path, machine=find_machine("aarch64", None), cpu="max"), {})
    assert chosen[chosen.index("-cpu") + 1] == "max"


def test_refusals(tmp_path: Path) -> None:
    wrong: list[dict[str, object]] = [{"smp": 0}, {"smp": 9}]
    wrong += [{"icount": True, "smp": 2}, {"icount": True, "kvm": True}]
    for changes in wrong:
        with pytest.raises(UsageError):
            check(spec(tmp_path, **changes))
    with pytest.raises(UsageError):
        check(spec(tmp_path, kernel=tmp_path / "none"))
    with pytest.raises(UsageError):
        find_machine("x86_64", "pdp11")


# --- run: what is packed, and keys ---------------------------------------------------------------------


def test_spec_bytes() -> None:
    program = Program("/bin/x", ["a b", "", "\udcff"], {"K": "v=w"}, "/tmp", True)
    words = spec_bytes(program).split(b"\0")
    assert words[:-1] == [
        *(b"cwd", b"/tmp", b"env", b"K=v=w", b"arg", b"/bin/x", b"arg", b"a b", b"arg", b"", b"arg", b"\xff"),
        *(b"tty", b"1"),
    ]
    with pytest.raises(UsageError):
        spec_bytes(Program("/x", ["a\0b"]))
    with pytest.raises(UsageError):
        parse_env(["novalue"])


def test_compose(tmp_path: Path) -> None:
    program = tmp_path / "prog"
    program.write_bytes(b"\x7fELF")
    program.chmod(0o755)
    archive, path = compose(program, None, [f"{program}:/opt/x"], str(program))
    assert path == "/bin/prog" and "bin/prog" in archive.entries and "opt/x" in archive.entries
    with pytest.raises(UsageError):
        compose(program, None, [], str(tmp_path / "none"))
    program.chmod(0o644)
    with pytest.raises(UsageError):
        compose(program, None, [], str(program))


def test_interpreter() -> None:
    assert interpreter_of(Path(os.path.realpath("/bin/true")).read_bytes()) == "/lib64/ld-linux-x86-64.so.2"
    assert interpreter_of(b"#!/bin/sh\n") is None


def test_escape_keys() -> None:
    escape = Escape()
    assert escape.filter(b"ab\x01") == b"ab" and escape.filter(b"\x01c") == b"\x01c" and not escape.leave
    assert escape.filter(b"\x01q\x03") == b"\x01q\x03"
    assert escape.filter(b"x\x01Xtail") == b"x" and escape.leave


REGISTERS = """
CPU#0
RAX=0000000000000001 RBX=ffffffff80000000
RIP=ffffffff80001000 RFL=00000246 [---Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT=1
FPR0=0000000000000000 0000
CPU#1
RIP=0000000000401000 RFL=00000202
XMM00=00000000000000000000000000000000
"""


def test_registers() -> None:
    first, second = parse_registers(REGISTERS)
    assert first.registers["RIP"] == 0xFFFFFFFF80001000 and second.registers["RIP"] == 0x401000
    assert "FPR0" not in first.text and "XMM" not in second.text


def test_symbols_of_a_real_file(tmp_path: Path) -> None:
    source = tmp_path / "a.c"
    source.write_text("int one(void) { return 1; }\nint main(void) { return one(); }\n")
    program = tmp_path / "a"
    subprocess.run(["gcc", "-g", "-no-pie", str(source), "-o", str(program)], check=True)
    symbols = Symbols.load(program)
    address = next(start for start, name in symbols.pairs if name == "one")
    assert symbols.name(address + 1) == "one+0x1"
    assert Symbols.load(source).name(0x1234) == "0x1234"


# --- run directories --------------------------------------------------------------------------------------


def test_run_directories(tmp_path: Path) -> None:
    first, second = rundir.create(tmp_path), rundir.create(tmp_path)
    assert first != second and (tmp_path / "latest").resolve() == second
    dead = tmp_path / "20000101-000000-99999999-1"
    dead.mkdir()
    rundir.prune(tmp_path, keep=1)
    assert not dead.exists() and first.exists() and second.exists()


def test_a_reader_that_has_seen_enough_is_no_traceback() -> None:
    read, write = os.pipe()
    os.close(read)
    args = [sys.executable, "-m", "xtask", "boot-stages", "--list"]
    done = subprocess.run(args, cwd=rundir.ROOT, stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, b"")
