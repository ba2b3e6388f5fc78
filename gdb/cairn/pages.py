"""Frames of memory: page, heap, vmalloc."""

from __future__ import annotations

from collections.abc import Iterator

from . import arch, memory, target, tasks, walk
from .command import Arg, Args, command
from .errors import CairnError, Unreadable
from .mm import OPTIONAL_PID
from .report import Hex, Report
from .sched import flags_text
from .target import Obj

ORDERS_MAX = 16
CACHED_ORDER_MIN = 32  # PAGE_ORDER_CACHED is above any order


def page_flag(name: str) -> int:
    for value, known in target.enum_names("enum page_flag").items():
        if known == f"PG_{name}":
            return value
    return 0


def page_addr(pfn: int) -> int:
    return int(arch.port().VMEMMAP_BASE) + pfn * target.type_of("struct page").sizeof


def page_pfn(addr: int) -> int:
    offset = addr - int(arch.port().VMEMMAP_BASE)
    size = target.type_of("struct page").sizeof
    if offset < 0 or offset % size:
        raise CairnError(f"{addr:#x} is no struct page")
    return offset // size


def page_phys(addr: int) -> int:
    return page_pfn(addr) << 12


def page_at(pfn: int) -> Obj:
    return Obj(page_addr(pfn), "struct page", f"page of frame {pfn:#x}")


def to_frame(value: int, pid: int | None) -> int:
    """The frame that a number means: a struct page, an address of the kernel, a process's, or a frame."""
    port = arch.port()
    if pid is not None:
        mm = tasks.mm_of(pid)
        found = memory.walk(mm, value)
        if found.mapped:
            return int(found.paddr >> 12)
        if found.steps and found.last.kept:
            return int(found.last.paddr >> 12)
        raise CairnError(f"{value:#x} has no page in {mm.what} (cairn pt {value:#x} {pid} says why)")
    if port.VMEMMAP_BASE <= value < port.VMEMMAP_END:
        return page_pfn(value - (value - port.VMEMMAP_BASE) % target.type_of("struct page").sizeof)
    if value >= port.KERNEL_HALF:
        pa = memory.to_phys(value)
        if pa is None:
            found = memory.walk(None, value)
            if not found.mapped:
                raise CairnError(f"{value:#x} is not mapped in the kernel (cairn pt {value:#x} says why)")
            pa = found.paddr
        return int(pa >> 12)
    return value if value < 1 << 36 and not known_physical(value) else value >> 12


def ranges() -> Iterator[tuple[int, int, int]]:
    """(base, size, kind) of the memory map that the boot loader gave."""
    info = target.global_obj("boot_info")
    count = info.num("nr_ranges")
    found = info.items("ranges")
    if count > len(found):
        raise CairnError(f"boot_info: {count} ranges, there is room for {len(found)}")
    for one in found[:count]:
        yield one.num("base"), one.num("size"), one.num("kind")


def known_physical(value: int) -> bool:
    """A number above all frames there are, but within memory, is an address."""
    top = max((base + size for base, size, _ in ranges()), default=0)
    return top >> 12 <= value < top


@command("page", "a frame of memory: state, owner", Arg("what", "addr"), OPTIONAL_PID)
def page(args: Args, report: Report) -> None:
    """WHAT is a frame number, a physical address, an address of the kernel, a struct page, or with PID an
    address of that process. Says what the frame is used for and by whom, as far as struct page tells."""
    pfn = to_frame(args.need("what"), args.number("pid"))
    if not any(base <= pfn << 12 < base + size for base, size, _ in ranges()):
        raise CairnError(f"frame {pfn:#x} is no memory (the memory map ends elsewhere)")
    try:
        one = page_at(pfn)
        flags = one.num("flags")
    except Unreadable:
        raise CairnError(f"frame {pfn:#x} has no struct page: not memory that the kernel uses") from None
    report.table("page").row(
        frame=Hex(pfn), physical=Hex(pfn << 12), refs=one.num("refs"), order=one.num("order"),
        flags=flags_text(flags, "enum page_flag", "PG_"), page=Hex(one.addr),
    )  # fmt: skip
    report.note(f"use: {use_of(one, pfn, report)}")


