"""Events: strict JSON whatever programs are called, losses counted exactly, categories refused by name."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from xtask.guest.events import Defect, Event, EventStream, load_schema

from .conftest import BUILD, PYTHON, REPO, Runner, run_in_guest

SCHEMA = REPO / "kernel" / "debug" / "events.tbl"
LONG = 4096
RUNS = 460
FLOOD = 5000  # as in kernel/tests/ktest/stage_trace.c


def events_of(logs: Path) -> list[Event]:
    """The events of the run in logs, which holds one; every line must be perfect."""
    stream = EventStream(load_schema(SCHEMA))
    items = stream.feed((logs / "latest" / "events.jsonl").read_bytes())
    assert not [str(item) for item in items if isinstance(item, Defect)] and not stream.finish()
    return [item for item in items if isinstance(item, Event)]


def hostile_words(count: int) -> Iterator[list[str]]:
    """The command lines of userspace/programs/hostile.c, bytes as characters."""
    state = 1

    def byte() -> int:
        nonlocal state
        state = (state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        return state >> 56

    def word(length: int) -> str:
        return "".join(chr(value) if value else '"' for value in (byte() for _ in range(length)))

    for number in range(1, count + 1):
        first = word(1 + byte() % 60)
        yield [first, word(LONG if number % 32 == 0 else 1 + byte() % 60), ""]


def test_hostile_command_lines(guest: Runner, program: Callable[[str], str], tmp_path: Path) -> None:
    result = guest(
        [program("hostile"), str(RUNS)], "--append", "debug=process,syscall,signal", "--keep-logs", str(tmp_path)
    )
    assert result.status == 0, result.explain()
    found = events_of(tmp_path)
    assert len(found) >= 10_000
    assert [event.seq for event in found] == list(range(len(found)))
    execs = [event for event in found if event.type == "exec"][-RUNS:]
    cut = 0
    for event, words in zip(execs, hostile_words(RUNS), strict=True):
        argv = event.fields["argv"]
        assert isinstance(argv, list)
        if event.fields.get("truncated"):
            cut += 1
            assert argv[0] == words[0] and words[1].startswith(argv[1]) and event.number("argc") == 3
        else:
            assert argv == words
    assert cut >= RUNS // 32  # 4 KiB of bytes do not fit a line, and it says so
    assert Counter(event.type for event in found)["exit"] >= RUNS


def test_losses_are_counted_exactly(tmp_path: Path) -> None:
    """A stage writes FLOOD records at once: each is an event, or in the number of a trace_lost."""
    command = [PYTHON, "-m", "xtask", "boot-stages", "--no-build", "--only", "trace_overflow", "--keep-logs", str(tmp_path)]
    done = subprocess.run(command, cwd=REPO, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout
    found = events_of(tmp_path)
    got = [event for event in found if event.type == "trace_test"]
    lost = sum(event.number("count") for event in found if event.type == "trace_lost")
    assert got and lost and len(got) + lost == FLOOD
    assert [event.number("a") for event in got] == list(range(lost, FLOOD))
    assert all(event.number("b") == -event.number("a") for event in got)


@pytest.mark.parametrize("arch", ["x86_64", "aarch64"])
def test_every_category_speaks(aarch64: Path, tmp_path: Path, arch: str) -> None:
    traced = str(REPO / (aarch64 if arch == "aarch64" else BUILD) / "user" / "traced")
    options = ["--smp", "2", "--append", "debug=all", "--keep-logs", str(tmp_path)]
    result = run_in_guest([traced], *options, arch=arch)
    assert result.status == 7, result.explain()
    seen = {event.type for event in events_of(tmp_path)}
    wanted = "syscall signal signal_send fault fork exec exit mmap munmap mprotect brk sched_switch sched_wake irq timer open"
    assert not set(wanted.split()) - seen
    event = next(event for event in events_of(tmp_path) if event.type == "sched_switch")
    assert {"pid", "tid", "next"} <= set(event.fields)


def test_unknown_category_is_refused_with_the_list(guest: Runner) -> None:
    result = guest(["/bin/busybox", "true"], "--append", "debug=syscall,bogus")
    assert result.status == 2
    first = result.err.decode().splitlines()[0]
    assert "debug=bogus" in first and "sched" in first and "memory" in first


def test_off_means_off(guest: Runner, tmp_path: Path) -> None:
    result = guest(["/bin/busybox", "true"], "--keep-logs", str(tmp_path))
    assert result.status == 0, result.explain()
    lines = (tmp_path / "latest" / "events.jsonl").read_text().splitlines()
    assert {json.loads(line)["type"] for line in lines} <= {"boot", "step", "run_begin", "run_exit", "poweroff"}
