"""Address spaces: vmmap, pt."""

from __future__ import annotations

from collections.abc import Iterator

from . import arch, memory, pagetable, target, tasks, walk
from .command import Arg, Args, command
from .errors import CairnError, Unreadable
from .report import Hex, Report, Table
from .target import Obj

PID = Arg("pid", "number", choices=tasks.numbers)
OPTIONAL_PID = Arg("pid", "number", optional=True, choices=tasks.numbers)
VMAS_MAX = 100_000


def vm_flag(name: str) -> int:
    for value, known in target.enum_names("enum vm_flag").items():
        if known == f"VM_{name}":
            return value
    return 0


def vmas(mm: Obj) -> Iterator[Obj]:
    """In order of address. CairnError names the tree and the node where it is damaged."""
    name = f"vma tree of {mm.what}"
    offset = target.offset_of("struct vma", "node")
    for node in walk.tree_nodes(target.read_u64, mm.num("vmas.node"), name, VMAS_MAX):
        vma = Obj(node - offset, "struct vma", f"{name}: vma {node - offset:#x}")
        try:
            vma.data
        except Unreadable:
            raise CairnError(f"{name}: node {node:#x} is in no vma that can be read") from None
        yield vma


def vma_doubts(mm: Obj, vma: Obj, before: int) -> Iterator[str]:
    """What is wrong with a vma that comes after address before."""
    start, end = vma.num("start"), vma.num("end")
    if start >= end or (start | end) & 4095 or end > arch.port().USER_TOP + 4096:
        yield f"{vma.what}: from {start:#x} to {end:#x} is no range of user pages"
    if start < before:
        yield f"{vma.what}: starts at {start:#x}, but the one before ends at {before:#x}"
    if vma.num("mm") != mm.addr:
        yield f"{vma.what}: belongs to address space {vma.num('mm'):#x}, not {mm.addr:#x}"


def vma_at(mm: Obj, addr: int) -> Obj | None:
    for vma in vmas(mm):
        if vma.num("start") <= addr < vma.num("end"):
            return vma
    return None


def rights(vma: Obj) -> str:
    flags = vma.num("flags")
    text = "".join(c if flags & vm_flag(n) else "-" for c, n in (("r", "READ"), ("w", "WRITE"), ("x", "EXEC")))
    return text + ("s" if flags & vm_flag("SHARED") else "p")


def vma_name(mm: Obj, vma: Obj) -> str:
    from .fs import file_path

    file = vma.follow("file")
    if file:
        try:
            return file_path(file)
        except CairnError as error:
            return f"({error})"
    ops = vma.follow("ops")
    if ops and ops.num("name"):
        return ops.string("name")
    flags = vma.num("flags")
    if flags & vm_flag("HEAP"):
        return "[heap]"
    return "[stack]" if flags & (vm_flag("STACK") | vm_flag("GROWSDOWN")) else ""


SHOWN = ("GROWSDOWN", "LOCKED", "DONTFORK", "WIPEONFORK", "NORESERVE", "HUGE", "NOHUGE", "SPECIAL", "DONTDUMP")


@command("vmmap", "mappings of a process", PID, flags=("rss",))
def vmmap(args: Args, report: Report) -> None:
    """As /proc/PID/maps, from the kernel's own tree, whose order and counts are checked. --rss counts the
    pages that are there, by a walk of the page tables."""
    mm = tasks.mm_of(args.need("pid"))
    table = report.table("mappings")
    before = count = 0
    for vma in report.guard(vmas(mm)):
        for doubt in vma_doubts(mm, vma, before):
            report.problem(doubt)
        before, count = vma.num("end"), count + 1
        vmmap_row(mm, vma, table, "rss" in args.flags)
    if mm.num("nr_vmas") != count and not report.problems:
        report.problem(f"{mm.what}: nr_vmas is {mm.num('nr_vmas')}, the tree has {count}")
    report.note(
        f"{mm.what} at {mm.addr:#x}: {count} mappings, {mm.num('total_vm') * 4} KiB, resident "
        f"{(mm.num('rss_anon') + mm.num('rss_file')) * 4} KiB ({mm.num('rss_anon') * 4} anonymous)"
    )


def vmmap_row(mm: Obj, vma: Obj, table: Table, rss: bool) -> None:
    start, end, flags = vma.num("start"), vma.num("end"), vma.num("flags")
    row: dict[str, int | str | None] = {
        "start": Hex(start),
        "end": Hex(end),
        "prot": rights(vma),
        "kib": (end - start) >> 10,
        "offset": Hex(vma.num("pgoff") << 12) if vma.num("file") else None,
        "flags": " ".join(name for name in SHOWN if flags & vm_flag(name)),
        "name": vma_name(mm, vma),
        "vma": Hex(vma.addr),
    }
    if rss:
        row["rss_kib"] = 4 * sum(1 for _ in present_pages(mm, start, end))
    table.rows.append(row)


