"""Finding threads, processes and address spaces: what most commands begin with."""

from __future__ import annotations

from collections.abc import Iterator

from . import arch, target, walk
from .errors import CairnError
from .target import Obj

STATES = {"RUNNING": "R", "SLEEP_INT": "S", "SLEEP_KILL": "D", "SLEEP_UNINT": "D", "STOPPED": "T", "DEAD": "X"}
SLEEPING = ("TS_SLEEP_INT", "TS_SLEEP_KILL", "TS_SLEEP_UNINT")


def threads() -> Iterator[Obj]:
    """Every thread, idle and kernel threads too. Ends with a CairnError where all_threads is damaged."""
    head = target.variable("all_threads", "sched/thread.c")[0]
    offset = target.offset_of("struct thread", "all_link")
    for node in walk.list_nodes(target.read_u64, head, "list all_threads"):
        thread = Obj(node - offset, "struct thread", f"thread {node - offset:#x} of list all_threads")
        try:
            thread.data
        except CairnError as error:
            raise CairnError(f"list all_threads: node {node:#x}: {error}") from None
        yield thread


def title(thread: Obj) -> str:
    return f"thread {thread.num('tid')} ({thread.text('comm')})"


def state_name(thread: Obj) -> str:
    value = thread.num("state")
    name = target.enum_names("enum thread_state").get(value)
    return name or f"bad:{value:#x}"


def doubts(thread: Obj) -> list[str]:
    """What cannot be true of a thread."""
    found = []
    who = f"thread {thread.addr:#x} (tid {thread.num('tid')})"
    if state_name(thread).startswith("bad:"):
        found.append(f"{who}: state {thread.num('state'):#x} is none there is")
    cpus = target.cpus_max()
    if thread.num("cpu") >= cpus:
        found.append(f"{who}: cpu {thread.num('cpu')} is none there is (0 to {cpus - 1})")
    for member in ("proc", "mm", "tp"):
        pointer = thread.num(member)
        if pointer:
            try:
                walk.check_pointer(pointer, f"{who}: {member}")
            except CairnError as error:
                found.append(str(error))
    return found


def find_thread(tid: int) -> Obj:
    for thread in threads():
        if thread.num("tid") == tid and not (tid == 0 and thread.text("comm").startswith("idle")):
            return thread
    raise CairnError(f"there is no thread {tid} (cairn ps lists them)")


def find_proc(pid: int) -> Obj:
    """The process that pid is, or that has a thread of that number."""
    for thread in threads():
        proc = thread.follow("proc", f"process of {title(thread)}")
        if proc and (thread.num("tid") == pid or proc.num("pid") == pid):
            return proc
    for proc in procs():  # a zombie has no thread any more
        if proc.num("pid") == pid:
            return proc
    raise CairnError(f"there is no process {pid} (cairn ps lists them)")


def threads_of(proc: Obj) -> Iterator[Obj]:
    for thread in threads():
        if thread.num("proc") == proc.addr:
            yield thread


def pids() -> Iterator[tuple[int, Obj]]:
    """Every struct pid by its number."""
    root = target.global_obj("pids", "proc/pid.c")
    slots = target.offset_of("struct radix_node", "slots")
    name = "radix tree pids"
    for number, entry in walk.radix_entries(target.read_u64, target.read_u8, root.num("slot"), slots, name):
        pid = Obj(entry, "struct pid", f"{name}: entry {number}")
        if pid.num("nr") != number:
            raise CairnError(f"{name}: entry {number} at {entry:#x} says it is number {pid.num('nr')}")
        yield number, pid


def procs() -> Iterator[Obj]:
    """Every process, zombies too."""
    for number, pid in pids():
        proc = pid.follow("proc", f"process {number}")
        if proc and proc.num("pid") == number:
            yield proc


def children(proc: Obj) -> Iterator[Obj]:
    name = f"children of process {proc.num('pid')}"
    offset = target.offset_of("struct proc", "sibling")
    for node in walk.list_nodes(target.read_u64, proc.at("children"), name):
        yield Obj(node - offset, "struct proc", name)


def mm_of(pid: int) -> Obj:
    """The address space of a process or thread."""
    found = None
    for thread in threads():
        proc = thread.num("proc")
        if thread.num("tid") == pid or (proc and Obj(proc, "struct proc", title(thread)).num("pid") == pid):
            found = found or thread
            mm = thread.follow("mm", f"address space of {title(thread)}")
            if mm:
                mm.what = f"address space of {pid}"
                return mm
    if found:
        raise CairnError(f"{title(found)} has no address space of its own")
    raise CairnError(f"there is no process or thread {pid} (cairn ps lists them)")


def current(cpu: int) -> Obj:
    if cpu not in target.cpus():
        raise CairnError(f"cpu {cpu} is not online")
    addr = int.from_bytes(target.read(target.percpu_addr(cpu, "current_thread"), 8, "current_thread"), "little")
    return Obj(addr, "struct thread", f"current thread of cpu {cpu}")


def ended(thread: Obj) -> bool:
    """Dead, and off its stack, which may be another thread's by now."""
    return state_name(thread) == "TS_DEAD" and not thread.num("on_cpu")


def unborn(thread: Obj) -> bool:
    """In the list, and still being made: never started, with nothing on its stack."""
    return not thread.num("arch.sp") and not thread.num("se.queued") and running_on(thread) is None


def stack_of(thread: Obj) -> tuple[int, int]:
    """The thread's kernel stack. CairnError when it cannot be one."""
    low, high = thread.num("stack"), thread.num("arch.stack_top")
    who = f"kernel stack of {title(thread)}"
    walk.check_pointer(low, who)
    if high == 0:  # boot and idle threads never enter user mode
        high = low + (16 << 10)
    if not low < high <= low + (1 << 20):
        raise CairnError(f"{who}: from {low:#x} to {high:#x} is no stack")
    return low, high


def user_sp(thread: Obj) -> int:
    """The user's stack pointer: the CPU's when it runs in user mode, else the one that entry saved."""
    port = arch.port()
    if thread.num("kernel") or not thread.num("mm"):
        raise CairnError(f"{title(thread)} has no user mode")
    cpu = running_on(thread)
    if cpu is not None:
        registers = target.cpu_registers(cpu, port.CPU_REGISTERS)
        if port.cpu_user_mode(registers):
            return int(registers[port.SP])
    _, high = stack_of(thread)
    saved = target.read(high - port.REGS_SIZE, port.REGS_SIZE, "saved registers")
    return int(port.decode_regs(saved)["sp"])


def running_on(thread: Obj) -> int | None:
    """The CPU that runs it just now."""
    for cpu in target.cpus():
        if target.percpu_num(cpu, "current_thread") == thread.addr:
            return cpu
    return None


def numbers() -> list[str]:
    """For completion."""
    try:
        return [str(thread.num("tid")) for thread in threads() if thread.num("tid")]
    except CairnError:
        return []
