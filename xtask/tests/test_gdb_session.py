"""GDB sessions without GDB: the MI parser, what is made of it, and the deadlines, against a GDB that is played."""

from __future__ import annotations

import os
import random
import shlex
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from xtask import options
from xtask.gdb import command, files, gdbproc, mi, start
from xtask.gdb.core import Core
from xtask.gdb.images import Images, find_file, read_elf
from xtask.gdb.mi import MiStream, Record, parse_line
from xtask.gdb.opening import EarlyCode, rom_address
from xtask.gdb.target import Serial, Target, Text, in_background, unusable
from xtask.gdb.transcript import script
from xtask.gdb.verbs import Entry, Verbs
from xtask.guest.launch import InfraError
from xtask.guest.machine import UsageError
from xtask.initramfs import Initramfs

# --- MI ---


def test_records_are_read() -> None:
    line = b'12*stopped,reason="breakpoint-hit",bkptno="2",frame={addr="0x10",args=[{name="a",value="1"}]},thread-id="1"'
    record = parse_line(line)
    assert (record.kind, record.token, record.cls) == ("exec", 12, "stopped")
    assert record.word("frame", "addr") == "0x10" and record.word("frame", "args") == ""
    assert record.fields["frame"] == {"addr": "0x10", "args": [{"name": "a", "value": "1"}]}
    assert parse_line(b"(gdb) \n") == Record("prompt")
    assert parse_line(b'~"a\\tb\\n\\"q\\" \\\\ \\303\\251\\033[m"').text == 'a\tb\n"q" \\ é\x1b[m'
    assert parse_line(b'5^error,msg="No symbol \\"x\\""').word("msg") == 'No symbol "x"'
    assert parse_line(b'^done,thread-ids={thread-id="2",thread-id="1"}').fields["thread-ids"] == {
        "thread-id": ["2", "1"]
    }
    assert parse_line(b'^done,stack=[frame={level="0"},frame={level="1"}]').fields["stack"] == [
        {"level": "0"},
        {"level": "1"},
    ]


@pytest.mark.parametrize(
    "line",
    [b"", b'~"open', b'~"\\', b"^", b'^done,a="1",,b="2"', b"*stopped,frame={", b'~"x"y', b'7~"x"', b"\xff\xfe",
     b'^done,x=' + b"[" * 5000, b'^done,x=[' * 900, b"9" * 400 + b"^done", b'^done,a={b="1"', b"hello", b'"'],
)  # fmt: skip
def test_what_is_no_mi_is_garbage(line: bytes) -> None:
    assert parse_line(line).kind == "garbage"


def test_hostile_bytes_raise_nothing() -> None:
    seed = 20240917
    rng = random.Random(seed)
    alphabet = b'^*=~@&(gdb)"\\,={}[]019azn\n\r\x00\xff \xc3'
    good = b'3^done,frame={level="0",addr="0xffffffff80000000",args=[{name="x",value="\\"1\\""}]}'
    for _ in range(3000):
        noise = bytes(rng.choice(alphabet) for _ in range(rng.randrange(60)))
        cut = bytearray(good)
        cut[rng.randrange(len(cut))] = rng.choice(alphabet)
        for line in (noise, bytes(cut)):
            assert isinstance(parse_line(line), Record), f"seed {seed}: {line!r}"


def test_lines_are_put_together_however_they_come() -> None:
    data = b'1^done\n(gdb) \n~"one"\r\n\n*running,thread-id="all"\n'
    whole = MiStream().feed(data)
    assert [r.kind for r in whole] == ["result", "prompt", "console", "exec"]
    stream = MiStream()
    assert [r for n in range(len(data)) for r in stream.feed(data[n : n + 1])] == whole
    assert stream.unfinished() == b""


def test_an_endless_line_costs_no_memory_and_no_later_line() -> None:
    stream = MiStream(line_max=1000)
    records = [r for _ in range(50) for r in stream.feed(b"x" * 100)]
    assert [r.kind for r in records] == ["garbage"] and len(stream.unfinished()) <= 1000
    assert [r.cls for r in stream.feed(b"tail\n4^done\n")] == ["done"]


