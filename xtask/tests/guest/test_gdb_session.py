"""GDB sessions on real guests, by the script that people use."""

from __future__ import annotations

import json
import os
import pty
import select
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from xtask.gdb import command, files

from .conftest import BUILD, REPO

SCRIPT = REPO / "scripts" / "gdb_session.sh"
ARM_BUILD = os.environ.get("O_AARCH64", "build/aarch64")
ARM_CC = "aarch64-linux-gnu-gcc"
LOADER_AND_LIBRARY = {
    "x86_64": ("/lib64/ld-linux-x86-64.so.2:/lib64/ld-linux-x86-64.so.2", "/lib/x86_64-linux-gnu/libc.so.6:/lib/libc.so.6"),
    "aarch64": tuple(f"/usr/aarch64-linux-gnu/lib/{name}:/lib/{name}" for name in ("ld-linux-aarch64.so.1", "libc.so.6")),
}
KINDS = {"static": ("-static", "-no-pie"), "static-pie": ("-static-pie", "-fPIE"), "dynamic": ("-pie", "-fPIE")}
pytestmark = pytest.mark.skipif(shutil.which("gdb") is None, reason="gdb is not installed (scripts/setup.sh debug)")

PROGRAM = """\
#include <pthread.h>
static int sum;
__attribute__((noinline)) int triple(int x) { __asm__ volatile(""); return 3 * x; }
static void *work(void *p) { __atomic_add_fetch(&sum, triple((int)(long)p), __ATOMIC_SEQ_CST); return p; }
int main(int argc, char **argv)
{
	pthread_t t[2];
	triple(argc);
	for (long i = 0; i < 2; i++)
		pthread_create(&t[i], 0, work, (void *)(i + 10));
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], 0);
	for (;;)
		__asm__ volatile("");
}
"""

Reply = dict[str, Any]


