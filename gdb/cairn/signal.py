"""Signals: signals, sigframe."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from . import arch, memory, names, target, tasks, walk
from .command import Arg, Args, command
from .contract import SignalFrame
from .errors import CairnError, Unreadable
from .mm import PID, rights, vma_at, vma_name
from .report import Hex, Report, Table
from .sched import user_place
from .target import Obj

SCAN_BYTES = 256 << 10
FRAMES_MAX = 8
SA_RESTORER = 0x04000000
SA_SIGINFO = 4
SIG_DFL, SIG_IGN = 0, 1


def sighand(proc: Obj) -> Obj:
    hand = proc.follow("sighand", f"sighand of process {proc.num('pid')}")
    if not hand:
        raise CairnError(f"process {proc.num('pid')} has no signal handlers any more")
    return hand


def queued(queue: Obj, name: str) -> Iterator[Obj]:
    offset = target.offset_of("struct sigqueue", "link")
    for node in walk.list_nodes(target.read_u64, queue.at("entries"), name, 100_000):
        yield Obj(node - offset, "struct sigqueue", f"{name}: entry {node - offset:#x}")


@command("signals", "signals of a process: handlers, masks, what is pending", PID)
def signals(args: Args, report: Report) -> None:
    """Handlers other than the default, then for each thread its mask, alternate stack and pending signals."""
    proc = tasks.find_proc(args.need("pid"))
    actions = report.table("handlers", "handlers:")
    for index, action in enumerate(sighand(proc).items("action")):
        handler = action.num("handler")
        if handler != SIG_DFL:
            actions.row(
                signal=names.signal_name(index + 1), handler="ignored" if handler == SIG_IGN else f"{handler:#x}",
                flags=names.bits(action.num("flags"), names.SA_FLAGS), mask=names.signal_set(action.num("mask")),
                restorer=Hex(action.num("restorer")),
            )  # fmt: skip
    threads = report.table("threads", "threads:")
    pending = report.table("pending", "pending:")
    add_pending(proc.sub("shared_pending"), "process", pending, report)
    for thread in report.guard(tasks.threads_of(proc)):
        tp = thread.follow("tp", f"signal state of {tasks.title(thread)}")
        if not tp:
            continue
        threads.row(
            tid=thread.num("tid"), blocked=names.signal_set(tp.num("sigmask")),
            alternate=f"{tp.num('altstack_sp'):#x}+{tp.num('altstack_size'):#x}" if tp.num("altstack_size") else "-",
        )  # fmt: skip
        add_pending(tp.sub("pending"), f"thread {thread.num('tid')}", pending, report)


def add_pending(queue: Obj, whose: str, table: Table, report: Report) -> None:
    counted = 0
    for entry in report.guard(queued(queue, f"pending signals of {whose}")):
        signo = entry.num("info.si_signo")
        if not 1 <= signo <= 64:
            report.problem(f"{entry.what}: signal {signo} is none there is")
            continue
        counted |= 1 << (signo - 1)
        table.row(of=whose, signal=names.signal_name(signo), code=names.si_code(signo, entry.num("info.si_code")),
                  sender=entry.num("info.si_pid"))  # fmt: skip
    if counted & ~queue.num("set"):
        report.problem(f"pending signals of {whose}: the list has {names.signal_set(counted & ~queue.num('set'))} more")


# --- sigframe ------------------------------------------------------------------------------------


@command("sigframe", "signal frames on a thread's user stack, decoded",
         Arg("tid", "number", choices=tasks.numbers), Arg("addr", "addr", optional=True))  # fmt: skip
def sigframe(args: Args, report: Report) -> None:
    """Looks upward from the thread's stack pointer for what the kernel pushed (by the return address, the
    handler's restorer; on aarch64 by the record of the FPU state), or takes the frame at ADDR. Each frame: which stack it is on, the signal, the mask
    and alternate stack it restores, and the interrupted registers; the next one is looked for where that
    code's stack was. The frame is what a program may have changed: doubts are listed."""
    thread = tasks.find_thread(args.need("tid"))
    mm = thread.follow("mm", f"address space of {tasks.title(thread)}")
    proc = thread.follow("proc")
    if not mm or not proc:
        raise CairnError(f"{tasks.title(thread)} has no user memory")
    mm.what = f"address space of {thread.num('tid')}"
    given = args.number("addr")
    if given is not None:
        show_frame(thread, mm, read_frame(mm, given), report)
        return
    actions = sighand(proc).items("action")
    restorers = {a.num("restorer") for a in actions if a.num("flags") & SA_RESTORER and a.num("handler") > SIG_IGN}
    sp = tasks.user_sp(thread)
    for _ in range(FRAMES_MAX):
        frame = find_frame(mm, sp, restorers)
        if frame is None:
            break
        show_frame(thread, mm, frame, report)
        sp = frame.regs["sp"]
    if not report.tables:
        report.note(f"{tasks.title(thread)} is in no signal handler: no frame from its stack pointer {sp:#x} on")


