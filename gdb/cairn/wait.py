"""Locks and waiting: locks, waitq, futex."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import gdb

from . import arch, target, tasks, walk
from .command import Arg, Args, command
from .errors import CairnError, Unreadable
from .report import Hex, Report, Table
from .sched import where
from .target import Obj
from .walk import check_pointer

WAITERS_MAX = 100_000
OWNER_MASK = ~1
VARIABLE = re.compile(r"^\d+:\s+.*\b(?:spinlock|mutex|rwsem)\s+(\w+);$")
FILE = re.compile(r"^File (.*):$")
LOCK_NAME = re.compile(r"[a-z][a-z0-9_ .>/-]+$", re.ASCII | re.IGNORECASE)
_listings: dict[str, str] = {}  # GDB's answers: a look through all its symbols takes long


@dataclass(frozen=True)
class Lock:
    kind: str  # spinlock, mutex, rwsem
    obj: Obj
    label: str


def named_locks(kind: str) -> Iterator[Lock]:
    """Locks that are variables by themselves."""
    file = ""
    if kind not in _listings:
        _listings[kind] = gdb.execute(f"info variables -q -t {kind}", to_string=True)
    for line in _listings[kind].splitlines():
        header = FILE.match(line)
        if header:
            file = header[1]
        found = VARIABLE.match(line)
        if found:
            name = found[1]
            static = "static" in line
            addr, found_type = target.variable(name, file if static else "")
            if str(found_type) == f"struct {kind}":
                yield Lock(kind, Obj(addr, f"struct {kind}", name), name)


# Arrays of structures with a spinlock: variable, file, member.
ARRAYS = (("run_queues", "", "lock"), ("queues", "core/timer.c", "lock"), ("callbacks", "core/rcu.c", "lock"),
          ("slab_caches", "", "lock"),
          ("workers", "sched/work.c", "lock"), ("buckets", "proc/futex.c", "lock"))  # fmt: skip


def array_locks() -> Iterator[Lock]:
    for name, file, member in ARRAYS:
        if not target.has_variable(name, file):
            continue
        for i, one in enumerate(target.global_array(name, file)):
            what = f"{name}[{i}].{member}"
            yield Lock("spinlock", Obj(one.at(member), "struct spinlock", what), what)
    zone = target.global_obj("zone", "page_alloc.c")
    yield Lock("spinlock", Obj(zone.at("lock"), "struct spinlock", "zone.lock"), "zone.lock")


def object_locks() -> Iterator[Lock]:
    """Locks in processes' objects: address spaces, descriptor tables, signal handlers, open files, inodes."""
    from .fs import open_files

    seen: set[int] = set()
    for thread in tasks.threads():
        who = str(thread.num("tid"))
        pi = Obj(thread.at("pi_lock"), "struct spinlock", f"pi_lock of {who}")
        yield Lock("spinlock", pi, f"pi_lock of thread {who}")
        for member, lock, kind in (("mm", "lock", "rwsem"), ("files", "lock", "spinlock"), ("fs", "lock", "spinlock")):
            owner = thread.follow(member, f"{member} of thread {who}")
            if owner and owner.addr not in seen:
                seen.add(owner.addr)
                yield Lock(kind, owner.sub(lock), f"{member}->{lock} of thread {who}")
        proc = thread.follow("proc", f"process of thread {who}")
        hand = proc.follow("sighand", f"sighand of process {proc.num('pid')}") if proc else None
        if hand and hand.addr not in seen:
            seen.add(hand.addr)
            yield Lock("spinlock", hand.sub("lock"), f"sighand->lock of process {who}")
        files = thread.follow("files", f"files of thread {who}")
        for fd, file, _ in open_files(files) if files else ():
            yield from file_locks(file, f"descriptor {fd} of {who}", seen)


def file_locks(file: Obj, label: str, seen: set[int]) -> Iterator[Lock]:
    if file.addr in seen:
        return
    seen.add(file.addr)
    yield Lock("mutex", file.sub("pos_lock"), f"pos_lock of {label}")
    inode = file.follow("inode", f"inode of {label}")
    if inode and inode.addr not in seen:
        seen.add(inode.addr)
        yield Lock("rwsem", inode.sub("lock"), f"inode lock of {label}")
        pipe = inode.follow("pipe", f"pipe of {label}")
        if pipe:
            yield Lock("mutex", pipe.sub("lock"), f"pipe lock of {label}")