def test_quoting_comes_back() -> None:
    for text in ('p "a\\nb"', "tab\there", 'back\\slash"', "é"):
        assert parse_line(b"~" + mi.quote(text).encode()).text == text


# --- what is made of it ---


def feed(target: Target, *lines: bytes) -> None:
    for line in lines:
        target.record(parse_line(line))


def test_target_follows_runs_and_stops() -> None:
    target = Target(connected=True)
    token, line = target.send("-exec-continue")
    assert line == f"{token}-exec-continue\n".encode() and target.status() == "busy"
    feed(target, b"%d^running" % token, b'*running,thread-id="all"')
    assert target.status() == "running"
    feed(target, b'*stopped,reason="signal-received",signal-name="SIGINT"')
    assert (target.status(), target.stop_reason(), target.stops) == ("stopped", "interrupt", 1)
    target.guest_end = "shutdown"
    assert (target.status(), target.stop_reason()) == ("ended", "guest-shutdown")
    target.gdb_end = -9
    assert target.status() == "gdb-died" and "-9" in target.stop_reason()


def test_results_of_others_are_not_ours() -> None:
    target = Target(connected=True)
    token, _ = target.send("-x")
    feed(target, b"^done", b"%d^done" % (token + 7), b'^error,msg="of a console"')
    assert target.pending == token
    feed(target, b"%d^done" % token)
    assert target.pending is None and target.results[token].cls == "done"


def test_text_and_serial_are_bounded() -> None:
    text = Text(limit=10)
    text.add("12345")
    text.add("6789012345")
    assert text.take() == ("1234567890", True) and text.take() == ("", False)
    serial = Serial(limit=10)
    serial.add(b"abc\r\n")
    assert serial.since(0, 100) == ("abc\n", False)
    serial.add(b"0123456789")
    assert serial.since(0, 100) == ("0123456789", True) and serial.since(serial.end, 100) == ("", False)
    assert serial.since(12, 2) == ("89", True)


@pytest.mark.parametrize("text", ["", "  ", "python", "while 1", "commands 1", "define x", "pi", "set logging redirect on"])
def test_commands_that_would_hang_are_refused(text: str) -> None:
    assert unusable(text)


def test_commands_that_resume_run_in_the_background() -> None:
    assert [in_background(c) for c in ("c", "continue 3", "stepi", "finish", "reverse-stepi", "c &")] == [
        "c &", "continue 3 &", "stepi &", "finish &", "reverse-stepi &", "c &"
    ]  # fmt: skip
    assert [in_background(c) for c in ("condition 1 x", "print c", "up", "con", "x/4i $pc")] == [
        "condition 1 x", "print c", "up", "con", "x/4i $pc"
    ]  # fmt: skip
    assert not unusable("python print(1)") and not unusable("while $x\nset $x--\nend")


# --- user programs ---


def elf(entry: int, low: int, size: int) -> bytes:
    head = bytearray(b"\x7fELF\x02\x01" + bytes(58))
    head[24:32] = entry.to_bytes(8, "little")
    head[32:40] = (64).to_bytes(8, "little")
    head[54:58] = (56).to_bytes(2, "little") + (1).to_bytes(2, "little")
    segment = bytearray(56)
    segment[0] = 1
    segment[16:24] = low.to_bytes(8, "little")
    segment[40:48] = size.to_bytes(8, "little")
    return bytes(head + segment)


def test_symbols_follow_exec_and_exit(tmp_path: Path) -> None:
    paths = {}
    for name, data in (("sh", elf(0x400100, 0x400000, 0x1000)), ("ls", elf(0x400200, 0x400000, 0x800)),
                       ("pie", elf(0x100, 0, 0x1000))):  # fmt: skip
        (tmp_path / name).write_bytes(data)
        paths[f"/bin/{name}"] = str(tmp_path / name)
    images = Images(paths)

    def wanted() -> list[str]:
        return [Path(image.file).name for image in images.wanted()]

    sh_head, ls_head, pie_head = ((tmp_path / n).read_bytes()[:64] for n in ("sh", "ls", "pie"))
    images.executed(1, "/bin/sh", 0x400100, sh_head)
    pie = images.executed(2, "/bin/pie", 0x555555554100, pie_head)
    assert pie is not None and (pie.bias, pie.low) == (0x555555554000, 0x555555554000)
    assert wanted() == ["pie", "sh"]
    images.executed(3, "/bin/ls", 0x400200, ls_head)  # over the shell, until it ends
    assert wanted() == ["ls", "pie"]
    images.ended(3)
    images.ended(99)
    assert wanted() == ["pie", "sh"]
    assert images.executed(2, "/bin/ls", 0x400200, sh_head) is None, "changed in the guest"
    assert wanted() == ["sh"], "the next exec takes the old program's symbols away"
    assert images.executed(4, "bin/sh", 0x400100, sh_head) is not None and wanted() == ["sh"]


