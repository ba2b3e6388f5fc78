"""Threads and run queues: ps, bt, current, runq."""

from __future__ import annotations

from collections.abc import Iterator

from . import arch, memory, target, tasks, unwind, walk
from .command import Arg, Args, command
from .errors import CairnError, Unreadable
from .report import Hex, Report, Table
from .target import Obj

TASK = Arg("tid", "text", optional=True, choices=lambda: [*tasks.numbers(), "all", "running"])


@command("ps", "threads and processes: state, CPU, what they wait for", flags=("threads",))
def ps(args: Args, report: Report) -> None:
    """All threads, kernel threads (negative numbers) and idle ones too, then zombies, which have no thread.
    WAITS is the wait queue a sleeping thread is on; --threads adds times and switches."""
    table = report.table("threads")
    shown = set()
    for thread in report.guard(tasks.threads()):
        for doubt in tasks.doubts(thread):
            report.problem(doubt)
        try:
            shown.add(ps_row(table, thread, "threads" in args.flags))
        except CairnError as error:
            report.problem(f"{tasks.title(thread)}: {error}")
    zombies = report.table("zombies")
    for proc in report.guard(tasks.procs()):
        if proc.num("pid") not in shown:
            zombies.row(pid=proc.num("pid"), ppid=parent_pid(proc), status=Hex(proc.num("exit_status")))
    if zombies.rows:
        zombies.title = "without threads (zombies, or just made):"


def parent_pid(proc: Obj) -> int | None:
    parent = proc.follow("parent")
    return parent.num("pid") if parent else None


def ps_row(table: Table, thread: Obj, wide: bool) -> int:
    proc = thread.follow("proc")
    state = tasks.state_name(thread)
    waits = thread.num("waiting_on")
    row: dict[str, int | str | None] = {
        "tid": thread.num("tid"),
        "pid": proc.num("pid") if proc else None,
        "ppid": parent_pid(proc) if proc else None,
        "s": tasks.STATES.get(state.removeprefix("TS_"), "?"),
        "cpu": thread.num("cpu"),
        "on": "*" if thread.num("on_cpu") else "",
        "policy": policy_name(thread),
        "nice": thread.num("se.nice"),
        "waits": where(waits) if waits and state in tasks.SLEEPING else "",
        "comm": thread.text("comm"),
        "thread": Hex(thread.addr),
    }
    if wide:
        row |= {
            "cpu_ms": thread.num("se.sum_exec_ns") // 1_000_000,
            "switches": thread.num("nvcsw") + thread.num("nivcsw"),
            "flags": flags_text(thread.num("flags"), "enum thread_flag", "TF_"),
            "affinity": Hex(thread.num("affinity")),
        }
    table.rows.append(row)
    return proc.num("pid") if proc else 0


def where(addr: int) -> str:
    """A kernel object in words, when it is a variable."""
    found = target.elf_symbols().find(addr)
    return f"{found[0]}+{found[1]:#x}" if found and found[1] else found[0] if found else f"{addr:#x}"


POLICIES = {0: "other", 1: "fifo", 2: "rr", 3: "batch", 5: "idle"}


def policy_name(thread: Obj) -> str:
    policy = thread.num("se.policy")
    name = POLICIES.get(policy, f"bad:{policy}")
    return f"{name}:{thread.num('se.rt_priority')}" if policy in (1, 2) else name


def flags_text(value: int, enum: str, prefix: str) -> str:
    left, words = value, []
    for bit, name in sorted(target.enum_names(enum).items()):
        if bit and bit & (bit - 1) == 0 and value & bit:
            words.append(name.removeprefix(prefix))
            left &= ~bit
    return " ".join(words + ([f"{left:#x}"] if left else [])) or "none"


# --- bt ------------------------------------------------------------------------------------------


@command("bt", "backtrace of any thread, running or switched out", TASK, flags=("user", "lines"))
def bt(args: Args, report: Report) -> None:
    """bt TID, `bt all`, `bt running` (one for each CPU); without an argument that of the selected CPU. TID
    may also be the address of a struct thread. --user goes on in user space by frame pointers; --lines adds
    source lines. Frames come from frame pointers, which every function keeps."""
    which = args.text("tid")
    for thread in report.guard(wanted(which)):
        try:
            one_trace(thread, report, "user" in args.flags, "lines" in args.flags)
        except CairnError as error:
            report.problem(f"backtrace of {tasks.title(thread)}: {error}")