def held_by(lock: Lock) -> tuple[bool, str]:
    """Whether it is held, and by whom as far as the lock tells."""
    obj = lock.obj
    if lock.kind == "spinlock":
        byte = obj.num("locked")  # the holder's number plus one
        if byte > target.cpus_max():
            raise CairnError(f"spinlock {lock.label} at {obj.addr:#x}: its byte is {byte}, which no lock has")
        return bool(byte), f"cpu {byte - 1}" if byte else ""
    owner = obj.num("owner") & OWNER_MASK
    if lock.kind == "mutex":
        return bool(owner), owner_name(owner, lock) if owner else ""
    count = obj.num("count")
    if count < -1 or count > WAITERS_MAX:
        raise CairnError(f"rwsem {lock.label} at {obj.addr:#x}: count {count} is no number of readers")
    if count < 0:
        return True, f"writer {owner_name(owner, lock)}"
    return count > 0, f"{count} readers" if count else ""


def owner_name(addr: int, lock: Lock) -> str:
    thread = Obj(check_pointer(addr, f"owner of {lock.kind} {lock.label}"), "struct thread", f"owner of {lock.label}")
    return tasks.title(thread)


@command("locks", "locks that are held and those that are waited for", flags=("all",))
def locks(args: Args, report: Report) -> None:
    """Looks at every lock that is a variable, in a table of the kernel or in an object of a living process.
    A spinlock knows its CPU, a mutex and a write-held rwsem their thread; debug builds also keep what each
    CPU holds, in order. Then who waits: sleepers by their wait queue, spinning CPUs by what they noted; a circle
    among them is a deadlock, and named."""
    held = report.table("held", "held:")
    found: list[Lock] = []
    variables = [named_locks(kind) for kind in ("spinlock", "mutex", "rwsem")]
    for source in (*variables, array_locks(), object_locks()):
        for lock in report.guard(source):
            try:
                found.append(lock)
                is_held, who = held_by(lock)
                if is_held or "all" in args.flags:
                    held.row(kind=lock.kind, lock=lock.label, held_by=who if is_held else "-", at=Hex(lock.obj.addr))
            except CairnError as error:
                report.problem(str(error))
    report.note(f"{len(found)} locks looked at, {len(held.rows)} {'shown' if 'all' in args.flags else 'held'}")
    debug_held(report)
    waiting = report.table("waited", "waited for:")
    sleepers(found, waiting, report)
    spinners(waiting, report)
    waits = {str(row["who"]): (str(row["lock"]), str(row["held_by"]).removeprefix("writer ")) for row in waiting.rows}
    for circle in walk.deadlocks(waits):
        report.note(f"deadlock: {circle}")


def debug_held(report: Report) -> None:
    """Debug builds: the stack of spinlocks that each CPU keeps, and the ranks of the sleeping ones."""
    if not target.has_variable("held_locks", "core/spinlock.c"):
        return
    table = report.table("stacks", "held by CPU, in order:")
    for cpu in target.cpus():
        addr = target.percpu_addr(cpu, "held_locks", "core/spinlock.c")
        stack = Obj(addr, "struct held_locks", f"held_locks of cpu {cpu}")
        entries = stack.items("e")
        depth = stack.num("depth")
        if depth > len(entries):
            report.problem(f"held_locks of cpu {cpu}: depth {depth}, there is room for {len(entries)}")
            continue
        for entry in entries[:depth]:
            lock = entry.follow("lock", f"held_locks of cpu {cpu}", 1)
            if lock:
                table.row(
                    cpu=cpu, lock=lock.string("name"), rank=lock.num("rank"), at=Hex(lock.addr),
                    taken_at=target.place(lock.num("taken_at")), interrupt=bool(entry.num("irq")),
                )  # fmt: skip


def sleepers(found: list[Lock], table: Table, report: Report) -> None:
    queues = {lock.obj.at("wait"): lock for lock in found if lock.kind in ("mutex", "rwsem")}
    for thread in report.guard(tasks.threads()):
        queue = thread.num("waiting_on")
        if not queue or tasks.state_name(thread) not in tasks.SLEEPING:
            continue
        lock = queues.get(queue) or lock_around(queue)
        if lock:
            try:
                _, who = held_by(lock)
            except CairnError as error:
                report.problem(str(error))
                who = "?"
            table.row(who=tasks.title(thread), how="sleeps", kind=lock.kind, lock=lock.label, held_by=who,
                      at=Hex(lock.obj.addr))  # fmt: skip


def lock_around(queue: int) -> Lock | None:
    """A mutex or rwsem that nothing else leads to, around the queue a thread sleeps on: it must look like
    one, with a name in the kernel's image and an owner that is a thread or nobody."""
    image = arch.port().KERNEL_BASE
    for kind in ("mutex", "rwsem"):
        try:
            obj = target.container(queue, f"struct {kind}", "wait", f"{kind} around {queue:#x}")
            name = obj.num("name")
            if name < image or not LOCK_NAME.match(obj.string("name")):
                continue
            owner = obj.num("owner") & OWNER_MASK
            if owner and not any(thread.addr == owner for thread in tasks.threads()):
                continue
            if not slept_on(kind, obj):
                continue
            return Lock(kind, obj, obj.string("name"))
        except CairnError:
            continue
    return None


