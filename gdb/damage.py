"""For the test of the commands: damages one structure of a stopped guest after the other, runs the command that
walks it, and puts it right again. Sourced in GDB after load.py; prints one JSON object a line, for each case
its name, the pattern that the complaint must match, what the command said and how long it took."""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Callable

import gdb
from cairn import arch, fs, memory, mm, slab, target, tasks
from cairn.target import Obj

NOWHERE = 0xFFFFBFFF00000000  # a kernel address that is never mapped
USER = 0x1234000
INIT = 1
PAGE = 0x10000000  # touched by every process, see userspace/programs/gdbstate.c

target.begin(60.0)
target.require_kernel()
PORT = arch.port()
LAST = PORT.LEVEL_NAMES[0]
IMAGE = (memory.to_phys(PORT.KERNEL_BASE + 0x200000) or 0) >> 12  # a frame of the kernel's image or beside it
# Entries of page tables: a table that is nowhere, and a page that no machine has.
TABLE_NOWHERE, PAGE_BEYOND = {
    "x86_64": (0x30000000067, 0x000F000000001067),
    "aarch64": (0x30000000003, 0x0000F00000001443),
}[PORT.NAME]

Write = tuple[int, bytes]
CASES: list[tuple[str, str, str, Callable[[], list[Write]]]] = []


def u64(addr: int, value: int) -> Write:
    return addr, struct.pack("<Q", value & (1 << 64) - 1)


def number(obj: Obj, path: str, value: int) -> Write:
    size = len(obj.raw(path))
    return obj.at(path), (value & (1 << 8 * size) - 1).to_bytes(size, "little")


def case(name: str, command: str, pattern: str) -> Callable[[Callable[[], list[Write]]], Callable[[], list[Write]]]:
    def declare(body: Callable[[], list[Write]]) -> Callable[[], list[Write]]:
        CASES.append((name, command, pattern, body))
        return body

    return declare


def simple(name: str, command: str, pattern: str, writes: Callable[[], list[Write]]) -> None:
    CASES.append((name, command, pattern, writes))


def thread(tid: int) -> Obj:
    return tasks.find_thread(tid)


def named(comm: str) -> Obj:
    return next(t for t in tasks.threads() if t.text("comm") == comm)


def all_link(index: int) -> int:
    return [t.at("all_link") for t in tasks.threads()][index]


def space() -> Obj:
    return tasks.mm_of(INIT)


def init() -> Obj:
    return tasks.find_proc(INIT)


def entry_addr(level: int) -> int:
    """Where in the direct map the entry of that level for PAGE of init is."""
    for table, index, entry in memory.walk(space(), PAGE).steps:
        if entry.level == level:
            return memory.direct(table + 8 * index)
    raise AssertionError


def cache(name: str) -> Obj:
    return next(one for one in slab.caches() if slab.cache_name(one) == name)


def free_slab() -> tuple[Obj, Obj]:
    """A cache and a slab with two free objects at least."""
    for one in slab.caches():
        for page in slab.slabs(one, "partial"):
            if len(list(slab.free_objects(one, page))) > 1:
                return one, page
    raise AssertionError("no slab has free objects")


def kept() -> tuple[Obj, int, list[int]]:
    """A cache, a CPU and the objects that it keeps, two at least."""
    for one in slab.caches():
        for cpu in target.cpus():
            found = list(slab.cpu_objects(one, cpu))
            if len(found) > 1:
                return one, cpu, found
    raise AssertionError("no CPU keeps objects")


def switched_out() -> Obj:
    return named("reader")


def frame_pointer(of: Obj) -> int:
    return target.read_u64(of.num("arch.sp") + arch.port().SWITCH_FP)


def rq() -> Obj:
    return next(q for q in target.global_array("run_queues") if q.num("fair.root.node"))


def irq_action() -> int:
    return next(line.num("actions") for line in target.global_array("lines", "core/irq.c") if line.num("actions"))


def timer_root() -> Obj:
    return target.global_array("queues", "core/timer.c")[0]


def descriptors() -> Obj:
    table = fs.files_of(INIT).follow("table")
    assert table
    return table


def file_of(fd: int) -> Obj:
    return next(file for n, file, _ in fs.open_files(fs.files_of(INIT)) if n == fd)