def read_frame(mm: Obj, at: int) -> SignalFrame:
    try:
        data = memory.read_user(mm, at, arch.port().FRAME_BYTES)
    except Unreadable as error:
        raise CairnError(f"signal frame {at:#x}: {error.addr:#x} is not mapped in {mm.what}") from None
    frame: SignalFrame = arch.port().decode_signal_frame(at, data)
    return frame


def find_frame(mm: Obj, sp: int, restorers: set[int]) -> SignalFrame | None:
    """The first frame from sp on, by a word that frames have, that nothing speaks against."""
    port = arch.port()
    vma = vma_at(mm, sp)
    if not vma or (port.FRAME_BY_RESTORER and not restorers):
        return None
    at, end = (sp + port.FRAME_SEARCH) & ~7, min(vma.num("end"), sp + SCAN_BYTES)
    while at < end:
        room = min(end - at, 4096 - at % 4096)
        try:
            data = memory.read_user(mm, at, room)
        except Unreadable:
            data = b""
        for i, (word,) in enumerate(struct.iter_unpack("<Q", data[: len(data) & ~7])):
            start = port.frame_of(word, at + 8 * i, sp, restorers)
            if start is not None:
                frame = read_frame(mm, start)
                if not frame.doubts:
                    return frame
        at += room
    return None


def stack_name(mm: Obj, addr: int, tp: Obj | None) -> str:
    """Which stack an address is on."""
    if tp:
        low, size = tp.num("altstack_sp"), tp.num("altstack_size")
        if size and low < addr <= low + size:
            return f"alternate stack, {low:#x} to {low + size:#x}"
    vma = vma_at(mm, addr)
    if not vma:
        return "no mapping"
    name = vma_name(mm, vma) or "anonymous mapping"
    return f"normal stack, {name} {vma.num('start'):#x}-{vma.num('end'):#x} {rights(vma)}"


def show_frame(thread: Obj, mm: Obj, frame: SignalFrame, report: Report) -> None:
    tp = thread.follow("tp")
    number = len(report.tables) // 2
    table = report.table(f"frame {number}", f"signal frame at {frame.at:#x} of {tasks.title(thread)}:")
    signo, code, addr = struct.unpack_from("<i4xi4xQ", frame.info)
    good = 1 <= signo <= 64
    table.row(what="on", value=stack_name(mm, frame.at, tp))
    table.row(what="signal", value=f"{names.signal_name(signo)}, {names.si_code(signo, code)}" if good else
              "not in the frame (handler without SA_SIGINFO)")  # fmt: skip
    if good and signo in (4, 5, 7, 8, 11) and code > 0:
        table.row(what="fault address", value=f"{addr:#x}")
    if frame.restorer:
        table.row(what="returns to", value=f"{frame.restorer:#x} ({user_place(thread, frame.restorer)})")
    table.row(what="restores mask", value=names.signal_set(frame.mask))
    alt = f"{frame.alt_sp:#x}+{frame.alt_size:#x}, flags {frame.alt_flags:#x}"
    table.row(what="restores altstack", value=alt if frame.alt_size else "none")
    for what, value in frame.more:
        table.row(what=what, value=value)
    table.row(what="interrupted at", value=f"{frame.regs['ip']:#x} ({user_place(thread, frame.regs['ip'])})")
    table.row(what="its stack", value=f"{frame.regs['sp']:#x}: {stack_name(mm, frame.regs['sp'], tp)}")
    regs = report.table(f"registers {number}")
    regs.rows.append({name: Hex(value) for name, value in frame.regs.items()})
    for doubt in frame.doubts:
        report.problem(f"signal frame {frame.at:#x}: {doubt}")
