"""The debug layer and what is of no one part: dmesg, stage, sysinfo, sym, list, core."""

from __future__ import annotations

import gdb

from . import arch, memory, target, tasks, vmcore, walk
from .command import Arg, Args, command
from .errors import CairnError
from .report import Hex, Report
from .target import Obj

LINES = 40


def log_text(want_lines: int) -> list[str]:
    """The last lines of the kernel's log ring."""
    ring_at, kind = target.variable("ring", "debug/klog.c")
    head = target.global_num("head", "debug/klog.c")
    size = kind.sizeof
    if not 0 < head < 1 << 48:
        raise CairnError(f"kernel log: {head:#x} bytes written cannot be" if head else "kernel log: nothing written")
    have = min(head, size, max(want_lines * 512, 8192))
    start = (head - have) % size
    data = target.read(ring_at + start, min(have, size - start), "kernel log")
    if len(data) < have:
        data += target.read(ring_at, have - len(data), "kernel log")
    lines = data.decode("utf-8", "replace").split("\n")
    if head > have:
        lines = lines[1:]  # the first one may be cut
    return [line for line in lines if line][-want_lines:]


@command("dmesg", "the last lines of the kernel's log", Arg("lines", "number", optional=True))
def dmesg(args: Args, report: Report) -> None:
    """From the ring in memory, what was not printed on the console too. LINES: how many (40)."""
    wanted = args.number("lines")
    if wanted is not None and not 0 < wanted <= 100_000:
        raise CairnError(f"{wanted} lines cannot be shown")
    for line in log_text(wanted or LINES):
        report.note(line)


@command("stage", "the boot stage that runs, and how many have ended")
def stage(args: Args, report: Report) -> None:
    """From the runner's counters and the event it wrote last."""
    del args
    event = target.global_obj("ev", "init/stages.c")
    length = event.num("len")
    text = event.raw("buf")
    if length > len(text):
        raise CairnError(f"stage event: {length} bytes in a buffer of {len(text)}")
    line = text[:length].decode("utf-8", "replace")
    counts = {name: target.global_num(name, "init/stages.c") for name in ("run", "passed", "failed", "skipped")}
    report.table("counts").rows.append(dict(counts))
    known = {one.string("id"): one for one in target.global_array("stages", "init/stages.c") if one.num("id")}
    name = line.partition('"id":"')[2].partition('"')[0]
    if '"type":"stage_begin"' in line and name in known:
        stage_row(known[name], report)
        report.note(f"stage {name} is running")
    elif name in known:
        stage_row(known[name], report)
        report.note(f"no stage is running; {name} was the last one")
    else:
        report.note("no stage has run" if not counts["run"] else "all stages have ended")


def stage_row(one: Obj, report: Report) -> None:
    report.table("stage").row(
        n=one.num("n"), id=one.string("id"), title=one.string("title"), user=bool(one.num("user")),
        deadline_ms=one.num("deadline_ms"), detail=one.text("detail"),
    )  # fmt: skip


@command("sysinfo", "kernel, machine and state at a glance")
def sysinfo(args: Args, report: Report) -> None:
    """Version line, command line, CPUs, memory, threads, panic."""
    del args
    table = report.table("system")
    found: list[tuple[str, object]] = [
        ("kernel", arch.port().NAME),
        ("started", first_log_line()),
        ("command line", target.global_obj("boot_info").string("cmdline")),
        ("cpus online", " ".join(map(str, target.cpus()))),
        ("memory", f"{target.global_num('mem_total_pages') * 4 // 1024} MiB"),
        ("threads", sum(1 for _ in report.guard(tasks.threads()))),
        ("processes", sum(1 for _ in report.guard(tasks.procs()))),
        ("panic", panic_state()),
    ]
    for name, value in found:
        table.row(what=name, value=str(value))


def first_log_line() -> str:
    ring = target.variable("ring", "debug/klog.c")[0]
    if target.global_num("head", "debug/klog.c") > target.variable("ring", "debug/klog.c")[1].sizeof:
        return "(overwritten)"
    return target.c_string(ring, "kernel log").split("\n")[0]


def panic_state() -> str:
    cpu = target.global_num("panic_cpu", "debug/panic.c")
    return "none" if cpu < 0 else f"cpu {cpu} has panicked (cairn dmesg says why)"


# --- addresses -----------------------------------------------------------------------------------