def test_files_are_found_by_path() -> None:
    paths = {"/bin/a": "A", "/usr/b": "B", "/opt/b": "B2"}
    assert find_file(paths, "/bin/../bin//a") == "A" and find_file(paths, "//bin/a") == "A"
    assert find_file(paths, "./a") == "A" and find_file(paths, "b") is None and find_file(paths, "/b") is None


@pytest.mark.parametrize("data", [b"", b"\x7fELF", b"#!/bin/sh\n", b"\x7fELF\x01\x01" + bytes(100), bytes(200)])
def test_what_is_no_elf(data: bytes) -> None:
    assert read_elf(data) is None


def test_programs_behind_links(tmp_path: Path) -> None:
    (tmp_path / "prog").write_bytes(b"\x7fELFxxxx")
    (tmp_path / "text").write_bytes(b"words")
    archive = Initramfs()
    archive.file("bin/prog", tmp_path / "prog")
    archive.file("etc/text", tmp_path / "text")
    archive.symlink("bin/link", "prog")
    archive.symlink("abs", "/bin/link")
    archive.symlink("loop", "loop")
    assert set(start.programs(archive)) == {"/bin/prog", "/bin/link", "/abs"}


# --- sessions' files, options ---


def test_a_process_is_not_taken_for_another() -> None:
    child = subprocess.Popen(["sleep", "60"])
    try:
        files.Process(child.pid, files.start_time(child.pid) + 1).kill()
        files.Process(child.pid, 0).kill()
        assert child.poll() is None
        one = files.process(child.pid)
        assert one.alive()
        one.kill()
        assert child.wait(5) == -9 and not one.alive()
    finally:
        child.kill()


def test_state_is_read_back_or_refused(tmp_path: Path) -> None:
    state = files.State("x", "x86_64", ["--smp", "2"], "/run", "/kernel", {"daemon": files.process(os.getpid())})
    state.write(tmp_path)
    assert files.read_state(tmp_path) == state and files.alive(tmp_path)
    for text in ("", "[]", "{}", '{"processes": 5}', "null"):
        (tmp_path / "state.json").write_text(text)
        assert files.read_state(tmp_path) is None


def test_sockets_with_long_names(tmp_path: Path) -> None:
    directory = tmp_path / ("d" * 120)
    directory.mkdir()
    listener = socket.socket(socket.AF_UNIX)
    before = os.getcwd()
    os.chdir(directory)
    try:
        listener.bind("control")
        listener.listen()
    finally:
        os.chdir(before)
    files.connect(directory, 1.0).close()
    listener.close()


@pytest.mark.parametrize("argv", [["frob"], ["cmd", "p", "--timeout", "0"], ["start", "--name", "../up"],
                                  ["start", "--stage", "x", "--break", "y"], ["status", "--name", "nobody"]])  # fmt: skip
