"""The `cairn` commands of gdb/, on a guest of four CPUs that userspace/programs/gdbstate.c has brought into a
known state: live over QEMU's stub, on memory cores, and on memory that was damaged on purpose; on both ports.

One boot of each serves all: its cores are taken first, then GDB runs once for each kind, in batch mode."""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ...build import Build
from ...guest import launch
from ...guest.machine import QMP, SERIAL, GuestSpec, find_machine
from ...guest.qmp import Qmp
from ...initramfs import Initramfs
from .conftest import BUILD, REPO

READY = b"gdbstate ready"
BOOT_LIMIT_S, GDB_LIMIT_S = 60.0, 120.0
BANNED = ("Traceback", "Python Exception", "internal error", "Error occurred in Python")
MARK = "@@@ "

# Every command with arguments that fit the state; all must work, live and on cores. (sigframe is asked for
# by the thread's name, which becomes its number.)
GOOD = (
    "ps", "ps --threads", "bt", "bt all", "bt running --lines", "bt {reader} --user", "current", "runq", "locks",
    "locks --all", "waitq", "waitq rcu_wait", "futex", "vmmap 1", "vmmap 1 --rss", "pt 0x10000000 1",
    "pt 0x10001000 1", "pt 0x10002000 1", "pt 0x10004000 1", "pt 0x30000000 1", "pt kernel_main",
    "pt 0x1000000000000", "page 0x10000000 1", "page 0x10005000 1", "page {image}", "page &kernel_root",
    "heap --check", "vmalloc", "slab", "slab thread", "slab --check", "files 1", "mounts", "proc 1",
    "proc {threads}", "pstree", "syscalls {reader}", "syscalls {threads}", "signals {pending}",
    "sigframe {alternate}", "sigframe {normal}", "sigframe {reader}", "timers", "irqs", "rcu", "percpu",
    "percpu preempt_count", "percpu current_thread 2", "dmesg 5", "stage", "sysinfo", "sym kernel_main",
    "sym &run_queues", "list all_threads 'struct thread' all_link", "events", "check",
)  # fmt: skip
# What must be refused, and in which words.
REFUSED = {
    "nonsense": "there is no command nonsense",
    "ps --nonsense": "unknown option --nonsense",
    "vmmap": "PID missing",
    "vmmap x": "PID is a number, not x",
    "vmmap 31999": "there is no process or thread 31999",
    "files 1 2": "one argument too many",
    "bt 31999": "there is no thread 31999",
    "pt no_such_symbol": "no_such_symbol",
    "page 0x7777777777": "is no memory",
    "page 0x30000000 1": "has no page in address space of 1",
    "sigframe {reader} 0x30000000": "is not mapped",
    "percpu nonsense": "there is no per-CPU variable nonsense",
    "slab 0x1234": "is in no slab",
    "path 0x1234": "is no file, dentry or inode",
    "list 0x1234": "0x1234 is no kernel address",
    "dmesg 0": "0 lines cannot be shown",
    "core /dev/null": "not a little-endian ELF64 file",
}


@dataclass(frozen=True)
class Port:
    """What differs between the ports, and what GDB has to say about it."""

    arch: str
    build: Path
    gdb: str
    image: int  # frame of the kernel's image
    ends: tuple[str, ...]  # of backtraces
    serial: str  # who handles its interrupt
    execute: str  # user mode runs what is not executable
    absent: str  # writes a page that is not there
    protected: str  # writes one shared for copy on write
    paged: bool = False  # cores with virtual addresses can be made

    @property
    def kernel(self) -> Path:
        return REPO / self.build / "cairn.elf"