def dentry() -> Obj:
    found = file_of(1).follow("dentry")
    assert found
    return found


def tp_of(comm: str) -> Obj:
    found = named(comm).follow("tp")
    assert found
    return found


def mutex() -> Obj:
    return target.global_obj("mount_mutex", "fs/mount.c")


# --- the cases -----------------------------------------------------------------------------------

simple("threads: user pointer", "cairn ps", r"list all_threads: next of node 0x\w+: 0x1234000 is no kernel address",
       lambda: [u64(all_link(3), USER)])  # fmt: skip
simple("threads: unmapped", "cairn ps", r"list all_threads: node 0xffffbfff00000000 \(next of node .* cannot be read",
       lambda: [u64(all_link(3), NOWHERE)])  # fmt: skip
simple("threads: misaligned", "cairn ps", r"list all_threads: .* is not aligned to 8",
       lambda: [u64(all_link(3), all_link(4) + 1)])  # fmt: skip
simple("threads: null", "cairn bt all", r"list all_threads: next of node .*: null pointer",
       lambda: [u64(all_link(5), 0)])  # fmt: skip
simple("threads: cycle", "cairn ps", r"list all_threads: node 0x\w+ comes twice: the list has a cycle",
       lambda: [u64(all_link(5), all_link(2))])  # fmt: skip
simple("threads: poisoned", "cairn check", r"list all_threads: .* is no kernel address",
       lambda: [u64(all_link(2), 0xDEAD000000000100)])  # fmt: skip
simple("threads: prev", "cairn ps", r"list all_threads: node 0x\w+: prev is 0x1234000, not 0x\w+ it was reached from",
       lambda: [u64(all_link(5) + 8, USER)])  # fmt: skip
simple("thread: state", "cairn ps", r"thread 0x\w+ \(tid \d+\): state 0x4d is none",
       lambda: [number(thread(8), "state", 77)])  # fmt: skip
simple("thread: cpu", "cairn ps", r"cpu 200 is none there is", lambda: [number(thread(8), "cpu", 200)])
simple("thread: name", "cairn ps", r"", lambda: [(thread(8).at("comm"), b"\x1b[2J\xff\n\0")])
simple("thread: mm", "cairn vmmap 1", r"address space of thread 1 .*0x1234000 is no kernel address",
       lambda: [number(thread(1), "mm", USER)])  # fmt: skip
simple("thread: saved stack pointer", "cairn bt 8", r"saved stack pointer 0x1234000 is not on its kernel stack",
       lambda: [number(thread(8), "arch.sp", USER)])  # fmt: skip
simple("thread: stack", "cairn bt 8", r"kernel stack of thread 8.* is no stack",
       lambda: [number(thread(8), "arch.stack_top", NOWHERE)])  # fmt: skip
simple("stack: frame cycle", "cairn bt 8", r"backtrace of thread 8 .*comes twice: the chain has a cycle",
       lambda: [u64(frame_pointer(switched_out()), frame_pointer(switched_out()))])  # fmt: skip
simple("stack: return address", "cairn bt 8", r"return address 0x1234000 at 0x\w+ is no kernel code",
       lambda: [u64(frame_pointer(switched_out()) + 8, USER)])  # fmt: skip
simple("stack: frame pointer", "cairn bt 8", r"frame pointer 0xffffbfff00000000 cannot be read",
       lambda: [u64(frame_pointer(switched_out()), NOWHERE)])  # fmt: skip

simple("vma tree: root", "cairn vmmap 1", r"vma tree of address space of 1: root: 0x1234000 is no kernel address",
       lambda: [number(space(), "vmas.node", USER)])  # fmt: skip
simple("vma tree: cycle", "cairn vmmap 1", r"vma tree of address space of 1: node 0x\w+ comes twice",
       lambda: [u64(space().num("vmas.node") + 8, space().num("vmas.node"))])  # fmt: skip
simple("vma tree: parent", "cairn vmmap 1", r"vma tree of .*: node 0x\w+: parent is 0x0, not 0x\w+ it was reached",
       lambda: [u64(target.read_u64(space().num("vmas.node") + 16), 0)])  # fmt: skip
simple("vma: overlap", "cairn vmmap 1", r"vma 0x\w+: starts at 0x\w+, but the one before ends at",
       lambda: [number(next(mm.vmas(space())), "end", 0x10003000)])  # fmt: skip
