"""The core layer: timers, irqs, rcu, percpu."""

from __future__ import annotations

from collections.abc import Iterator

import gdb

from . import target, tasks, walk
from .command import Arg, Args, command
from .errors import CairnError, Unreadable
from .report import Hex, Report, Table
from .sched import where
from .target import Obj

NEVER = (1 << 64) - 1
COUNT_MAX = 1_000_000


def timers_of(queue: Obj, cpu: int) -> Iterator[Obj]:
    name = f"timer tree of cpu {cpu}"
    offset = target.offset_of("struct ktimer", "node")
    for node in walk.tree_nodes(target.read_u64, queue.num("tree.root.node"), name, 100_000):
        timer = Obj(node - offset, "struct ktimer", f"{name}: timer {node - offset:#x}")
        try:
            timer.data
        except Unreadable:
            raise CairnError(f"{name}: node {node:#x} is in no timer that can be read") from None
        yield timer


def owner_of(timer: Obj, stacks: list[tuple[int, int, str]]) -> str:
    """Whose a timer is, when it lies on a kernel stack or is a variable."""
    for low, high, who in stacks:
        if low <= timer.addr < high:
            return f"on the stack of {who}"
    found = where(timer.addr)
    return "" if found.startswith("0x") else found


def stacks(report: Report) -> list[tuple[int, int, str]]:
    found = []
    for thread in report.guard(tasks.threads()):
        if tasks.ended(thread):
            continue
        try:
            found.append((*tasks.stack_of(thread), tasks.title(thread)))
        except CairnError:
            continue
    return found


@command("timers", "armed timers of each CPU, by deadline")
def timers(args: Args, report: Report) -> None:
    """Deadlines in milliseconds since boot; FN is what is called, OWNER whose timer it is where that can be
    told. The hardware's own deadline is in the notes. Order and membership of the tree are checked."""
    del args
    table = report.table("timers")
    known = stacks(report)
    for cpu in target.cpus():
        queue = target.global_array("queues", "core/timer.c")[cpu]
        armed = queue.num("armed_ns")
        report.note(f"cpu {cpu}: hardware set to {'nothing' if armed == NEVER else f'{armed / 1e6:.3f} ms'}")
        before = 0
        for timer in report.guard(timers_of(queue, cpu)):
            deadline = timer.num("deadline_ns")
            if deadline < before:
                report.problem(f"{timer.what}: deadline {deadline} comes after a later one")
            if timer.num("cpu") != cpu:
                report.problem(f"{timer.what}: says it is queued on cpu {timer.num('cpu')}")
            before = deadline
            table.row(
                cpu=cpu, deadline_ms="never" if deadline == NEVER else f"{deadline / 1e6:.3f}",
                fn=target.place(timer.num("fn")), owner=owner_of(timer, known), timer=Hex(timer.addr),
            )  # fmt: skip


@command("irqs", "interrupt lines: handlers and counts", flags=("all",))
def irqs(args: Args, report: Report) -> None:
    """Lines with a handler or a count; --all shows the others too."""
    table = report.table("lines")
    for number, line in enumerate(target.global_array("lines", "core/irq.c")):
        handlers = []
        name = f"actions of irq {number}"
        next_at = target.offset_of("struct irq_action", "next")
        for node in report.guard(walk.chain_nodes(target.read_u64, line.num("actions"), name, next_at, 64)):
            action = Obj(node, "struct irq_action", f"{name}: {node:#x}")
            handlers.append(f"{action.string('name')} ({target.place(action.num('handler'))})")
        if handlers or line.num("count") or "all" in args.flags:
            table.row(irq=number, count=line.num("count"), unhandled=line.num("unhandled"),
                      handlers=", ".join(handlers))  # fmt: skip


@command("rcu", "grace periods and callbacks that wait for one")
def rcu(args: Args, report: Report) -> None:
    """The number of the last grace period begun; for each CPU which one it has seen, whether it idles (counts
    as quiescent) and its list of callbacks, whose count is checked."""
    del args
    current = target.global_num("rcu_gp", "core/rcu.c")
    report.note(f"grace period {current} is the last one begun")
    table = report.table("cpus")
    for cpu in target.cpus():
        queue = target.global_array("callbacks", "core/rcu.c")[cpu]
        seen = target.percpu_num(cpu, "rcu_seen", "core/rcu.c")
        idle = bool(target.percpu_num(cpu, "rcu_cpu_idle"))
        functions: dict[str, int] = {}
        for fn in report.guard(callback_functions(queue, cpu)):
            functions[fn] = functions.get(fn, 0) + 1
        count = sum(functions.values())
        table.row(cpu=cpu, seen=seen, idle=idle, holds_up=seen < current and not idle, callbacks=queue.num("count"),
                  functions=", ".join(f"{n} {fn}" for fn, n in functions.items()))  # fmt: skip
        if count != queue.num("count") and not queue.num("lock.locked") and not report.problems:
            report.problem(f"rcu callbacks of cpu {cpu}: count is {queue.num('count')}, the list has {count}")
        if seen > current:
            report.problem(f"rcu: cpu {cpu} has seen grace period {seen}, the last one begun is {current}")


def callback_functions(queue: Obj, cpu: int) -> Iterator[str]:
    name = f"rcu callbacks of cpu {cpu}"
    for node in walk.chain_nodes(target.read_u64, queue.num("first"), name, 0, COUNT_MAX):
        yield target.place(target.read_u64(node + 8)).split("+")[0]


# --- per-CPU variables ---------------------------------------------------------------------------


def percpu_names() -> list[str]:
    try:
        symbols = target.elf_symbols()
        start, end = symbols.by_name["__percpu_start"].addr, symbols.by_name["__percpu_end"].addr
        return [symbol.name for symbol in symbols.between(start, end)]
    except (CairnError, KeyError):
        return []


@command("percpu", "a per-CPU variable on every CPU, or the list of them",
         Arg("name", "name", optional=True, choices=percpu_names), Arg("cpu", "number", optional=True))  # fmt: skip
def percpu(args: Args, report: Report) -> None:
    """Without NAME: all per-CPU variables and their sizes; with it the value on each CPU (or on CPU), as GDB
    prints its type, and the address there."""
    name = args.text("name")
    known = percpu_names()
    if not name:
        table = report.table("variables")
        symbols = target.elf_symbols()
        for one in known:
            table.row(name=one, size=symbols.by_name[one].size, address=Hex(symbols.by_name[one].addr))
        return
    if name not in known:
        raise CairnError(f"there is no per-CPU variable {name} (cairn percpu lists them)")
    only = args.number("cpu")
    values = report.table("values")
    for cpu in target.cpus() if only is None else [only]:
        percpu_row(name, cpu, values, report)


def percpu_row(name: str, cpu: int, table: Table, report: Report) -> None:
    addr, kind = percpu_variable(name)
    addr = (addr + target.percpu_offset(cpu)) & NEVER
    try:
        data = target.read(addr, kind.sizeof, f"{name} of cpu {cpu}")
        value = gdb.Value(data, kind).format_string(max_elements=16)
    except (CairnError, gdb.error) as error:
        report.problem(f"{name} of cpu {cpu}: {error}")
        return
    table.row(cpu=cpu, value=" ".join(value.split()), address=Hex(addr))


def percpu_variable(name: str) -> tuple[int, gdb.Type]:
    try:
        return target.variable(name)
    except CairnError:
        return target.variable(name, ".c")