PORTS = {
    "x86_64": Port(
        "x86_64", BUILD, "gdb", 0x200, ("start64", "ap_entry"), "serial",
        "NX); error code 0x15", "error code 0x6", "error code 0x7", paged=True,
    ),
    "aarch64": Port(
        "aarch64", Path(os.environ.get("O_AARCH64", "build/aarch64")), "gdb-multiarch", 0x40200,
        ("start_high", "secondary_start", "exception_vectors"), "serial",
        "UXN); ESR 0x8200000f (instruction abort, permission fault, level 3)",
        "ESR 0x92000047 (data abort, translation fault, level 3)",
        "ESR 0x9200004f (data abort, permission fault, level 3)",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class State:
    port: Port
    gdb_socket: Path
    paged: Path
    physical: Path
    raw: Path  # as physical, never loaded by cairn core
    numbers: dict[str, int]  # of the first thread of each name, and the image's frame


def wait_ready(guest: launch.Guest, text: bytes = READY) -> None:
    seen = b""
    deadline = time.monotonic() + BOOT_LIMIT_S
    while text not in seen:
        assert time.monotonic() < deadline and guest.poll() is None, seen[-2000:]
        channels = [channel for name, channel in guest.channels.items() if name != QMP]
        for ready in select.select(channels, [], [], 0.2)[0]:
            data = ready.recv(65536)
            if ready is guest.channels[SERIAL]:
                seen += data


@pytest.fixture(scope="session", params=PORTS)
def port(request: pytest.FixtureRequest) -> Port:
    found = PORTS[request.param]
    if shutil.which(found.gdb) is None:
        pytest.skip(f"{found.gdb} is not installed (scripts/setup.sh debug)")
    if found.arch != "x86_64":  # that is built for every test here
        make = ["make", "-s", f"ARCH={found.arch}", f"O={found.build}", "kernel", "user", "programs"]
        subprocess.run(make, cwd=REPO, check=True, timeout=900)
    return found


def spec_of(port: Port, initrd: Path | None, words: str, smp: int, socket: Path, *extra: str) -> GuestSpec:
    machine = find_machine(port.arch, None)
    return GuestSpec(machine, port.kernel, initrd, words, smp, "128M", gdb_socket=socket, extra=list(extra))


@pytest.fixture(scope="module")
def state(port: Port, tmp_path_factory: pytest.TempPathFactory) -> Iterator[State]:
    """The guest, stopped, and its cores."""
    directory = tmp_path_factory.mktemp("gdb")
    build = Build(port.arch, out=REPO / port.build)
    archive = Initramfs()
    archive.file("init", build.user("gdbstate"), 0o755)
    archive.write(directory / "initramfs.cpio")
    socket = directory / "gdb"
    spec = spec_of(port, directory / "initramfs.cpio", "", 4, socket)
    with launch.ended_at_exit(launch.launch(spec, directory)) as guest:
        wait_ready(guest)
        qmp = Qmp(guest.channels[QMP])
        paged, physical, raw = (directory / f"{name}.core" for name in ("paged", "physical", "raw"))
        numbers = stop_in_user_mode(qmp, port, socket) | {"image": port.image}
        found = State(port, socket, paged, physical, raw, numbers)
        for path, paging in ((found.paged, True), (found.physical, False), (found.raw, False)):
            if paging and not port.paged:
                continue
            qmp.execute("dump-guest-memory", {"paging": paging, "protocol": f"file:{path}"}, timeout_s=60.0)
        yield found


def stop_in_user_mode(qmp: Qmp, port: Port, socket: Path) -> dict[str, int]:
    """Stopped in the middle of a change of a list, the guest would seem to be damaged. The threads' numbers."""
    for _ in range(20):
        qmp.execute("cont", timeout_s=10.0)
        time.sleep(0.1)
        qmp.execute("stop", timeout_s=10.0)
        current, ps = map(json.loads, gdb(port, [f"target remote {socket}"], ["cairn current --json", "cairn ps --json"]))
        if all(sound_place(row) for row in rows(current, "cpus")):
            return {row["comm"]: row["tid"] for row in reversed(rows(ps, "threads"))}
    raise AssertionError("the guest never computes on all CPUs")


def sound_place(row: dict[str, Any]) -> bool:
    """Where no list is being changed: aarch64's vectors are entered from such places only."""
    in_vector = str(row["place"]).startswith("exception_vectors+")
    return row["mode"] == "user" or row["interrupts"] == "on" or in_vector


def gdb(port: Port, target: list[str], commands: list[str]) -> list[str]:
    """Runs commands in one batch; what each printed."""
    script = ["set pagination off", "source gdb/load.py", *target]
    args = [port.gdb, "-nx", "-q", "-batch", str(port.kernel)]
    for line in script:
        args += ["-ex", line]
    for line in commands:
        args += ["-ex", f"echo \\n{MARK}\\n", "-ex", line]
    args += ["-ex", f"echo \\n{MARK}\\n", "-ex", "disconnect"]  # detaching would let the guest run
    done = subprocess.run(
        args, cwd=REPO, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        timeout=GDB_LIMIT_S, check=False,
    )  # fmt: skip
    text = done.stdout.decode(errors="replace")
    for word in BANNED:
        assert word not in text, text[max(0, text.index(word) - 500) : text.index(word) + 1500]
    parts = text.split(f"\n{MARK}")
    assert len(parts) == len(commands) + 2, text[-3000:]
    return [part.strip() for part in parts[1:-1]]


def attach(state: State) -> list[str]:
    return [f"target remote {state.gdb_socket}"]


def rows(answer: dict[str, Any], table: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = answer["tables"][table]
    return found


def good_answers(state: State, target: list[str]) -> dict[str, dict[str, Any]]:
    lines = [f"cairn {command.format(**state.numbers)} --json" for command in GOOD]
    answers = dict(zip(GOOD, (json.loads(text) for text in gdb(state.port, target, lines))))
    wrong = {command: answer["problems"] for command, answer in answers.items() if answer["problems"]}
    assert not wrong
    return answers


@pytest.fixture(scope="module", params=["live", "paged core", "physical core"])
def answers(request: pytest.FixtureRequest, state: State) -> dict[str, dict[str, Any]]:
    targets = {
        "live": attach(state),
        "paged core": [f"core-file {state.paged}"],
        "physical core": [f"cairn core {state.physical}"],
    }
    if request.param == "paged core" and not state.port.paged:
        pytest.skip("QEMU makes no cores with virtual addresses of this port")
    return good_answers(state, targets[request.param])


def test_threads(answers: dict[str, dict[str, Any]]) -> None:
    found = rows(answers["ps"], "threads")
    states = {row["comm"]: row["s"] for row in found}
    assert states["reader"] == states["futex"] == "S" and states["stopped"] == "T"
    assert sum(row["comm"] == "computes" for row in found) == 6
    assert any(row["comm"].startswith("idle") for row in found) and states["rcu"] == "D"
    assert [row["pid"] for row in rows(answers["ps"], "zombies")]


def test_running_threads(answers: dict[str, dict[str, Any]]) -> None:
    found = rows(answers["current"], "cpus")
    assert len(found) == 4 and [row["cpu"].rstrip("*") for row in found] == ["0", "1", "2", "3"]
    assert sum(row["comm"] == "computes" for row in found) >= 3
    queued = rows(answers["runq"], "queued")
    assert sum(row["comm"] == "computes" for row in queued) == 6


def test_backtraces(port: Port, answers: dict[str, dict[str, Any]]) -> None:
    [table] = answers["bt {reader} --user"]["tables"].values()
    places = [row["where"] for row in table]
    assert any(place.startswith("pipe_read+") for place in places), places
    assert any(place.startswith("syscall_entry+") for place in places), places
    assert places[-1].startswith("user mode: /init+"), places
    everyone = answers["bt all"]["tables"]
    assert len(everyone) >= 20 and "thread 0 (idle/3)" in everyone and all(everyone.values())
    ends = [table[-1]["where"] for table in everyone.values()]
    known = ("user mode:", "thread_entry", *port.ends)  # or where user mode was just interrupted
    assert all(end.startswith(known) for end in ends), ends


def test_waiting(answers: dict[str, dict[str, Any]]) -> None:
    futexes = rows(answers["futex"], "waiters")
    assert len(futexes) == 3 and {row["value"] for row in futexes} == {"0"}
    assert any(row["comm"] == "reader" for row in rows(answers["waitq"], "sleepers"))
    assert [row["thread"] for row in rows(answers["waitq rcu_wait"], "waiters")] == ["thread -1 (rcu)"]
    kinds = {row["kind"] for row in rows(answers["locks --all"], "held")}
    assert kinds == {"spinlock", "mutex", "rwsem"}


def accesses(answer: dict[str, Any]) -> dict[tuple[str, str], tuple[bool, str]]:
    found = rows(answer, "accesses")
    return {(row["mode"], row["access"]): (row["works"], f"{row['why']} | {row['then']}") for row in found}


def test_page_tables(port: Port, answers: dict[str, dict[str, Any]]) -> None:
    touched = accesses(answers["pt 0x10000000 1"])
    assert touched["user", "write"][0] and not touched["user", "execute"][0]
    assert port.execute in touched["user", "execute"][1]
    untouched = accesses(answers["pt 0x10001000 1"])["user", "write"]
    assert not untouched[0] and port.absent in untouched[1] and "resolved" in untouched[1]
    kept = accesses(answers["pt 0x10002000 1"])["user", "read"]
    assert "PROT_NONE" in kept[1] and "SEGV_ACCERR" in kept[1]
    shared = accesses(answers["pt 0x10004000 1"])
    assert shared["user", "read"][0] and port.protected in shared["user", "write"][1]
    assert "copied" in shared["user", "write"][1]
    assert "SEGV_MAPERR" in accesses(answers["pt 0x30000000 1"])["user", "read"][1]
    kernel = accesses(answers["pt kernel_main"])
    assert kernel["kernel", "execute"][0] and not kernel["kernel", "write"][0] and not kernel["user", "read"][0]
    assert "not canonical" in accesses(answers["pt 0x1000000000000"])["kernel", "read"][1]


def test_memory(answers: dict[str, dict[str, Any]]) -> None:
    mappings = {row["start"]: row for row in rows(answers["vmmap 1 --rss"], "mappings")}
    assert mappings["0x10000000"]["prot"] == "rw-p" and mappings["0x10000000"]["rss_kib"] == 4
    assert mappings["0x10002000"]["prot"] == "---p" and mappings["0x10005000"]["name"] == "/tmp/a-file"
    assert {"[heap]", "[stack]", "[vdso]"} <= {row["name"] for row in mappings.values()}
    assert "anonymous memory of thread 1 (init) at 0x10000000" in answers["page 0x10000000 1"]["notes"][0]
    assert "page 0 of the page cache of inode" in answers["page 0x10005000 1"]["notes"][0]
    assert "kernel image" in answers["page {image}"]["notes"][0]
    totals = {row["what"]: row["pages"] for row in rows(answers["heap --check"], "totals")}
    assert 0 < totals["free in lists"] < totals["total"] < 128 * 256
    caches = {row["cache"]: row for row in rows(answers["slab"], "caches")}
    assert caches["thread"]["active"] >= 20 and caches["file"]["empty"] >= 0


def test_files(answers: dict[str, dict[str, Any]]) -> None:
    paths = [row["path"] for row in rows(answers["files 1"], "files")]
    assert "/dev/console" in paths and "/tmp/a-file" in paths and any("timerfd" in path for path in paths)
    assert sum(path.startswith("pipe:[") for path in paths) == 2
    assert [row["path"] for row in rows(answers["mounts"], "mounts")] == ["/", "/tmp", "/tmp/all", "/dev"]


def test_signals(answers: dict[str, dict[str, Any]]) -> None:
    alternate = {row["what"]: row["value"] for row in rows(answers["sigframe {alternate}"], "frame 0")}
    assert alternate["on"] == "alternate stack, 0x20000000 to 0x20010000"
    assert alternate["signal"] == "SIGUSR1, SI_TKILL"
    assert alternate["its stack"].split(": ")[1].startswith("normal stack")
    normal = {row["what"]: row["value"] for row in rows(answers["sigframe {normal}"], "frame 0")}
    assert normal["on"].startswith("normal stack, [stack]") and normal["signal"] == "SIGUSR2, SI_TKILL"
    assert "in no signal handler" in answers["sigframe {reader}"]["notes"][0]
    pending = {(row["of"], row["signal"]) for row in rows(answers["signals {pending}"], "pending")}
    assert ("process", "SIGRTMIN+2") in pending and any(signal == "SIGUSR1" for _, signal in pending)


def test_system_calls(answers: dict[str, dict[str, Any]]) -> None:
    last = rows(answers["syscalls {reader}"], "calls")[-1]
    assert last["call"] == "read" and last["result"] == "(under way)"
    threads = rows(answers["syscalls {threads}"], "calls")
    assert len({row["tid"] for row in threads}) == 4
    assert sum(row["call"] == "futex" and row["result"] == "(under way)" for row in threads) == 3


def test_the_rest(port: Port, answers: dict[str, dict[str, Any]]) -> None:
    assert any("tick" in row["fn"] for row in rows(answers["timers"], "timers"))
    assert any(port.serial in row["handlers"] for row in rows(answers["irqs"], "lines"))
    assert len(rows(answers["rcu"], "cpus")) == len(rows(answers["percpu preempt_count"], "values")) == 4
    assert len(answers["dmesg 5"]["notes"]) == 5
    assert rows(answers["sysinfo"], "system")[3]["value"] == "0 1 2 3"
    assert len(rows(answers["list all_threads 'struct thread' all_link"], "elements")) >= 20
    assert len(rows(answers["pstree"], "processes")) >= 14


PRETENCE = """\
import cairn.target as t, cairn.tasks as s, gdb
def put(addr, value, size=8):
    t.begin(60.0)
    t.require_kernel()
    old = int.from_bytes(t.read(addr, size), "little")
    t.write(addr, value.to_bytes(size, "little"))
    undo.append((addr, old, size))
undo = []
t.begin(60.0)
t.require_kernel()
lock, mutex = t.global_obj("pid_lock", ".c"), t.global_obj("mount_mutex", ".c")
sleeper, owner = s.find_thread(READER).at("waiting_on"), s.current(0).addr
put(lock.at("locked"), 3, 1)
put(t.percpu_addr(1, "spin_waiting"), lock.addr)
put(mutex.at("owner"), owner)
put(sleeper, mutex.at("wait"))
gdb.execute("cairn locks --json")
for addr, old, size in list(undo):
    put(addr, old, size)
"""


def test_locks_held_and_waited_for(state: State, tmp_path: Path) -> None:
    """Held by pretence: what the locks' words say is what is shown."""
    script = tmp_path / "pretence.py"
    script.write_text(PRETENCE.replace("READER", str(state.numbers["reader"])))
    said = gdb(state.port, attach(state), [f"source {script}"])
    answer = json.loads(said[0])
    held = {row["lock"]: row["held_by"] for row in rows(answer, "held")}
    assert held["pid_lock"] == "cpu 2" and held["mount_mutex"].startswith("thread "), said
    waited = {row["who"]: (row["lock"], row["held_by"]) for row in rows(answer, "waited")}
    assert waited["cpu 1"] == ("pid_lock", "cpu 2")
    [sleeper] = [waited[who] for who in waited if "(reader)" in who]
    assert sleeper == ("mount_mutex", held["mount_mutex"])


def test_all_cpus_in_user_mode(state: State) -> None:
    """QEMU's stub then shows no kernel memory of aarch64: the commands read physical memory. (By pretence: what
    the mode is says a register.)"""
    if state.port.arch != "aarch64":
        pytest.skip("x86_64's stub shows kernel memory in every mode")
    enter = [line for n in range(1, 5) for line in (f"thread {n}", f"set $was{n} = $cpsr", "set $cpsr = 0")]
    leave = [line for n in range(1, 5) for line in (f"thread {n}", f"set $cpsr = $was{n}")]
    lines = [*enter, "p cpu_online_mask"]
    asked = ["cairn ps --json", "cairn heap --check --json", "cairn percpu preempt_count --json", "cairn check --json"]
    said = gdb(state.port, attach(state), [*lines, *asked, *leave])
    assert "Cannot access memory" in said[len(lines) - 1], "the reason for all this"
    answers = [json.loads(text) for text in said[len(lines) : len(lines) + len(asked)]]
    assert not [answer["problems"] for answer in answers if answer["problems"]]
    assert len(rows(answers[0], "threads")) >= 20


def test_refusals(state: State) -> None:
    """Live; in words, never a traceback (gdb() looks for one)."""
    said = gdb(state.port, attach(state), [f"cairn {command.format(**state.numbers)}" for command in REFUSED])
    for (command, words), text in zip(REFUSED.items(), said):
        assert words in text and text.count("\n") <= 1, f"cairn {command}: {text}"


def test_help_and_completion(state: State) -> None:
    questions = ["complete cairn ", "complete cairn ps --", "complete cairn vmmap "]
    listed, helped, commands, options, numbers = gdb(state.port, attach(state), ["cairn --json", "help cairn pt", *questions])
    found = [row["command"].split()[1] for row in rows(json.loads(listed), "commands")]
    assert len(found) >= 20
    assert {f"cairn {name}" for name in found} <= set(commands.splitlines())
    assert "usage: cairn pt ADDR [PID] [--json]" in helped
    assert "cairn ps --threads" in options and "cairn vmmap 1" in numbers.splitlines()
    assert {word.split()[0] for word in GOOD} | {"core", "path"} == set(found)


def test_no_kernel(state: State) -> None:
    """Without a target; without an ELF file; with a core that has no kernel addresses."""
    [text] = gdb(state.port, [], ["cairn ps"])
    assert text == "cairn ps: no kernel: attach to one (target remote ...) or load a core (cairn core FILE)"
    [text] = gdb(state.port, ["file", *attach(state)], ["cairn ps"])
    assert "no kernel symbols" in text
    [text] = gdb(state.port, [f"core-file {state.raw}"], ["cairn ps"])
    assert text == "cairn ps: this core has no kernel addresses: load it with `cairn core FILE`"


def test_before_the_kernel_runs(port: Port, tmp_path: Path) -> None:
    """At reset, and at the kernel's first function, where next to nothing is set up; a CPU that sleeps still."""
    socket = tmp_path / "gdb"
    with launch.ended_at_exit(launch.launch(spec_of(port, None, "", 2, socket, "-S"), tmp_path)):
        commands = [f"cairn {name}" for name in ("ps", "current", "bt", "check", "dmesg")]
        start = ["tbreak kernel_main", "continue"]
        other = ["thread 2", "cairn current", "cairn bt"]
        said = gdb(port, [f"target remote {socket}"], [*commands, *start, *commands, *other])
    assert all("has not set up its page tables yet" in text for text in said[: len(commands)]), said
    started = said[len(commands) + len(start) :]
    assert "kernel_main" in started[1] and "kernel_main" in started[2] and "nothing written" in started[4], started
    assert "never initialised" in started[3] and "half done rather than damaged: cpu 0 is in kernel_main+0x0. Continue" in started[3], started
    assert "kernel_main" in started[-2] and started[-1] == "cairn bt: cpu 1 is not online", started


def test_deadlock(port: Port, tmp_path: Path) -> None:
    """Two CPUs that wait for each other's lock: the circle is named, and who came how far."""
    socket = tmp_path / "gdb"
    spec = spec_of(port, None, "crash_test=deadlock", 2, socket)
    with launch.ended_at_exit(launch.launch(spec, tmp_path)) as guest:
        wait_ready(guest, b"the machine has stopped")
        said = gdb(port, [f"target remote {socket}"], ["cairn locks --json", "cairn bt running", "cairn sysinfo"])
    answer = json.loads(said[0])
    [note] = [note for note in answer["notes"] if note.startswith("deadlock: ")]
    assert "cpu 0 waits for lock_b, held by cpu 1" in note and "cpu 1 waits for lock_a, held by cpu 0" in note
    assert "die_deadlock+" in said[1] and "other_order+" in said[1]
    if port.arch == "x86_64":  # with aarch64 both may find it out, and neither is interrupted by the other
        assert "<- interrupted here" in said[1]
    assert "has panicked" in said[2]


def sound(one: dict[str, Any]) -> bool:
    return "broken" not in one and bool(re.search(one["pattern"], one["error"])) and one["took_s"] < 15


def test_damage(state: State) -> None:
    """Each damaged structure is named in an error, in no time; nothing hangs, nothing shows a traceback."""
    [text] = gdb(state.port, attach(state), ["source gdb/damage.py"])
    assert "DAMAGE-END" in text
    cases = [json.loads(line.removeprefix("DAMAGE ")) for line in text.splitlines() if line.startswith("DAMAGE ")]
    assert len(cases) >= 60
    wrong = [one for one in cases if not sound(one)]
    assert not wrong, json.dumps(wrong, indent=1)
    [name] = [one for one in cases if one["case"] == "thread: name"]
    assert "\\x1b[2J" in name["text"] and "\x1b" not in name["text"]
