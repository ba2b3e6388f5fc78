"""Processes: proc, pstree, syscalls."""

from __future__ import annotations

from collections.abc import Iterator

from . import names, target, tasks, walk
from .command import Arg, Args, command
from .errors import CairnError
from .mm import PID
from .report import Hex, Report, Table
from .target import Obj

DEPTH_MAX = 100
RLIMITS = ("cpu", "fsize", "data", "stack", "core", "rss", "nproc", "nofile", "memlock", "as", "locks", "sigpending",
           "msgqueue", "nice", "rtprio", "rttime")  # fmt: skip
STATES = {0: "alive", 1: "zombie", 2: "dead"}


@command("proc", "one process: identity, family, threads, limits", PID)
def proc_command(args: Args, report: Report) -> None:
    """Members of struct proc in words, then its threads."""
    proc = tasks.find_proc(args.need("pid"))
    table = report.table("process")
    for name, value in facts(proc):
        table.row(what=name, value=value)
    threads = report.table("threads")
    for thread in report.guard(group(proc)):
        threads.row(tid=thread.num("tid"), state=tasks.state_name(thread), comm=thread.text("comm"),
                    cpu=thread.num("cpu"), thread=Hex(thread.addr))  # fmt: skip
    if proc.num("nr_threads") != len(threads.rows) and not report.problems:
        report.problem(
            f"process {proc.num('pid')}: nr_threads is {proc.num('nr_threads')}, its list has {len(threads.rows)}"
        )


def facts(proc: Obj) -> Iterator[tuple[str, str]]:
    yield "pid", str(proc.num("pid"))
    parent = proc.follow("parent", "parent")
    yield "parent", str(parent.num("pid")) if parent else "-"
    for name in ("pgrp", "session"):
        pid = proc.follow(name, name)
        yield name, str(pid.num("nr")) if pid else "-"
    yield "state", STATES.get(proc.num("state"), f"bad:{proc.num('state')}")
    yield "program", proc.text("exec_path")
    yield "exit status", f"{proc.num('exit_status'):#x}"
    yield "exit signal", names.signal_name(proc.num("exit_signal"))
    marks = ("group_exiting", "stopped", "stopping", "unkillable", "is_subreaper", "session_leader", "no_new_privs")
    yield "marks", " ".join(mark for mark in marks if proc.num(mark)) or "none"
    yield "pending", names.signal_set(proc.num("shared_pending.set"))
    limits = [f"{name}={limit(one.num('rlim_cur'))}" for name, one in zip(RLIMITS, proc.items("limits"))]
    yield "limits", " ".join(limits)
    yield "struct proc", f"{proc.addr:#x}"


def limit(value: int) -> str:
    return "unlimited" if value == (1 << 64) - 1 else str(value)


def group(proc: Obj) -> Iterator[Obj]:
    """The threads in a process's own list."""
    name = f"threads of process {proc.num('pid')}"
    offset = target.offset_of("struct thread_proc", "group_link")
    for node in walk.list_nodes(target.read_u64, proc.at("threads"), name, 100_000):
        tp = Obj(node - offset, "struct thread_proc", f"{name}: node {node:#x}")
        thread = tp.follow("thread", f"thread of {name}: node {node:#x}")
        if not thread or thread.num("tp") != tp.addr:
            raise CairnError(f"{name}: node {node:#x} belongs to no thread")
        yield thread


@command("pstree", "processes by family")
def pstree(args: Args, report: Report) -> None:
    """From the kernel's own process 0 down the lists of children."""
    del args
    table = report.table("processes")
    seen = walk.Seen("process tree", 1_000_000)
    descend(target.global_obj("kernel_proc"), 0, table, report, seen)


def descend(proc: Obj, depth: int, table: Table, report: Report, seen: walk.Seen) -> None:
    seen.add(proc.addr)
    leader = proc.num("leader")
    comm = ""
    state = STATES.get(proc.num("state"), "?")
    if leader and state == "alive":
        comm = Obj(walk.check_pointer(leader, f"leader of process {proc.num('pid')}"), "struct thread").text("comm")
    table.row(process="  " * depth + str(proc.num("pid")), state=state, threads=proc.num("nr_threads"),
              comm=comm or proc.text("exec_path"), proc=Hex(proc.addr))  # fmt: skip
    if depth > DEPTH_MAX:
        raise CairnError(f"process tree: deeper than {DEPTH_MAX} at process {proc.num('pid')}")
    for child in report.guard(tasks.children(proc)):
        if child.num("parent") != proc.addr:
            report.problem(f"process {child.num('pid')} is a child of {proc.num('pid')} but has another parent")
            continue
        descend(child, depth + 1, table, report, seen)


# --- system calls --------------------------------------------------------------------------------


def call_name(nr: int) -> str:
    symbol = target.variable("names", "entry/syscall_table.c")
    count = symbol[1].sizeof // 8
    if nr >= count:
        return f"#{nr}"
    addr = target.read_u64(symbol[0] + 8 * nr)
    return target.c_string(addr, f"name of system call {nr}") if addr else f"#{nr}"


def clock_ns(raw: int) -> int:
    """Nanoseconds since boot of a raw count."""
    clock = target.global_obj("arch_clock_params")
    delta = (raw - clock.num("base")) & (1 << 64) - 1
    return clock.num("base_ns") + (delta * clock.num("mult") >> clock.num("shift") & (1 << 64) - 1)


def calls(thread: Obj) -> Iterator[tuple[int, int, Obj, Obj]]:
    """(start, number, call, done) of a thread's ring, oldest first."""
    ring = thread.sub("calls")
    slots, dones = ring.items("call"), ring.items("done")
    head, step = ring.num("head"), dones[0].size
    if head % step:
        raise CairnError(f"system-call ring of {tasks.title(thread)}: head {head:#x} is between two slots")
    begun = head // step
    for number in range(max(0, begun - len(slots)), begun):
        at = number % len(slots)
        yield slots[at].num("start"), number, slots[at], dones[at]


@command("syscalls", "the last system calls of a process or thread", Arg("pid", "number", choices=tasks.numbers),
         flags=("thread",))  # fmt: skip
def syscalls(args: Args, report: Report) -> None:
    """The last 32 calls of each thread of the process, merged by time, with six arguments and the result; a
    call without one is under way. With --thread, or the number of a thread that is no leader: its alone."""
    number = args.need("pid")
    threads = call_threads(number, "thread" in args.flags)
    merged = []
    for thread in threads:
        for start, count, call, done in report.guard(calls(thread)):
            merged.append((start, thread.num("tid"), count, call, done))
    table = report.table("calls")
    for start, tid, count, call, done in sorted(merged, key=lambda one: one[:3]):
        end = done.num("end")
        nr = call.num("nr")
        table.row(
            tid=tid, n=count, start_us=clock_ns(start) // 1000, call=call_name(nr), nr=nr,
            args=" ".join(f"{call.num(f'arg[{i}]'):#x}" for i in range(6)),
            result=names.result_text(done.num("result")) if end else "(under way)",
            took_us=max(clock_ns(end) - clock_ns(start), 0) // 1000 if end else None,
        )  # fmt: skip


def call_threads(number: int, alone: bool) -> list[Obj]:
    if not target.find_field(target.type_of("struct thread"), "calls"):
        raise CairnError("this kernel keeps no record of system calls")
    thread = tasks.find_thread(number)
    proc = thread.follow("proc")
    if alone or not proc or proc.num("pid") != number:
        return [thread]
    return list(tasks.threads_of(proc))