def test_bad_usage_is_one_line(argv: list[str], tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setenv("CAIRN_STATE", str(tmp_path))
    monkeypatch.setattr(gdbproc, "find_gdb", lambda arch: "gdb")
    monkeypatch.setattr(options, "make_build", lambda found, targets: None)
    assert command.main(argv) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_names() -> None:
    for name in ("", ".", "..", "a/b", "-x", "a" * 65, "a\n"):
        with pytest.raises(UsageError):
            files.check_name(name)
    assert files.check_name("a.b-c_1") == "a.b-c_1"


def test_transcript_is_a_script() -> None:
    entries = [
        Entry("cmd", "print 'it''s' && rm -rf $HOME\nline 2", 3.0, {"seq": 1, "status": "stopped", "pc": "0x1"}),
        Entry("attach", "", 0, {}),
        Entry("interrupt", "", 5.0, {"seq": 2, "status": "stopped", "stop_reason": "a\nb"}),
    ]
    text = script("n", ["--smp", "2", "--", "/bin/x", "a b"], {"seq": 0, "status": "stopped"}, entries)
    assert subprocess.run(["sh", "-n"], input=text.encode(), check=False).returncode == 0
    echo = "printf '%s\\n' \"$@\""
    done = subprocess.run(
        ["sh"], input=text.replace('"$gdb_session"', "say").replace("set -u", f"say() {{ {echo}; }}").encode(),
        capture_output=True, check=True,
    )  # fmt: skip
    words = done.stdout.decode()
    assert entries[0].text in words and "a b" in words and "--name\nn-replay" in words and "person" in text
    assert "stopped a b" in text, "a reply is one comment line"
    assert command.replay_words(shlex.split("--name a --json --smp 2 --owner 5 -- p --name q")) == [
        "--smp", "2", "--", "p", "--name", "q"
    ]  # fmt: skip


# --- deadlines, against a GDB that is played ---


class PlayedGdb:
    """In place of gdbproc.Gdb: each line it is sent goes to `answer`, which may write MI."""

    def __init__(self) -> None:
        ours, self.theirs = socket.socketpair()
        ours.setblocking(False)
        self.ours, self.mi = ours, ours.fileno()
        self.lines: list[str] = []
        self.interrupts = 0
        self.answer: Callable[[str, str], str] = lambda token, line: f"{token}^done\n"
        threading.Thread(target=self.play, daemon=True).start()

    def play(self) -> None:
        with self.theirs.makefile("rb") as stream:
            for raw in stream:
                line = raw.decode().rstrip("\n")
                self.lines.append(line)
                token = line[: len(line) - len(line.lstrip("0123456789"))]
                self.say(self.answer(token, line[len(token) :]))

    def say(self, text: str) -> None:
        self.theirs.sendall(text.encode())

    def interrupt(self) -> None:
        self.interrupts += 1


class NoGuest:
    """In place of a session: QMP that nobody hears."""

    def __init__(self) -> None:
        self.qmp = self

    def post(self, command: str) -> None:
        pass


class Played:
    def __init__(self, directory: Path) -> None:
        self.gdb = PlayedGdb()
        guest: Any = NoGuest()
        gdb: Any = self.gdb
        self.core = Core(gdb, guest, directory)
        self.core.target.connected = True
        self.verbs = Verbs(self.core)
        self.over = False
        threading.Thread(target=self.pump, daemon=True).start()

    def pump(self) -> None:
        """As the daemon's main thread."""
        stream = MiStream()
        while not self.over:
            try:
                data = os.read(self.gdb.mi, 4096)
            except BlockingIOError:
                time.sleep(0.002)
                continue
            with self.core.cond:
                for record in stream.feed(data):
                    self.core.target.record(record)
                self.core.cond.notify_all()

    def ask(self, verb: str, text: str = "", timeout_s: float = 1.0) -> dict[str, Any]:
        return self.verbs.serve({"verb": verb, "text": text, "timeout_s": timeout_s})

    def die(self, status: int) -> None:
        with self.core.cond:
            self.core.target.gdb_end = status
            self.core.cond.notify_all()


@pytest.fixture
def played(tmp_path: Path) -> Iterator[Played]:
    found = Played(tmp_path)
    yield found
    found.over = True


def answers(token: str, line: str) -> str:
    if "interpreter-exec" not in line:
        return f'{token}^done,frame={{addr="0x10",func="f"}}\n'
    if "slow" in line:
        return ""
    return f'~"out of {line.split()[-1].strip(chr(34))}\\n"\n{token}^done\n'


def test_a_late_reply_never_shifts(played: Played) -> None:
    gdb = played.gdb
    gdb.answer = answers
    assert played.ask("cmd", "one")["output"] == "out of one\n"
    began = time.monotonic()
    reply = played.ask("cmd", "slow", 0.2)
    assert reply["status"] == "busy" and 0.15 < time.monotonic() - began < 1.0
    slow = next(line for line in gdb.lines if "slow" in line)
    assert played.ask("cmd", "two", 0.2)["status"] == "busy"
    assert not any("two" in line for line in gdb.lines), "nothing is sent behind a command that is not done"
    gdb.say(f'~"out of slow\\n"\n{slow.partition("-")[0]}^done\n')
    reply = played.ask("wait")
    assert (reply["status"], reply["output"]) == ("stopped", "out of slow\n")
    reply = played.ask("cmd", "three")
    assert (reply["output"], reply["pc"]) == ("out of three\n", "0x10") and "earlier" not in reply
    assert [entry.reply["seq"] for entry in played.verbs.book.entries] == [1, 2, 3, 4, 5]


def test_a_death_ends_every_wait_at_once(played: Played) -> None:
    played.gdb.answer = lambda token, line: ""
    threading.Timer(0.2, played.die, [-11]).start()
    began = time.monotonic()
    reply = played.ask("cmd", "anything", 30.0)
    assert reply["status"] == "gdb-died" and time.monotonic() - began < 1.0
    assert played.ask("wait", "", 30.0)["status"] == "gdb-died" and time.monotonic() - began < 1.0


def test_a_target_that_never_stops(played: Played) -> None:
    played.gdb.answer = lambda token, line: f'{token}^running\n*running,thread-id="all"\n' if '"c &"' in line else ""
    began = time.monotonic()
    reply = played.ask("cmd", "c", 0.3)
    assert reply["status"] == "running" and time.monotonic() - began < 1.0
    assert played.ask("wait", "", 0.2)["status"] == "running"
    reply = played.ask("interrupt", "", 0.5)
    assert reply["status"] in ("busy", "running") and time.monotonic() - began < 3.0


def test_a_stop_that_goes_on_by_itself_is_none(played: Played) -> None:
    """Breakpoint commands that continue: GDB says stopped, and runs again before it reads the next command."""
    gdb, state = played.gdb, {"stops": 0}

    def answer(token: str, line: str) -> str:
        if '"c &"' in line:
            return f'{token}^running\n*running,thread-id="all"\n*stopped,reason="breakpoint-hit",bkptno="1"\n'
        if "evaluate" in line and not state["stops"]:
            state["stops"] = 1
            return f'*running,thread-id="all"\n{token}^error,msg="running"\n'
        return f'{token}^done,frame={{addr="0x20"}}\n'

    gdb.answer = answer
    threading.Timer(0.3, gdb.say, ['*stopped,reason="breakpoint-hit",bkptno="2"\n']).start()
    reply = played.ask("cmd", "c", 2.0)
    assert (reply["status"], reply["stop_reason"], reply["pc"]) == ("stopped", "breakpoint-hit 2", "0x20")


def test_a_block_that_asks_for_lines_is_ended(played: Played) -> None:
    def answer(token: str, line: str) -> str:
        if line == "end":
            return "1^done\n"
        return '~">"\n' if "odd" in line else f"{token}^done\n"

    played.gdb.answer = answer
    assert played.ask("cmd", "odd")["status"] == "stopped"


def test_unknown_verbs_and_hostile_requests(played: Played) -> None:
    bad: dict[str, Any] = {"verb": ["x"], "timeout_s": "soon"}
    assert played.verbs.serve(bad)["status"] == "error"
    assert played.verbs.serve({"verb": "cmd", "text": 5, "timeout_s": -1, "max_output": "all"})["status"] == "stopped"


ROMS = (
    '/rom@etc/acpi/rsdp size=0x001000 name="etc/acpi/rsdp"\r\n'
    'addr=0000000040000000 size=0x000028 mem=ram name="bootloader"\r\n'
    'addr=0000000040200000 size=0x267000 mem=ram name="/a "b"/Image"\r\n'
)


def test_where_qemu_has_put_the_image() -> None:
    assert rom_address(ROMS, '/a "b"/Image') == 0x40200000
    for listing, name in ((ROMS, "/Image"), ("", "x"), ("\0\xff addr=z", "x")):
        with pytest.raises(InfraError, match="where it has put"):
            rom_address(listing, name)
    assert EarlyCode('"a.o"', ".head.text", 0, 0x40200000).symbols() == '"a.o" -s .head.text 0x40200000'
    assert EarlyCode("", ".head.text", 0, None).symbols() == ""