def wanted(which: str) -> Iterator[Obj]:
    if which == "all":
        yield from tasks.threads()
    elif which == "running":
        for cpu in target.cpus():
            yield tasks.current(cpu)
    elif not which:
        yield tasks.current(target.selected_cpu())
    else:
        value = target.evaluate(which)
        signed = value - (1 << 64) if value >= 1 << 63 else value
        if -(1 << 20) < signed < 1 << 31:  # kernel threads count down from -1
            yield tasks.find_thread(signed)
        else:
            yield Obj(walk.check_pointer(value, "thread"), "struct thread")


def frame_start(thread: Obj) -> tuple[int, int, str, dict[str, int] | None]:
    """(pc, frame pointer, what it is doing, CPU registers when it is running)."""
    port = arch.port()
    cpu = tasks.running_on(thread)
    if cpu is not None:
        registers = target.cpu_registers(cpu, port.CPU_REGISTERS)
        mode = "in user mode" if port.cpu_user_mode(registers) else "in the kernel"
        return registers[port.PC], registers[port.FP], f"running on cpu {cpu}, {mode}", registers
    low, high = tasks.stack_of(thread)
    sp = thread.num("arch.sp")
    if not low <= sp <= high - port.SWITCH_PC - 8:
        raise CairnError(f"saved stack pointer {sp:#x} is not on its kernel stack, {low:#x} to {high:#x}")
    if sp % 8:
        raise CairnError(f"saved stack pointer {sp:#x} is not aligned")
    fp, pc = target.read_u64(sp + port.SWITCH_FP), target.read_u64(sp + port.SWITCH_PC)
    return pc, fp, f"switched out, {tasks.state_name(thread)}", None


def one_trace(thread: Obj, report: Report, user: bool, lines: bool) -> None:
    port = arch.port()
    if tasks.ended(thread):
        report.note(f"{tasks.title(thread)} has ended: its kernel stack is gone")
        return
    if tasks.unborn(thread):
        report.note(f"{tasks.title(thread)} is still being made: it has never run")
        return
    pc, fp, doing, registers = frame_start(thread)
    table = report.table(tasks.title(thread), f"{tasks.title(thread)}, {doing}:")
    if registers is not None and port.cpu_user_mode(registers):
        trace = unwind.Trace([unwind.Frame(pc, fp, "user")])
    else:
        trace = unwind.kernel_trace(target.read_u64, target.read, target.place_of_return, pc, fp, port, registers)
    for number, frame in enumerate(trace.frames):
        row: dict[str, int | str | None] = {"n": number, "pc": Hex(frame.pc), "where": frame_place(thread, frame)}
        if lines:
            row["line"] = target.source_line(frame.pc - (frame.kind == "call")) if frame.pc >= port.KERNEL_BASE else ""
        if frame.kind == "interrupted":
            row["where"] = f"{row['where']}   <- interrupted here"
        table.rows.append(row)
    if trace.broken:
        report.problem(f"backtrace of {tasks.title(thread)}: {trace.broken}")
    last = trace.frames[-1]
    if user and last.kind == "user":
        add_user_frames(thread, last, table)


def frame_place(thread: Obj, frame: unwind.Frame) -> str:
    if frame.kind == "call":
        return target.place_of_return(frame.pc)
    if frame.kind != "user":
        return target.place(frame.pc)
    return f"user mode: {user_place(thread, frame.pc)}"


def user_place(thread: Obj, pc: int) -> str:
    """An address of a program as file+offset."""
    from .mm import vma_at, vma_name  # mm.py needs this module

    try:
        mm = thread.follow("mm")
        vma = vma_at(mm, pc) if mm else None
        if mm and vma:
            offset = pc - vma.num("start") + (vma.num("pgoff") << 12 if vma.num("file") else 0)
            return f"{vma_name(mm, vma) or '[anonymous]'}+{offset:#x}"
    except CairnError:
        pass
    return f"{pc:#x}"


def add_user_frames(thread: Obj, last: unwind.Frame, table: Table) -> None:
    mm = thread.follow("mm")
    if mm:
        for pc in unwind.user_trace(memory.user_reader(mm), last.pc, last.fp)[1:]:
            table.row(n=len(table.rows), pc=Hex(pc), where=f"user mode: {user_place(thread, pc)}")


# --- current, runq -------------------------------------------------------------------------------