def use_of(one: Obj, pfn: int, report: Report) -> str:
    flags = one.num("flags")
    if flags & page_flag("SLAB"):
        return slab_use(pfn, report)
    if flags & page_flag("FREE"):
        cached = one.num("order") >= CACHED_ORDER_MIN
        return "free, kept by a CPU" if cached else f"free, head of a block of {1 << min(one.num('order'), 20)} pages"
    if flags & page_flag("RESERVED"):
        return "reserved: " + reserved_use(pfn)
    if flags & page_flag("TABLE"):
        return f"a page table with {one.num('pt_live')} entries in use"
    if flags & page_flag("CACHE"):
        return cache_use(one)
    if flags & page_flag("ANON"):
        users = ", ".join(anon_users(pfn, report)) or "nobody found"
        return f"anonymous memory of {users}"
    stack = stack_use(pfn)
    if stack:
        return stack
    if not one.num("refs"):
        return "inside a free block, or not used yet"
    return "kernel memory (whole pages)"


def slab_use(pfn: int, report: Report) -> str:
    from .slab import cache_name, free_objects, object_at

    found = object_at(memory.direct(pfn << 12))
    if not found:
        return "a slab"
    free = sum(1 for _ in report.guard(free_objects(found.cache, found.page)))
    return (
        f"slab of cache {cache_name(found.cache)}: {found.page.num('slab_objects')} of "
        f"{found.cache.num('per_slab')} objects in use, {free} free in it"
    )


def reserved_use(pfn: int) -> str:
    start, end = (memory.to_phys(target.symbol_addr(name) or 0) for name in ("__kernel_start", "__kernel_end"))
    if start is not None and end is not None and start >> 12 <= pfn < end + 4095 >> 12:
        return "kernel image"
    if target.has_variable("zero_page") and page_addr(pfn) == target.global_num("zero_page"):
        return "the page of zeroes"
    names = target.enum_names("enum memrange_kind") if target.has_type("enum memrange_kind") else {}
    for base, size, kind in ranges():
        if base <= pfn << 12 < base + size:
            return names.get(kind, f"memory of kind {kind}").removeprefix("MEM_").lower() + ", set aside at boot"
    return "firmware"


def cache_use(one: Obj) -> str:
    mapping = one.follow("mapping", f"mapping of {one.what}")
    if not mapping:
        return "page cache, of no mapping any more"
    host = mapping.follow("host", f"inode of mapping {mapping.addr:#x}")
    index = one.num("index")
    if not host:
        return f"page {index} of shared anonymous memory {mapping.addr:#x}"
    return f"page {index} of the page cache of inode {host.num('ino')} (inode {host.addr:#x}, {host.num('size')} bytes)"


def anon_users(pfn: int, report: Report) -> Iterator[str]:
    """Who maps an anonymous frame: a walk of all address spaces' page tables."""
    from .mm import present_pages, vmas

    seen = set()
    for thread in report.guard(tasks.threads()):
        mm = thread.follow("mm")
        if not mm or mm.addr in seen:
            continue
        seen.add(mm.addr)
        mm.what = f"address space of {thread.num('tid')}"
        for vma in report.guard(vmas(mm)):
            if vma.num("file") and not vma.num("has_anon"):
                continue
            for va, pa in report.guard(present_pages(mm, vma.num("start"), vma.num("end"))):
                if pa >> 12 == pfn:
                    yield f"{tasks.title(thread)} at {va:#x}"


def stack_use(pfn: int) -> str:
    """Which thread's kernel stack has this frame."""
    try:
        for thread in tasks.threads():
            if tasks.ended(thread):
                continue
            low, high = tasks.stack_of(thread)
            for va in range(low, high, 4096):
                pa = memory.to_phys(va)
                if pa is None:
                    found = memory.walk(None, va)
                    pa = found.paddr if found.mapped else None
                if pa is not None and pa >> 12 == pfn:
                    return f"kernel stack of {tasks.title(thread)}, mapped at {va:#x}"
    except CairnError:
        pass
    return ""


