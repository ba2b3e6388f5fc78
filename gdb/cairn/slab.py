"""Kernel objects: slab."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from . import memory, target, walk
from .command import Arg, Args, command
from .errors import CairnError, Unreadable
from .pages import page_at, page_flag, page_phys
from .report import Hex, Report
from .target import Obj

SLABS_MAX = 200_000


def caches() -> list[Obj]:
    count = target.global_num("slab_cache_count")
    found = target.global_array("slab_caches")
    if count > len(found):
        raise CairnError(f"slab_cache_count is {count}, there is room for {len(found)}")
    return found[:count]


def cache_name(cache: Obj) -> str:
    return cache.string("name") if cache.num("name") else "?"


def slabs(cache: Obj, which: str) -> Iterator[Obj]:
    """The slabs of one of a cache's lists (partial, full), each found to be this cache's."""
    name = f"{which} slabs of cache {cache_name(cache)}"
    offset = target.offset_of("struct page", "link")
    for node in walk.list_nodes(target.read_u64, cache.at(which), name, SLABS_MAX):
        page = Obj(node - offset, "struct page", f"slab {node - offset:#x} of {name}")
        if not page.num("flags") & page_flag("SLAB"):
            raise CairnError(f"{name}: node {node:#x} is no slab (page flags {page.num('flags'):#x})")
        if page.num("cache") != cache.addr:
            raise CairnError(f"{name}: node {node:#x} belongs to cache {page.num('cache'):#x}")
        yield page


def slab_range(cache: Obj, page: Obj) -> tuple[int, int]:
    start = memory.direct(page_phys(page.addr))
    return start, start + (4096 << cache.num("order"))


def free_objects(cache: Obj, page: Obj) -> Iterator[int]:
    """The slab's own free list; each object found to lie in the slab, on a slot."""
    start, end = slab_range(cache, page)
    name = f"free list of slab {page.addr:#x} (cache {cache_name(cache)})"
    slot, head = cache.num("slot_size"), cache.num("head")
    count = cache.num("per_slab")
    for obj in walk.chain_nodes(target.read_u64, page.num("freelist"), name, limit=count, align=1):
        if not start <= obj < end or (obj - start - head) % slot:
            raise CairnError(f"{name}: object {obj:#x} is no slot of this slab, {start:#x} to {end:#x}")
        yield obj


def cpu_objects(cache: Obj, cpu: int) -> Iterator[int]:
    """The objects that a CPU keeps."""
    name = f"free list of cpu {cpu} in cache {cache_name(cache)}"
    entry = cache.items("cpu")[cpu]
    for obj in walk.chain_nodes(target.read_u64, entry.num("free"), name, limit=cache.num("limit") * 64, align=1):
        found = object_at(obj)
        if not found or found.cache.addr != cache.addr:
            raise CairnError(f"{name}: object {obj:#x} is not of this cache")
        yield obj


@dataclass(frozen=True)
class Found:
    """The slot that an address lies in."""

    cache: Obj
    page: Obj
    start: int
    index: int


def object_at(addr: int) -> Found | None:
    """The slab object around a kernel address; None when it is in none."""
    pa = memory.to_phys(addr)
    if pa is None:
        return None
    try:
        page = page_at(pa >> 12)
        if page.num("flags") & page_flag("TAIL") and page.num("flags") & page_flag("SLAB"):
            page = Obj(walk.check_pointer(page.num("freelist"), "head of a slab"), "struct page", "head of a slab")
        if not page.num("flags") & page_flag("SLAB"):
            return None
        cache = page.follow("cache", "cache of a slab")
        if not cache or cache.addr not in {c.addr for c in caches()}:
            raise CairnError(f"slab {page.addr:#x}: its cache {page.num('cache'):#x} is none there is")
        index = (memory.direct(pa) - slab_range(cache, page)[0]) // cache.num("slot_size")
        start = slab_range(cache, page)[0] + index * cache.num("slot_size") + cache.num("head")
        return Found(cache, page, start, index)
    except Unreadable:
        return None