simple("vma: range", "cairn vmmap 1", r"vma tree of .* is no range of user pages",
       lambda: [number(next(mm.vmas(space())), "start", 0x500123)])  # fmt: skip
simple("mm: count", "cairn vmmap 1", r"nr_vmas is \d+, the tree has \d+",
       lambda: [number(space(), "nr_vmas", 1 << 60)])  # fmt: skip
simple("mm: root", "cairn pt 0x10000000 1", r"root of .* is no page table", lambda: [number(space(), "root", USER)])
simple("pte: nowhere", "cairn pt 0x10000000 1", rf"{LAST} at physical 0x30000000000 is no memory",
       lambda: [u64(entry_addr(1), TABLE_NOWHERE)])  # fmt: skip
simple("pte: nowhere, mapping", "cairn vmmap 1 --rss", r"page table of .*points nowhere",
       lambda: [u64(entry_addr(1), TABLE_NOWHERE)])  # fmt: skip
simple("pte: reserved bits", "cairn pt 0x10000000 1", rf"{LAST} entry 0x\w+: address bits beyond physical memory",
       lambda: [u64(entry_addr(0), PAGE_BEYOND)])  # fmt: skip
simple("memory map: count", f"cairn page {IMAGE}", r"boot_info: 4294967295 ranges",
       lambda: [number(target.global_obj("boot_info"), "nr_ranges", -1)])  # fmt: skip


@case("slab: free list cycle", "cairn slab --check", r"free list of slab 0x\w+ .*comes twice: the list has a cycle")
def slab_cycle() -> list[Write]:
    one, page = free_slab()
    found = list(slab.free_objects(one, page))
    return [u64(found[1], found[0])]


@case("slab: stray free object", "cairn slab --check", r"free list of slab .* is no slot of this slab")
def slab_stray() -> list[Write]:
    one, page = free_slab()
    return [u64(next(slab.free_objects(one, page)), one.addr)]


@case("slab: user pointer in a free list", "cairn slab --check", r"free list of slab .*0x1234000 is no kernel address")
def slab_user() -> list[Write]:
    one, page = free_slab()
    return [u64(next(slab.free_objects(one, page)), USER)]


@case("slab: cycle on a CPU", "cairn slab --check", r"free list of cpu \d in cache .* comes twice")
def slab_cpu() -> list[Write]:
    found = kept()[2]
    return [u64(found[1], found[0])]


@case("slab: cache of a slab", "cairn slab --check", r"slabs of cache .* belongs to cache 0x1234000")
def slab_cache() -> list[Write]:
    return [number(free_slab()[1], "cache", USER)]


simple("slab: number of caches", "cairn slab", r"slab_cache_count is 4294967295, there is room for 96",
       lambda: [(target.variable("slab_cache_count")[0], b"\xff\xff\xff\xff")])  # fmt: skip
simple("slab: partial list", "cairn slab", r"partial slabs of cache .*0x1234000 is no kernel address",
       lambda: [u64(free_slab()[0].at("partial"), USER)])  # fmt: skip
simple("heap: free list", "cairn heap --check", r"free list of order \d+: next of head 0x\w+: 0x1234000 is no kernel",
       lambda: [u64(target.global_obj("zone", "page_alloc.c").at("free") + 160, USER)])  # fmt: skip
simple("heap: count", "cairn heap", r"free in lists: \d+ pages, of \d+ there are",
       lambda: [number(target.global_obj("zone", "page_alloc.c"), "nr_free", 1 << 50)])  # fmt: skip
simple("vmalloc: cycle", "cairn vmalloc", r"tree of vmalloc areas: node 0x\w+ comes twice",
       lambda: [u64(target.read_u64(target.variable("areas", "mm/vmalloc.c")[0]) + 16,
                    target.read_u64(target.variable("areas", "mm/vmalloc.c")[0]))])  # fmt: skip

simple("run queue: count", "cairn runq", r"run queue of cpu \d: nr_running is 1000000, \d are there",
       lambda: [number(rq(), "nr_running", 1000000)])  # fmt: skip
simple("run queue: tree", "cairn runq", r"fair tree of cpu \d: root: 0x1234000 is no kernel address",
       lambda: [number(rq(), "fair.root.node", USER)])  # fmt: skip