# --- heap ----------------------------------------------------------------------------------------


def free_blocks(zone: Obj, order: int) -> Iterator[int]:
    """Frames of the free blocks of one order, each found to be one."""
    name = f"free list of order {order}"
    offset = target.offset_of("struct page", "link")
    for node in walk.list_nodes(target.read_u64, zone.at("free") + 16 * order, name):
        one = Obj(node - offset, "struct page", f"{name}: page {node - offset:#x}")
        if not one.num("flags") & page_flag("FREE") or one.num("order") != order:
            raise CairnError(
                f"{name}: node {node:#x} is no free block of that order (flags {one.num('flags'):#x}, "
                f"order {one.num('order')})"
            )
        yield page_pfn(one.addr)


@command("heap", "memory in all: totals, free blocks by order", flags=("check",))
def heap(args: Args, report: Report) -> None:
    """Totals in KiB, then the allocator's free lists. --check walks each list and compares its sum with the
    count of free pages."""
    zone = target.global_obj("zone", "page_alloc.c")
    per_cpu = target.global_array("cpu_pages", "page_alloc.c")
    kept = [(one.num("count"), one.num("zero_count")) for one in per_cpu]
    totals = {
        "total": target.global_num("mem_total_pages"),
        "free in lists": zone.num("nr_free"),
        "free, kept by CPUs": sum(a + b for a, b in kept),
        "page cache": atomic("mem_cached_pages"),
        "slab": atomic("mem_slab_pages"),
        "kernel stacks": atomic("mem_kstack_pages"),
    }
    for index, name in sorted(target.enum_names("enum mem_counter").items()):
        if name != "MEM_COUNTERS":
            label = {"MEM_ANON": "anonymous", "MEM_TABLES": "page tables"}.get(name, name)
            totals[label] = sum(one.num(f"counters[{index}]") for one in per_cpu)
    table = report.table("totals")
    for name, pages in totals.items():
        table.row(what=name, pages=pages, kib=pages * 4)
        if not 0 <= pages <= totals["total"]:
            report.problem(f"{name}: {pages} pages, of {totals['total']} there are")
    if "check" in args.flags:
        heap_lists(zone, report)


def atomic(name: str) -> int:
    return target.read_u64(target.variable(name)[0])


def heap_lists(zone: Obj, report: Report) -> None:
    table = report.table("free", "free blocks:")
    found = target.find_field(zone.kind, "free")
    assert found
    total = 0
    for order in range(min(found[1].sizeof // 16, ORDERS_MAX)):
        blocks = sum(1 for _ in report.guard(free_blocks(zone, order)))
        total += blocks << order
        table.row(order=order, blocks=blocks, kib=blocks * (4 << order))
    if not report.problems and total != zone.num("nr_free") and not zone.num("lock.locked"):
        report.problem(f"zone: nr_free is {zone.num('nr_free')} pages, the lists have {total}")


@command("vmalloc", "areas of the kernel's virtual memory")
def vmalloc(args: Args, report: Report) -> None:
    """Areas in order of address, without the kernel stacks, which have a region of their own (cairn sym)."""
    del args
    table = report.table("areas")
    offset = target.offset_of("struct area", "node")
    root = target.read_u64(target.variable("areas", "mm/vmalloc.c")[0])
    before = 0
    for node in report.guard(walk.tree_nodes(target.read_u64, root, "tree of vmalloc areas")):
        area = Obj(node - offset, "struct area", f"vmalloc area {node - offset:#x}")
        table.row(
            start=Hex(area.num("start")), end=Hex(area.num("end")),
            kib=(area.num("end") - area.num("start")) >> 10, what="device" if area.num("mmio") else "memory",
        )  # fmt: skip
        if area.num("start") < before or area.num("start") >= area.num("end"):
            report.problem(f"{area.what}: {area.num('start'):#x} to {area.num('end'):#x} is out of order")
        before = area.num("end")