@command("sym", "what an address is: symbol, stack, slab object, page...", Arg("addr", "addr"))
def sym(args: Args, report: Report) -> None:
    """Everything that is known about a kernel address."""
    addr = args.need("addr")
    for line in describe(addr, report):
        report.note(line)


def describe(addr: int, report: Report) -> list[str]:
    port = arch.port()
    if addr < port.KERNEL_HALF:
        return [f"{addr:#x}: below the kernel's half: a user address (cairn vmmap PID), or a number"]
    lines = []
    name = target.place(addr)
    if not name.startswith("0x"):
        line = target.source_line(addr)
        lines.append(f"{addr:#x}: {name}{f' at {line}' if line else ''}")
    if port.VMEMMAP_BASE <= addr < port.VMEMMAP_END:
        size = target.type_of("struct page").sizeof
        pfn, offset = divmod(addr - port.VMEMMAP_BASE, size)
        lines.append(f"{addr:#x}: struct page of frame {pfn:#x}, byte {offset} (cairn page {pfn:#x})")
    elif port.DIRECT_MAP_BASE <= addr < port.DIRECT_MAP_END:
        lines.append(f"{addr:#x}: direct map of physical {memory.to_phys(addr):#x} (cairn page {addr:#x})")
    elif port.VMALLOC_BASE <= addr < port.VMALLOC_END:
        lines.append(f"{addr:#x}: vmalloc space (cairn vmalloc)")
    lines += stack_lines(addr, report) + slab_lines(addr)
    return lines or [f"{addr:#x}: a kernel address of nothing known"]


def stack_lines(addr: int, report: Report) -> list[str]:
    for thread in report.guard(tasks.threads()):
        if tasks.ended(thread):
            continue
        try:
            low, high = tasks.stack_of(thread)
        except CairnError as error:
            report.problem(str(error))
            continue
        if low <= addr < high:
            return [f"{addr:#x}: kernel stack of {tasks.title(thread)}, {high - addr:#x} below its top"]
        if high - 2 * (high - low) <= addr < low and addr >= arch.port().VMALLOC_BASE:
            return [f"{addr:#x}: guard below the kernel stack of {tasks.title(thread)}: it has overflowed"]
    return []


def slab_lines(addr: int) -> list[str]:
    from .slab import cache_name, object_at

    found = object_at(addr)
    if not found:
        return []
    return [f"{addr:#x}: {addr - found.start:#x} bytes into object {found.start:#x} of cache {cache_name(found.cache)}"]


@command("list", "walk any list of the kernel: addresses of its elements",
         Arg("head", "addr"), Arg("type", "name", optional=True), Arg("member", "name", optional=True))  # fmt: skip
def list_command(args: Args, report: Report) -> None:
    """HEAD is a struct list (or its address). With a type and the member that links it
    (`cairn list all_threads "struct thread" all_link`) elements are those structures. Both directions are
    compared on the way."""
    head = args.need("head")
    kind, member = args.text("type"), args.text("member")
    if kind and not member:
        raise CairnError("MEMBER missing: which member of the type is in the list?")
    offset = target.offset_of(kind, member) if kind else 0
    table = report.table("elements")
    for node in report.guard(walk.list_nodes(target.read_u64, head, f"list {head:#x}")):
        row = {"n": len(table.rows), "node": Hex(node)}
        table.rows.append({**row, "element": f"({kind} *){node - offset:#x}"} if kind else {**row})


@command("core", "load a memory core (dump-guest-memory), paged or not", Arg("file", "text"), needs_kernel=False)
def core(args: Args, report: Report) -> None:
    """A core made with paging=true has virtual addresses and is loaded as it is. One of physical memory gets
    program headers for the kernel's virtual addresses added at its end first, found by a walk of the kernel's
    own page table; its data stays as it was. (scripts may call gdb/cairn/vmcore.py for that.)"""
    path = args.text("file")
    root = target.symbol_addr("kernel_root")
    place = target.symbol_addr(arch.port().IMAGE_PLACE) if arch.port().IMAGE_PLACE else None
    if root is None:
        raise CairnError("no symbol kernel_root: load the kernel's ELF file first")
    try:
        added = vmcore.make_virtual(path, root, arch.port(), place)
    except (OSError, ValueError) as error:
        raise CairnError(f"{path}: {error}") from None
    report.note(f"{path}: {f'{added} virtual ranges added' if added else 'has virtual addresses'}")
    gdb.execute("core-file " + path, to_string=True)
    target.begin()
    report.note(f"{len(gdb.selected_inferior().threads())} CPUs")