def check_cache(cache: Obj, report: Report) -> tuple[int, int]:
    """Walks all of a cache: how many slabs there are, and free objects in them."""
    count = free = empty = 0
    for which in ("partial", "full"):
        for page in report.guard(slabs(cache, which)):
            count += 1
            used = page.num("slab_objects")
            empty += used == 0
            here = sum(1 for _ in report.guard(free_objects(cache, page)))
            free += here
            if used + here != cache.num("per_slab") and not report.problems:
                report.problem(
                    f"slab {page.addr:#x} (cache {cache_name(cache)}): {used} objects in use and {here} free, "
                    f"of {cache.num('per_slab')}"
                )
    if not report.problems and count != cache.num("nr_slabs") and not cache.num("lock.locked"):
        report.problem(f"cache {cache_name(cache)}: nr_slabs is {cache.num('nr_slabs')}, {count} are there")
    for cpu in target.cpus():
        kept = sum(1 for _ in report.guard(cpu_objects(cache, cpu)))
        if not report.problems and abs(kept - cache.items("cpu")[cpu].num("count")) > 1:
            report.problem(
                f"cache {cache_name(cache)}: cpu {cpu} counts {cache.items('cpu')[cpu].num('count')} free objects, "
                f"{kept} are there"
            )
    return count, free


def cache_names() -> list[str]:
    try:
        return [cache_name(cache) for cache in caches()]
    except CairnError:
        return []


@command("slab", "caches of kernel objects; one of them, checked; what object an address is in",
         Arg("cache", "text", optional=True, choices=cache_names), flags=("check",))  # fmt: skip
def slab(args: Args, report: Report) -> None:
    """Without an argument one row for each cache (ACTIVE: objects in use); --check walks them all. With a
    name: that cache, every slab and free list walked. With an address: the object it lies in."""
    wanted = args.text("cache")
    if wanted and wanted not in cache_names():
        return slab_object(target.evaluate(wanted), report)
    table = report.table("caches")
    for cache in caches():
        name = cache_name(cache)
        if wanted and name != wanted:
            continue
        if wanted or "check" in args.flags:
            part = Report("slab")
            check_cache(cache, part)
            for text in part.problems:
                report.problem(text)
        total = cache.num("nr_slabs") * cache.num("per_slab")
        kept = sum(entry.num("count") for entry in cache.items("cpu"))
        unused = kept
        for page in report.guard(slabs(cache, "partial")):
            unused += cache.num("per_slab") - page.num("slab_objects")
        table.row(
            cache=name, size=cache.num("object_size"), slot=cache.num("slot_size"),
            active=max(total - unused, 0), total=total, slabs=cache.num("nr_slabs"), empty=cache.num("nr_empty"),
            on_cpus=kept, kib=cache.num("nr_slabs") * (4 << cache.num("order")), kcache=Hex(cache.addr),
        )  # fmt: skip
    return None


def slab_object(addr: int, report: Report) -> None:
    found = object_at(addr)
    if not found:
        raise CairnError(f"{addr:#x} is in no slab (cairn sym says what it is)")
    free = found.start in set(report.guard(free_objects(found.cache, found.page)))
    keeper = None if free else kept_by(found, report)
    state = "free, in its slab" if free else f"free, kept by cpu {keeper}" if keeper is not None else "in use"
    report.table("object").row(
        cache=cache_name(found.cache), object=Hex(found.start), offset=addr - found.start,
        size=found.cache.num("object_size"), slot=found.index, state=state, slab=Hex(found.page.addr),
    )  # fmt: skip


def kept_by(found: Found, report: Report) -> int | None:
    for cpu in target.cpus():
        if found.start in set(report.guard(cpu_objects(found.cache, cpu))):
            return cpu
    return None