simple("run queue: current", "cairn runq", r"run queue of cpu \d: curr of .*0x1234000 is no kernel address",
       lambda: [number(rq(), "curr", USER)])  # fmt: skip
simple("run queue: rt list", "cairn runq", r"rt list 50 of cpu \d: .*0x1234000 is no kernel address",
       lambda: [u64(rq().at("rt") + 16 * 50, USER)])  # fmt: skip
simple("cpus: mask", "cairn current", r"cpu_online_mask is 0xffffffffffffffff: this kernel has CPUs 0 to 7",
       lambda: [u64(target.variable("cpu_online_mask")[0], -1)])  # fmt: skip
simple("cpus: per-CPU offset", "cairn current", r"cpu 1: .*cannot read",
       lambda: [u64(target.variable("percpu_offset")[0] + 8, NOWHERE)])  # fmt: skip
simple("cpus: current thread", "cairn current", r"cpu 2: current thread of cpu 2: 0x1234000 is no kernel address",
       lambda: [u64(target.percpu_addr(2, "current_thread"), USER)])  # fmt: skip
simple("timers: root", "cairn timers", r"timer tree of cpu 0: root: 0x1234000 is no kernel address",
       lambda: [number(timer_root(), "tree.root.node", USER)])  # fmt: skip
simple("timers: cycle", "cairn timers", r"timer tree of cpu 0: node 0x\w+ comes twice",
       lambda: [u64(timer_root().num("tree.root.node") + 8, timer_root().num("tree.root.node"))])  # fmt: skip
simple("irq: cycle", "cairn irqs", r"actions of irq \d+: node 0x\w+ comes twice",
       lambda: [u64(irq_action() + target.offset_of("struct irq_action", "next"), irq_action())])  # fmt: skip
simple("rcu: list", "cairn rcu", r"rcu callbacks of cpu 0: first node: 0x1234000 is no kernel address",
       lambda: [number(target.global_array("callbacks", "core/rcu.c")[0], "first", USER)])  # fmt: skip
simple("rcu: count", "cairn rcu", r"rcu callbacks of cpu 0: count is 4294967295, the list has \d",
       lambda: [number(target.global_array("callbacks", "core/rcu.c")[0], "count", -1)])  # fmt: skip

simple("files: size", "cairn files 1", r"descriptor table 0x\w+ of process 1: a size of 2147483648",
       lambda: [number(descriptors(), "size", 1 << 31)])  # fmt: skip
simple("files: entry", "cairn files 1", r"file of descriptor 1 of process 1: 0x1234000 is no kernel address",
       lambda: [u64(descriptors().num("files") + 8, USER)])  # fmt: skip
simple("files: array", "cairn files 1", r"array of descriptor table 0x\w+: 0x1234000 is no kernel address",
       lambda: [number(descriptors(), "files", USER)])  # fmt: skip
simple("files: inode", "cairn files 1", r"descriptor 1 of process 1: inode of file 0x\w+: cannot read 0xffffbfff0",
       lambda: [number(file_of(1), "inode", NOWHERE)])  # fmt: skip
simple("dentry: long name", "cairn files 1", r"descriptor 1 of process 1: .* a name of 4000000000 bytes",
       lambda: [number(dentry(), "len", 4000000000)])  # fmt: skip


@case("dentry: cycle", "cairn files 1", r"descriptor 1 of process 1: parents of dentry 0x\w+: node 0x\w+ comes twice")
def dentry_cycle() -> list[Write]:
    above = dentry().follow("parent")
    assert above
    return [number(above, "parent", dentry().addr)]


simple("mounts: list", "cairn mounts", r"list mount_list: next of head 0x\w+: 0x1234000 is no kernel address",
       lambda: [u64(target.variable("mount_list")[0], USER)])  # fmt: skip
simple("mounts: super", "cairn mounts", r"mount 0x\w+ of list mount_list: super of .*cannot read",
       lambda: [number(next(fs.mounts()), "super", NOWHERE)])  # fmt: skip
simple("pids: tree", "cairn ps", r"radix tree pids: node: 0x1234000 is no kernel address",
       lambda: [number(target.global_obj("pids", "proc/pid.c"), "slot", USER | 1)])  # fmt: skip