class Sessions:
    """The script, with sessions of this test only."""

    def __init__(self, directory: Path) -> None:
        self.base = directory / "gdb"
        self.env = {**os.environ, "CAIRN_STATE": str(directory), "O": str(BUILD)}

    def run(self, *words: str, limit_s: float = 60.0) -> tuple[int, str, str]:
        done = subprocess.run(
            [str(SCRIPT), *words], cwd=REPO, env=self.env, capture_output=True, text=True, timeout=limit_s,
            stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout, done.stderr

    def start(self, name: str, *words: str, owner: int = 0, arch: str = "x86_64") -> Reply:
        options = ["--name", name, "--json", "--no-build", "--owner", str(owner or os.getpid())]
        if arch != "x86_64":
            options += ["--arch", arch, "--build-dir", ARM_BUILD]
        _, out, err = self.run("start", *options, *words)
        assert out, err
        found = json.loads(out)
        assert isinstance(found, dict)
        return found

    def ask(self, verb: str, name: str, text: str = "", timeout_s: float = 20.0) -> Reply:
        """As the script does, without starting an interpreter each time."""
        return command.ask(self.base / name, {"verb": verb, "text": text}, timeout_s)

    def cmd(self, name: str, text: str, timeout_s: float = 20.0) -> Reply:
        return self.ask("cmd", name, text, timeout_s)

    def process(self, name: str, what: str) -> files.Process:
        state = files.read_state(self.base / name)
        assert state is not None
        return state.processes[what]


@pytest.fixture
def sessions(tmp_path: Path) -> Iterator[Sessions]:
    found = Sessions(tmp_path / "sessions")
    yield found
    assert found.run("stop", "--all")[0] == 0
    left = list(found.base.iterdir()) if found.base.exists() else []
    assert not left


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    directory = tmp_path_factory.mktemp("program")
    (directory / "threads.c").write_text(PROGRAM)

    def build(*flags: str, cc: str = "gcc") -> str:
        out = directory / "".join(("threads", cc, *flags))
        subprocess.run([cc, "-g", "-O1", *flags, str(directory / "threads.c"), "-o", str(out)], check=True)
        return str(out)

    return build


@pytest.fixture(scope="module")
def arm() -> str:
    """The second port, built."""
    if shutil.which("gdb-multiarch") is None:
        pytest.skip("gdb-multiarch is not installed (scripts/setup.sh debug)")
    make = ["make", "-s", "ARCH=aarch64", f"O={ARM_BUILD}", "kernel", "user"]
    subprocess.run(make, cwd=REPO, check=True, timeout=900)
    return "aarch64"


def added(kind: str, arch: str) -> list[str]:
    """What a program of this kind needs in the guest."""
    found = LOADER_AND_LIBRARY[arch] if kind == "dynamic" else ()
    return [word for text in found for word in ("--add", text)]


def within(limit_s: float, body: Callable[[], Any]) -> Any:
    began = time.monotonic()
    found = body()
    assert time.monotonic() - began < limit_s, found
    return found


def gone(one: files.Process, limit_s: float = 3.0) -> bool:
    deadline = time.monotonic() + limit_s
    while one.alive() and time.monotonic() < deadline:
        time.sleep(0.02)
    return not one.alive()


def test_from_reset_to_a_stage_of_the_kernel(sessions: Sessions) -> None:
    """The CPU's start state, 32 bits without paging, then C: one session."""
    first = sessions.start("early", "--break", "reset")
    assert (first["status"], first["stop_reason"], first["pc"]) == ("stopped", "reset", "0xfff0")
    assert "ljmp" in sessions.cmd("early", "x/i 0xfffffff0")["output"], "real-mode code is decoded as such"
    assert sessions.cmd("early", "info registers cr0")["output"].split()[1] == "0x60000010"
    assert sessions.cmd("early", "thbreak pvh_entry")["status"] == "stopped"
    entry = sessions.cmd("early", "c")
    assert entry["where"].startswith("pvh_entry") and int(entry["pc"], 16) < 1 << 32
    assert "cmpl\t$0x336ec578" in sessions.cmd("early", "x/6i $pc")["output"], "32-bit code too"
    assert int(sessions.cmd("early", "stepi")["pc"], 16) == int(entry["pc"], 16) + 1
    sessions.cmd("early", "break kernel_main")
    main = sessions.cmd("early", "continue")
    assert main["where"].startswith("kernel_main") and int(main["pc"], 16) >> 32 == 0xFFFFFFFF
    assert "start64" in sessions.cmd("early", "bt")["output"]
    answer = sessions.cmd("early", "p 6*7")
    assert answer["seq"] == main["seq"] + 2 and answer["output"].endswith("= 42\n")


def test_begins_at_a_stage(sessions: Sessions) -> None:
    """One in user space; test_without_a_verb begins at one of the kernel's own."""
    reply = sessions.start("stage", "--stage", "enosys", "--smp", "2")
    assert reply["status"] == "stopped" and reply["where"].startswith("run_user_stage")
    assert '"enosys"' in sessions.cmd("stage", "p s->id")["output"]
    assert "stage enosys is running" in sessions.cmd("stage", "cairn stage")["output"]


def test_from_reset_to_a_stage_on_aarch64(sessions: Sessions, arm: str) -> None:
    """QEMU's boot code, the first page without translation, then C, then a stage of the second port."""
    first = sessions.start("arm", "--break", "reset", "--smp", "2", "--kernel-args", "stages=enosys", arch=arm)
    assert (first["status"], first["stop_reason"], first["pc"]) == ("stopped", "reset", "0x40000000"), first
    sessions.cmd("arm", "thbreak *0x40200000")
    entry = sessions.cmd("arm", "c")
    assert entry["where"].startswith("image_header") and entry["pc"] == "0x40200000"
    assert sessions.cmd("arm", "stepi")["where"].startswith("start ")
    sessions.cmd("arm", "thbreak kernel_main")
    main = sessions.cmd("arm", "c")
    assert main["where"].startswith("kernel_main") and int(main["pc"], 16) >> 32 == 0xFFFFFFFF
    sessions.cmd("arm", "thbreak run_user_stage")
    assert sessions.cmd("arm", "c")["where"].startswith("run_user_stage")
    assert "stage enosys is running" in sessions.cmd("arm", "cairn stage")["output"]


@pytest.mark.parametrize("kind", KINDS)
def test_user_program_on_aarch64(sessions: Sessions, arm: str, program: Callable[..., str], kind: str) -> None:
    """By symbol, with threads on four CPUs; the kernel is seen by the commands from a CPU in user mode."""
    words = ("--smp", "4", *added(kind, arm), "--break", "triple", "--", program(*KINDS[kind], cc=ARM_CC))
    reply = sessions.start("armuser", *words, arch=arm)
    assert reply["where"].startswith("triple ") and int(reply["pc"], 16) >> 48 == 0, reply
    assert "in main (argc=" in sessions.cmd("armuser", "bt")["output"]
    sessions.cmd("armuser", "break triple")
    assert sessions.cmd("armuser", "c")["stop_reason"] == "breakpoint-hit 2"
    assert sessions.cmd("armuser", "p x")["output"].split()[-1] in ("10", "11"), "a thread of the program"
    current = sessions.cmd("armuser", "cairn current")["output"]
    assert len(current.splitlines()) == 5 and " user " in current, current
    sessions.cmd("armuser", "delete")
    assert within(8, lambda: sessions.cmd("armuser", "c", 0.7))["status"] == "running"
    stopped = within(8, lambda: sessions.ask("interrupt", "armuser"))
    assert (stopped["status"], stopped["stop_reason"]) == ("stopped", "interrupt")
    assert sum("CPU#" in line for line in sessions.cmd("armuser", "info threads")["output"].splitlines()) == 4


@pytest.mark.parametrize("kind", KINDS)
def test_user_program_by_symbol(sessions: Sessions, program: Callable[..., str], kind: str) -> None:
    words = ("--smp", "2", *added(kind, "x86_64"), "--break", "triple", "--", program(*KINDS[kind]))
    reply = sessions.start("user", *words)
    assert reply["where"].startswith("triple "), reply
    assert int(reply["pc"], 16) >> 47 == 0
    assert "in main (argc=" in sessions.cmd("user", "bt")["output"]
    sessions.cmd("user", "break triple")
    assert sessions.cmd("user", "c")["stop_reason"] == "breakpoint-hit 2"
    assert sessions.cmd("user", "p x")["output"].split()[-1] in ("10", "11"), "a thread of the program"
    kernel = sessions.cmd("user", "info symbol kernel_main")
    assert "kernel_main in section .text" in kernel["output"], "both have their symbols"
    sessions.cmd("user", "delete")
    assert within(8, lambda: sessions.cmd("user", "c", 0.7))["status"] == "running"
    stopped = within(8, lambda: sessions.ask("interrupt", "user"))
    assert (stopped["status"], stopped["stop_reason"]) == ("stopped", "interrupt")
    assert sum("CPU#" in line for line in sessions.cmd("user", "info threads")["output"].splitlines()) == 2


def test_four_at_once_and_a_bystander(sessions: Sessions) -> None:
    bystander = subprocess.Popen(
        ["qemu-system-x86_64", "-M", "none", "-nodefaults", "-display", "none", "-S"], stdin=subprocess.DEVNULL
    )
    other_gdb = subprocess.Popen(["gdb", "-nx", "-q"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    try:
        names = [f"four{n}" for n in range(4)]
        replies: dict[str, Reply] = {}

        def play(name: str, n: int) -> None:
            replies[name] = sessions.start(name, "--smp", str(n % 2 + 1))
            sessions.cmd(name, f"set $mine = {n}")
            replies[name + "/own"] = sessions.cmd(name, "p $mine")

        threads = [threading.Thread(target=play, args=(name, n)) for n, name in enumerate(names)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        for n, name in enumerate(names):
            assert replies[name]["where"].startswith("kernel_main")
            assert replies[name + "/own"]["output"].split()[-1] == str(n)
        listed = json.loads(sessions.run("list", "--json")[1])
        assert [row["name"] for row in listed] == names
        code, _, err = sessions.run("status")
        assert code == 2 and "four0, four1" in err, "one has to say which"
        first = [sessions.process(names[0], what) for what in ("daemon", "qemu", "gdb")]
        assert sessions.run("stop", "--name", names[0])[0] == 0
        assert all(gone(one) for one in first)
        assert sessions.cmd(names[1], "p 1")["status"] == "stopped"
        assert sessions.run("stop", "--all")[0] == 0
        assert bystander.poll() is None and other_gdb.poll() is None
    finally:
        bystander.kill()
        other_gdb.kill()
        bystander.wait()
        other_gdb.wait()


def test_a_busy_gdb_and_a_hung_guest(sessions: Sessions) -> None:
    sessions.start("hang", "--smp", "2")
    loop = "python\nwhile True: pass\nend"
    assert within(8, lambda: sessions.cmd("hang", loop, 0.5))["status"] == "busy"
    assert within(8, lambda: sessions.cmd("hang", "p 1", 0.3))["status"] == "busy"
    assert within(8, lambda: sessions.ask("status", "hang"))["status"] == "busy"
    assert within(8, lambda: sessions.ask("interrupt", "hang"))["status"] == "error", "the loop was ended"
    assert sessions.cmd("hang", "p 1+1")["output"].endswith("= 2\n"), "the late reply is not taken for this one's"
    # A guest that can do nothing any more: interrupts off, on its own instruction for ever.
    sessions.cmd("hang", "set $rip = &arch_cpu_halt")
    assert sessions.cmd("hang", "c", 0.5)["status"] == "running"
    assert within(8, lambda: sessions.ask("interrupt", "hang"))["where"].startswith("arch_cpu_halt")
    # A script of GDB's own that waits for the target.
    assert within(8, lambda: sessions.cmd("hang", 'python gdb.execute("continue")', 0.5))["status"] != "stopped"
    assert within(8, lambda: sessions.ask("interrupt", "hang"))["status"] in ("stopped", "error")
    assert sessions.cmd("hang", "c", 0.3)["status"] == "running"
    assert within(8, lambda: sessions.run("stop", "--name", "hang"))[0] == 0


@pytest.mark.parametrize("victim", ["gdb", "qemu", "daemon"])
def test_a_death_is_told_at_once(sessions: Sessions, victim: str) -> None:
    sessions.start("die")
    own = {what: sessions.process("die", what) for what in ("gdb", "qemu", "daemon")}
    killed_at = 0.0

    def kill() -> None:
        """Once the command below is at work, however long its interpreter takes to start."""
        nonlocal killed_at
        while sessions.ask("status", "die")["status"] != "running":
            time.sleep(0.05)
        killed_at = time.monotonic()
        own[victim].kill()

    threading.Thread(target=kill, daemon=True).start()
    code, out, err = sessions.run("cmd", "--name", "die", "--json", "--timeout", "30", "continue")
    assert time.monotonic() - killed_at < 4.0 and code == 3, "a second, on a host that has nothing else to do"
    if victim == "daemon":
        assert "ended" in err and all(gone(one) for one in own.values()), "nothing outlives its daemon"
        assert sessions.run("cmd", "--name", "die", "p 1")[0] == 3
        return
    assert json.loads(out)["status"] == f"{victim}-died"
    assert sessions.ask("status", "die")["status"] == f"{victim}-died"
    assert sessions.ask("serial", "die")["status"] == f"{victim}-died", "what was printed can still be read"
    assert sessions.run("stop", "--name", "die")[0] == 0 and all(gone(one) for one in own.values())


def test_a_daemon_that_hangs_can_be_stopped(sessions: Sessions) -> None:
    sessions.start("stuck", "--break", "reset")
    own = [sessions.process("stuck", what) for what in ("gdb", "qemu", "daemon")]
    os.kill(own[2].pid, signal.SIGSTOP)
    code, _, err = sessions.run("stop", "--name", "stuck")
    assert code == 0 and "does not answer" in err and all(gone(one) for one in own)


def test_ends_with_its_owner_or_directory(sessions: Sessions) -> None:
    owner = subprocess.Popen(["sleep", "60"])
    sessions.start("owned", "--break", "reset", owner=owner.pid)
    sessions.start("removed", "--break", "reset")
    mine = [sessions.process(name, what) for name in ("owned", "removed") for what in ("daemon", "qemu", "gdb")]
    owner.kill()
    owner.wait()
    shutil.rmtree(sessions.base / "removed")
    assert all(gone(one) for one in mine)


def test_panic_stops_and_the_end_can_be_looked_at(sessions: Sessions) -> None:
    sessions.start("end", "--kernel-args", "init=/none")
    code, out, _ = sessions.run("cmd", "--name", "end", "--json", "c")
    reply = json.loads(out)
    assert (code, reply["stop_reason"]) == (255, "panic") and reply["where"].startswith("panic")
    assert "run_init" in sessions.cmd("end", "bt")["output"]
    sessions.run("stop", "--name", "end")
    sessions.start("end", "--", shutil.which("busybox") or "/bin/busybox", "poweroff", "-f")
    reply = sessions.cmd("end", "c")
    assert (reply["status"], reply["stop_reason"]) == ("ended", "guest-shutdown")
    assert "poweroff" in sessions.cmd("end", "bt")["output"]
    assert sessions.cmd("end", "c")["status"] == "error"


def test_the_transcript_does_it_again(sessions: Sessions, program: Callable[..., str], tmp_path: Path) -> None:
    sessions.start("once", "--break", "main", "--", program("-static", "-no-pie"))
    for text in ("break triple if x < 10", "c", "finish", "up", "tbreak itimers_exit", "p 'a'"):
        sessions.cmd("once", text)
    text = sessions.run("transcript", "--name", "once")[1]
    raw = json.loads(sessions.run("transcript", "--name", "once", "--raw")[1])
    script = tmp_path / "again.sh"
    script.write_text(text.replace('"$gdb_session" stop', '"$gdb_session" transcript --raw --json'))
    done = subprocess.run(
        ["sh", str(script), "again"], cwd=REPO, env=sessions.env, capture_output=True, text=True, timeout=60, check=True
    )
    again = json.loads(done.stdout.splitlines()[-1])

    def course(entries: list[Reply]) -> list[tuple[str, str, str]]:
        return [(e["text"], e["reply"]["status"], e["reply"]["pc"]) for e in entries]

    assert course(again) == course(raw) and len(raw) == 6


class Person:
    """A terminal with somebody at it."""

    def __init__(self, sessions: Sessions, *words: str) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(REPO)
            os.execve(SCRIPT, [str(SCRIPT), *words], {**sessions.env, "TERM": "xterm"})
        self.seen = b""

    def until(self, text: bytes, limit_s: float = 10.0) -> None:
        deadline = time.monotonic() + limit_s
        while text not in self.seen:
            left = deadline - time.monotonic()
            assert left > 0, self.seen[-2000:]
            if select.select([self.fd], [], [], left)[0]:
                data = os.read(self.fd, 65536)
                assert data, self.seen[-2000:]
                self.seen += data

    def type(self, keys: bytes, answer: bytes) -> None:
        self.seen = b""
        os.write(self.fd, keys)
        self.until(answer)

    def leave(self, keys: bytes) -> int:
        os.write(self.fd, keys)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                os.close(self.fd)
                return os.waitstatus_to_exitcode(status)
            if select.select([self.fd], [], [], 0.05)[0]:
                try:
                    os.read(self.fd, 65536)
                except OSError:
                    pass
        os.kill(self.pid, signal.SIGKILL)
        raise AssertionError("did not leave")


def test_a_person_attaches_to_a_programs_session(sessions: Sessions) -> None:
    sessions.start("both", "--smp", "2")
    sessions.cmd("both", "set $left = 41")
    person = Person(sessions, "attach", "--name", "both")
    person.until(b"kernel_main")
    person.type(b"p $left + 1\r", b"= 42")
    person.type(b"info thr\t", b"threads")
    person.type(b"\r", b"CPU#1")
    assert sessions.ask("status", "both")["attached"]
    person.type(b"continue\r", b"Continuing")
    assert sessions.ask("status", "both")["status"] == "running"
    person.type(b"\x03", b"SIGINT")
    assert sessions.ask("wait", "both")["stop_reason"] == "interrupt"
    person.type(b"set $right = 7\rp $right\r", b"= 7")
    assert person.leave(b"\x01x") == 0
    assert sessions.cmd("both", "p $right")["output"].endswith("= 7\n"), "the session went on"
    assert person_quits(sessions) == 0
    assert sessions.cmd("both", "p 5")["status"] == "stopped"
    assert "person" in sessions.run("transcript", "--name", "both")[1]


def person_quits(sessions: Sessions) -> int:
    person = Person(sessions, "attach", "--name", "both")
    person.until(b"(gdb)")
    return person.leave(b"quit\r")


def test_without_a_verb_a_person_gets_a_session(sessions: Sessions) -> None:
    person = Person(sessions, "--no-build", "--name", "mine", "--stage", "rcu_callbacks")
    person.until(b"leaves it")
    person.type(b"p s->id\r", b'"rcu_callbacks"')
    assert person.leave(b"quit\r") == 0
    assert not (sessions.base / "mine").exists()
    assert sessions.run()[0] == 2, "without a terminal that is a mistake"