@command("current", "what each CPU is doing: thread, mode, place")
def current(args: Args, report: Report) -> None:
    """One row for each CPU that is online; PREEMPT is the nesting of preempt_disable(), IRQ that of interrupt
    handlers. * marks the CPU selected in GDB (`thread N+1` selects cpu N)."""
    del args
    port = arch.port()
    table = report.table("cpus")
    for cpu in target.cpus():
        try:
            thread = tasks.current(cpu)
            registers = target.cpu_registers(cpu, port.CPU_REGISTERS)
            count = target.percpu_num(cpu, "preempt_count")
            proc = thread.follow("proc")
            in_user = port.cpu_user_mode(registers)
            pc = registers[port.PC]
            table.row(
                cpu=f"{cpu}{'*' if cpu == target.selected_cpu() else ''}",
                tid=thread.num("tid"),
                pid=proc.num("pid") if proc else None,
                comm=thread.text("comm"),
                mode="user" if in_user else "kernel",
                interrupts="on" if port.interrupts_on(registers) else "off",
                preempt=count & 0xFFFF,
                irq=count >> 16 & 0xFF,
                place=user_place(thread, pc) if in_user else target.place(pc),
                thread=Hex(thread.addr),
            )
        except CairnError as error:
            report.problem(f"cpu {cpu}: {error}")


@command("runq", "run queues: who runs, who waits for a CPU")
def runq(args: Args, report: Report) -> None:
    """For each CPU the running thread and those queued, real-time ones by priority, then fair ones by virtual
    run time. Counts are compared with what is there; with the queue's lock held they may differ."""
    del args
    table = report.table("queued")
    for cpu in target.cpus():
        rq = target.global_array("run_queues")[cpu]
        try:
            runq_rows(rq, cpu, table, report)
        except CairnError as error:
            report.problem(f"run queue of cpu {cpu}: {error}")


def runq_rows(rq: Obj, cpu: int, table: Table, report: Report) -> None:
    curr, idle = rq.follow("curr", align=8), rq.num("idle")
    locked = bool(rq.num("lock.locked"))
    queued = 0
    if curr:
        is_idle = curr.addr == idle
        queued += not is_idle and bool(curr.num("se.queued"))
        runq_row(table, cpu, "idle" if is_idle else "runs", curr)
    for thread in report.guard(rt_threads(rq, cpu)):
        runq_row(table, cpu, "rt", thread)
        queued += 1
    before = -1
    for thread in report.guard(fair_threads(rq, cpu)):
        runq_row(table, cpu, "fair", thread)
        queued += 1
        if thread.num("se.vruntime_ns") < before:
            report.problem(f"run queue of cpu {cpu}: {tasks.title(thread)} is out of order in the fair tree")
        before = thread.num("se.vruntime_ns")
    if rq.num("nr_running") != queued and not locked:
        report.problem(f"run queue of cpu {cpu}: nr_running is {rq.num('nr_running')}, {queued} are there")
    if locked:
        report.note(f"run queue of cpu {cpu}: its lock is held, a change may be under way")


def runq_row(table: Table, cpu: int, role: str, thread: Obj) -> None:
    table.row(
        cpu=cpu, what=role, tid=thread.num("tid"), comm=thread.text("comm"), policy=policy_name(thread),
        nice=thread.num("se.nice"), vruntime_us=thread.num("se.vruntime_ns") // 1000, thread=Hex(thread.addr),
    )  # fmt: skip


def rt_threads(rq: Obj, cpu: int) -> Iterator[Obj]:
    offset = target.offset_of("struct thread", "se.rt_link")
    head = rq.at("rt")
    for level in range(99, -1, -1):
        name = f"rt list {level} of cpu {cpu}"
        for node in walk.list_nodes(target.read_u64, head + 16 * level, name, 100_000):
            yield Obj(node - offset, "struct thread", name)


def fair_threads(rq: Obj, cpu: int) -> Iterator[Obj]:
    offset = target.offset_of("struct thread", "se.node")
    name = f"fair tree of cpu {cpu}"
    for node in walk.tree_nodes(target.read_u64, rq.num("fair.root.node"), name, 100_000):
        thread = Obj(node - offset, "struct thread", name)
        try:
            thread.data
        except Unreadable:
            raise CairnError(f"{name}: node {node:#x} is in no thread that can be read") from None
        yield thread