simple("pids: shift", "cairn ps", r"radix tree pids: node 0x\w+: shift 77",
       lambda: [(target.global_obj("pids", "proc/pid.c").num("slot") & ~1, b"\x4d")])  # fmt: skip
simple("processes: children", "cairn pstree", r"children of process 1: next of head 0x\w+: 0x1234000 is no kernel",
       lambda: [u64(init().at("children"), USER)])  # fmt: skip
simple("process: thread count", "cairn proc 11", r"process 11: nr_threads is 4000000000, its list has 4",
       lambda: [number(tasks.find_proc(11), "nr_threads", 4000000000)])  # fmt: skip
simple("signals: queue", "cairn signals 14", r"pending signals of thread 14: next of head .*0x1234000 is no kernel",
       lambda: [u64(tp_of("pending").at("pending.entries"), USER)])  # fmt: skip
simple("signals: frame", "cairn sigframe 9 0x20001000", r"signal frame 0x20001000: ",
       lambda: [])  # fmt: skip
simple("system calls: head", "cairn syscalls 8", r"system-call ring of thread 8 .*: head 0x7 is between two slots",
       lambda: [number(thread(8), "calls.head", 7)])  # fmt: skip
simple("wait queue", "cairn waitq rcu_wait", r"wait queue rcu_wait: next of head .*0x1234000 is no kernel address",
       lambda: [u64(target.global_obj("rcu_wait", "sched/rcu_thread.c").at("waiters"), USER)])  # fmt: skip
simple("futex", "cairn futex", r"futex bucket 0: next of head .*0x1234000 is no kernel address",
       lambda: [u64(target.global_array("buckets", "proc/futex.c")[0].at("list"), USER)])  # fmt: skip
simple("mutex: owner", "cairn locks", r"owner of mutex mount_mutex: 0x1234000 is no kernel address",
       lambda: [number(mutex(), "owner", USER)])  # fmt: skip
simple("spinlock: byte", "cairn locks", r"spinlock pid_lock at 0x\w+: its byte is 77, which no lock has",
       lambda: [number(target.global_obj("pid_lock", "proc/pid.c"), "locked", 77)])  # fmt: skip
simple("spinning", "cairn locks", r"lock of spin_waiting of cpu 1: 0x1234000 is no kernel address",
       lambda: [u64(target.percpu_addr(1, "spin_waiting"), USER)])  # fmt: skip
simple("rwsem: count", "cairn locks", r"rwsem mm->lock of thread 1 at 0x\w+: count -99 is no number of readers",
       lambda: [number(space(), "lock.count", -99)])  # fmt: skip
simple("log: head", "cairn dmesg", r"kernel log: 0xffffffffffffffff bytes written cannot be",
       lambda: [u64(target.variable("head", "debug/klog.c")[0], -1)])  # fmt: skip
simple("stage: event", "cairn stage", r"stage event: \d+ bytes in a buffer of",
       lambda: [number(target.global_obj("ev", "init/stages.c"), "len", 1 << 40)])  # fmt: skip


def look() -> None:
    """Sees the kernel's memory as the commands do."""
    target.begin(60.0)
    target.require_kernel()


def put(writes: list[Write]) -> list[Write]:
    """Writes, and gives back what was there."""
    old = [(addr, target.read(addr, len(data))) for addr, data in writes]
    for addr, data in writes:
        target.write(addr, data)
    return old


def run(command: str) -> tuple[str, str]:
    """What a command printed and its error."""
    try:
        return gdb.execute(command, to_string=True), ""
    except gdb.error as error:
        return "", str(error)


def run_case(name: str, command: str, pattern: str, body: Callable[[], list[Write]]) -> dict[str, object]:
    look()
    old = put(body())
    started = time.monotonic()
    text, error = run(command)
    took = time.monotonic() - started
    look()
    put(old)
    return {"case": name, "pattern": pattern, "text": text, "error": error, "took_s": round(took, 2)}


def main() -> None:
    for name, command, pattern, body in CASES:
        try:
            answer = run_case(name, command, pattern, body)
        except Exception as error:  # noqa: BLE001 - the case could not be made
            answer = {"case": name, "broken": f"{type(error).__name__}: {error}"}
        print("DAMAGE " + json.dumps(answer), flush=True)
    print("DAMAGE-END", flush=True)


if __name__ == "__main__":
    main()