def slept_on(kind: str, obj: Obj) -> bool:
    """Whether its words are those of a lock that somebody sleeps for."""
    if kind == "mutex":
        return bool(obj.num("owner") & 1)
    return obj.num("count") == -1 or (obj.num("writers_waiting") > 0 and 0 <= obj.num("count") < WAITERS_MAX)


def spinners(table: Table, report: Report) -> None:
    for cpu in target.cpus():
        try:
            addr = target.percpu_addr(cpu, "spin_waiting")
            wait = Obj(addr, "struct spin_wait", f"spin_waiting of cpu {cpu}")
            spinlock = wait.follow("lock", align=1)
            if spinlock:
                lock = Lock("spinlock", spinlock, where(spinlock.addr))
                place = target.place_of_return(wait.num("from"))
                table.row(who=f"cpu {cpu}", how=f"spins in {place}", kind="spinlock",
                          lock=lock.label, held_by=held_by(lock)[1], at=Hex(spinlock.addr))  # fmt: skip
        except CairnError as error:
            report.problem(str(error))


# --- wait queues ---------------------------------------------------------------------------------


def waiters(queue: int, name: str) -> Iterator[Obj]:
    offset = target.offset_of("struct waiter", "link")
    head = queue + target.offset_of("struct waitq", "waiters")
    for node in walk.list_nodes(target.read_u64, head, name, WAITERS_MAX):
        waiter = Obj(node - offset, "struct waiter", f"{name}: waiter {node - offset:#x}")
        try:
            waiter.data
        except Unreadable:
            raise CairnError(f"{name}: node {node:#x} is in no waiter that can be read") from None
        yield waiter


@command("waitq", "who waits on a wait queue, or on which queue each thread waits", Arg("addr", "addr", optional=True))
def waitq(args: Args, report: Report) -> None:
    """Without an address: every sleeping thread that is on a queue. With one: the waiters queued there; those
    with a wake function (poll, epoll) are not threads asleep."""
    addr = args.number("addr")
    if addr is None:
        table = report.table("sleepers")
        for thread in report.guard(tasks.threads()):
            queue = thread.num("waiting_on")
            if queue:
                walk.check_pointer(queue, f"waiting_on of {tasks.title(thread)}")
                table.row(tid=thread.num("tid"), comm=thread.text("comm"), state=tasks.state_name(thread),
                          queue=where(queue), at=Hex(queue))  # fmt: skip
        return
    table = report.table("waiters")
    for waiter in report.guard(waiters(check_pointer(addr, "wait queue"), f"wait queue {where(addr)}")):
        thread_at = waiter.follow("thread", f"thread of {waiter.what}")
        wake = waiter.num("wake")
        table.row(
            thread=tasks.title(thread_at) if thread_at else "-",
            state=tasks.state_name(thread_at) if thread_at else "-",
            exclusive=bool(waiter.num("exclusive")), wake=target.place(wake) if wake else "", waiter=Hex(waiter.addr),
        )  # fmt: skip


@command("futex", "threads that wait on futexes")
def futex(args: Args, report: Report) -> None:
    """Every bucket's waiters with the word they wait on, and its value where it can be read."""
    del args
    table = report.table("waiters")
    offset = target.offset_of("struct futex_waiter", "link")
    for i, bucket in enumerate(target.global_array("buckets", "proc/futex.c")):
        if not bucket.num("list.next"):  # initialised with its first waiter
            continue
        name = f"futex bucket {i}"
        for node in report.guard(walk.list_nodes(target.read_u64, bucket.at("list"), name, WAITERS_MAX)):
            waiter = Obj(node - offset, "struct futex_waiter", f"{name}: waiter {node - offset:#x}")
            try:
                futex_row(waiter, i, table)
            except CairnError as error:
                report.problem(str(error))


def futex_row(waiter: Obj, bucket: int, table: Table) -> None:
    from .memory import read_user

    thread = waiter.follow("thread", f"thread of {waiter.what}")
    addr, owner = waiter.num("key.offset"), waiter.num("key.object")
    mm = thread.follow("mm") if thread else None
    private = mm is not None and mm.addr == owner
    value = "?"
    if mm and private:
        try:
            value = str(int.from_bytes(read_user(mm, addr & ~3, 4), "little"))
        except CairnError:
            pass
    table.row(
        bucket=bucket, thread=tasks.title(thread) if thread else "-", kind="private" if private else "shared",
        word=Hex(addr & ~3 if private else addr), value=value, bitset=Hex(waiter.num("bitset")),
        pi=bool(waiter.num("pi")),
    )  # fmt: skip