def present_pages(mm: Obj, start: int, end: int) -> Iterator[tuple[int, int]]:
    """(address, physical address) of each page that is there; skips what whole tables leave out."""
    va = start
    while va < end:
        found = memory.walk(mm, va)
        if found.broken:
            raise CairnError(f"page table of {mm.what} at {va:#x}: {found.broken}")
        if found.mapped:
            yield va, found.paddr
            va += 4096
        else:
            step = 4096 << (9 * found.last.level)
            va = (va // step + 1) * step


# --- pt ------------------------------------------------------------------------------------------


@command("pt", "page-table walk of an address, and why an access would fault", Arg("addr", "addr"), OPTIONAL_PID)
def pt(args: Args, report: Report) -> None:
    """Each level's entry with its flags, the frame it leads to, and for every kind of access whether the CPU
    takes it; when not, with which error code, and what the kernel would make of the fault. Without PID: an
    address of the kernel, or of the process that runs on the selected CPU. (x86_64's error code: bit 0
    protection, not absence; 1 write; 2 user mode; 3 reserved bit; 4 instruction fetch. aarch64: what ESR_EL1
    says, in words behind it.)"""
    port = arch.port()
    va, pid = port.untagged(args.need("addr")), args.number("pid")
    mm = space_of(va, pid)
    found = memory.walk(mm, va)
    steps = report.table("entries", f"{va:#x} in {mm.what if mm else 'the kernel'}:")
    for table, index, entry in found.steps:
        leads = f"page of {entry.size >> 10} KiB" if entry.leaf else "table" if entry.present else "nothing"
        steps.row(
            level=port.LEVEL_NAMES[entry.level], table=Hex(table), index=index, entry=Hex(entry.value),
            flags=entry.flags, leads_to=leads, address=Hex(entry.paddr) if entry.present else None,
        )  # fmt: skip
    if found.mapped:
        report.note(f"physical address {found.paddr:#x}, frame {found.paddr >> 12:#x}")
    if found.broken:
        report.problem(f"page table of {mm.what if mm else 'the kernel'}: {found.broken}")
    elif found.steps and found.last.wrong:
        report.problem(f"{port.LEVEL_NAMES[found.last.level]} entry {found.last.value:#x}: {found.last.wrong}")
    add_verdicts(report, found, mm, va)


def space_of(va: int, pid: int | None) -> Obj | None:
    if pid is not None:
        return tasks.mm_of(pid)
    if va >= arch.port().KERNEL_HALF:
        return None
    thread = tasks.current(target.selected_cpu())
    mm = thread.follow("mm")
    if not mm:
        raise CairnError(f"{tasks.title(thread)} runs on the selected CPU and has no user memory: give a PID")
    mm.what = f"address space of {tasks.title(thread)}"
    return mm


def add_verdicts(report: Report, found: pagetable.Walk, mm: Obj | None, va: int) -> None:
    vma: Obj | None = None
    if mm and va < arch.port().USER_TOP:
        try:
            vma = vma_at(mm, va)
            report.note(f"mapping: {describe_vma(mm, vma)}" if vma else "mapping: none")
        except CairnError as error:
            report.problem(str(error))
            mm = None
    table = report.table("accesses")
    for user in (True, False):
        for access in ("read", "write", "execute"):
            good, why = pagetable.verdict(found, access, user, arch.port())
            then = "" if good else outcome(mm, vma, found, access, user, va)
            table.row(mode="user" if user else "kernel", access=access, works=good, why=why, then=then)


def describe_vma(mm: Obj, vma: Obj) -> str:
    return f"{vma.num('start'):#x}-{vma.num('end'):#x} {rights(vma)} {vma_name(mm, vma)}".rstrip()


def outcome(mm: Obj | None, vma: Obj | None, found: pagetable.Walk, access: str, user: bool, va: int) -> str:
    """What becomes of the fault."""
    if not arch.port().canonical(va):
        return "SIGSEGV" if user else "panic"
    if va >= arch.port().KERNEL_HALF:
        return "SIGSEGV (SEGV_MAPERR)" if user else "panic (unless there is a fixup)"
    if found.broken or found.last.wrong:
        return "panic: a broken page table"
    if not user and access == "execute":
        return "panic"
    if mm is None:
        return ""
    if vma is None:
        return "SIGSEGV (SEGV_MAPERR): no mapping" if user else "-EFAULT of a user copy: no mapping"
    needed = vm_flag({"read": "READ", "write": "WRITE", "execute": "EXEC"}[access])
    if not vma.num("flags") & needed and not (access == "read" and vma.num("flags") & vm_flag("WRITE")):
        ends = "SIGSEGV (SEGV_ACCERR)" if user else "-EFAULT of a user copy"
        return f"{ends}: the mapping is {rights(vma)}"
    return f"resolved: {how_resolved(vma, found, access)}"


def how_resolved(vma: Obj, found: pagetable.Walk, access: str) -> str:
    if found.mapped and access == "write":
        return "the page is copied or made writable"
    if vma.num("mapping"):
        return "the page comes from the page cache (SIGBUS past the end of the file)"
    return "a page of zeroes" if not vma.num("ops") else "by the mapping's own fault function"
