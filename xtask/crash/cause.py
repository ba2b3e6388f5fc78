"""The probable cause of a crash, in words. Pure. Every rule says what it saw; where nothing fits, that is said."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .disasm import Instruction
from .record import Crash, Mapping, Panic

PAGE = 4096
STACK_NEAR = 1 << 20  # below a stack: its guard gap
SP_NEAR = 1 << 16
USER_TOP = {"x86_64": 1 << 47, "aarch64": 1 << 48}
NULL_MAX = 1 << 16
SI_KERNEL = 0x80
SEGV_MAPERR, SEGV_ACCERR, BUS_ADRALN, BUS_ADRERR, FPE_INTDIV = 1, 2, 1, 2, 1
PRIVILEGED_ARM = re.compile(r"^(mrs|msr|eret|hvc|smc|tlbi|at|dc|ic|sys|sysl|hlt|dcps[123]|drps)\b")
ABORTS = (0x20, 0x21, 0x24, 0x25)  # aarch64: classes of instruction and data aborts
PRIVILEGED = re.compile(r"^(hlt|cli|sti|in|out|insb|outsb|l[gi]dt|lmsw|invlpg|wbinvd|clts|(rd|wr)msr)\b|\b[cd]r\d\b")


@dataclass(frozen=True)
class Cause:
    kind: str  # a word for titles and tests
    text: str  # a sentence or two for people


@dataclass(frozen=True)
class Scene:
    """A crash, the instruction it stopped at, and the functions that led there, innermost first."""

    crash: Crash
    instruction: Instruction | None = None
    functions: tuple[str, ...] = ()


def register(crash: Crash, name: str) -> int | None:
    """A register by its name in assembly: rax, eax and ax are the 64-bit ax here; w0 is x0."""
    for known, value in crash.regs.items():
        if name in (known, f"r{known}", f"e{known}", f"{known}d", known.replace("x", "w")):
            return value
    return None


def access(crash: Crash) -> str:
    """What was tried: by the processor's error code where there is one."""
    error = crash.fault.get("error")
    if crash.fault.get("vector") == 14 and error is not None:
        return "execute" if error & 16 else "write" if error & 2 else "read"
    esr = crash.fault.get("esr")
    if esr is not None and esr >> 26 in ABORTS:
        return "execute" if esr >> 26 in (0x20, 0x21) else "write" if esr & 0x40 else "read"
    return "access"


def by_instruction(scene: Scene) -> str:
    return f" in `{scene.instruction.text}`" if scene.instruction else ""


def describe(m: Mapping) -> str:
    return f"{m.name or 'anonymous memory'} ({m.start:#x}-{m.end:#x} {m.perms})"


# --- signals that somebody sent ---


def sent(scene: Scene) -> Cause:
    crash = scene.crash
    assert crash.sender is not None
    if crash.sender[0] != crash.pid:
        return Cause("killed", f"process {crash.sender[0]} (uid {crash.sender[1]}) sent {crash.signal}.")
    if crash.signal != "SIGABRT":
        return Cause("killed itself", f"The program sent itself {crash.signal}.")
    said = {name.split("+")[0].lstrip("_") for name in scene.functions}
    if said & {"stack_chk_fail", "fortify_fail"}:
        return Cause("stack smashing", "A buffer on the stack was overrun: the stack protector ended the program.")
    if said & {"assert_fail", "assert_fail_base", "assert"}:
        return Cause("assertion", "An assertion of the program failed.")
    if said & {"malloc_printerr"}:
        return Cause("heap damage", "The allocator found its heap damaged (a write past a block, or freed twice).")
    return Cause("abort", "The program ended itself with abort(): its last output says why.")


# --- page faults ---


def stack_overflow(crash: Crash, addr: int) -> Cause | None:
    if abs(addr - crash.sp) > SP_NEAR and not crash.sp - PAGE < addr < crash.sp + PAGE:
        return None
    for m in crash.maps:
        if m.grows_down and m.start - STACK_NEAR <= addr < m.start:
            size = (m.end - m.start) >> 10
            text = f"Stack overflow: the stack has grown to {size} KiB, its limit, and {addr:#x} is below it."
            return Cause("stack overflow", text + " Deep recursion, or a large array on the stack.")
    guard = crash.mapping(addr)
    if guard and guard.perms.startswith("---"):
        return Cause("stack overflow", f"Overflow of a thread's stack: {addr:#x} is in the guard {describe(guard)}.")
    return None


def bad_jump(scene: Scene) -> Cause:
    crash = scene.crash
    caller = f" Called from {scene.functions[0]}." if scene.functions else ""
    if crash.ip < NULL_MAX:
        return Cause("call of null", f"A call through a null function pointer.{caller}")
    m = crash.mapping(crash.ip)
    if m:
        return Cause("jump into data", f"A jump into memory that is not code: {describe(m)}.{caller}")
    return Cause("wild jump", f"A jump to {crash.ip:#x}, where nothing is mapped.{caller}")


def not_allowed(scene: Scene, addr: int, m: Mapping) -> Cause:
    tried = access(scene.crash)
    if m.perms.startswith("---"):
        return Cause("access to a guard", f"{tried} at {addr:#x}{by_instruction(scene)}: {describe(m)} allows nothing.")
    if tried == "write" or "w" not in m.perms:
        text = f"Write to read-only memory at {addr:#x}{by_instruction(scene)}: {describe(m)}."
        return Cause("write to read-only memory", text)
    return Cause("access not allowed", f"{tried} at {addr:#x}{by_instruction(scene)} is not allowed by {describe(m)}.")


def unmapped(scene: Scene, addr: int) -> Cause:
    crash = scene.crash
    tried, where = access(crash), by_instruction(scene)
    below = max((m for m in crash.maps if m.end <= addr), key=lambda m: m.end, default=None)
    if below and addr - below.end < PAGE:
        text = f"{tried} at {addr:#x}{where}, {addr - below.end} bytes past the end of {describe(below)}:"
        return Cause("past the end of a mapping", f"{text} a buffer overrun?")
    near = f" The nearest below is {describe(below)}." if below else ""
    return Cause("wild pointer", f"{tried} at {addr:#x}{where}, where nothing is mapped.{near}")


def segmentation(scene: Scene) -> Cause:
    crash = scene.crash
    addr = crash.addr or 0
    if crash.ip == addr and access(crash) in ("execute", "access"):
        return bad_jump(scene)
    if addr < NULL_MAX:
        offset = f" (a member or element at offset {addr:#x})" if addr else ""
        text = f"Null pointer: {access(crash)} at {addr:#x}{offset}{by_instruction(scene)}."
        return Cause("null pointer", text)
    found = stack_overflow(crash, addr)
    if found:
        return found
    if addr >= USER_TOP[crash.arch]:
        return Cause("kernel address", f"{access(crash)} at {addr:#x}{by_instruction(scene)}: no address of a program.")
    m = crash.mapping(addr)
    return not_allowed(scene, addr, m) if m else unmapped(scene, addr)


# --- the other signals ---


def non_canonical(value: int) -> bool:
    return value >> 47 not in (0, 0x1FFFF)


def protection(scene: Scene) -> Cause:
    """A general protection fault: no address comes with it, so the instruction must tell."""
    crash, made = scene.crash, scene.instruction
    if made is None:
        return Cause("general protection", "A general protection fault; the instruction could not be read.")
    for name in made.memory:
        value = register(crash, name)
        if value is not None and non_canonical(value):
            text = f"`{made.text}` uses {name} = {value:#x}, which cannot be an address (bits 47 to 63 differ)."
            return Cause("non-canonical address", text)
    if PRIVILEGED.search(made.text):
        return Cause("privileged instruction", f"`{made.text}` is for the kernel only.")
    return Cause("general protection", f"`{made.text}`: a misaligned vector access, a bad segment, or a forbidden use.")


def bus(scene: Scene) -> Cause:
    crash = scene.crash
    addr = crash.addr or 0
    if crash.code == BUS_ADRALN:
        return Cause("misaligned", f"Misaligned {access(crash)} at {addr:#x}{by_instruction(scene)}.")
    m = crash.mapping(addr)
    if m and m.file_size is not None:
        at = m.offset + addr - m.start
        text = f"{access(crash)} at {addr:#x}, offset {at} of {m.name or 'a file'}, which has {m.file_size} bytes:"
        return Cause("past end of file", text + " the mapping is longer than the file (truncated meanwhile?).")
    return Cause("past end of object", f"{access(crash)} at {addr:#x}: what is mapped there does not reach so far.")


def illegal(scene: Scene) -> Cause:
    made = scene.instruction
    if made and made.text.startswith(("ud2", "udf")):
        return Cause("trap instruction", f"`{made.text}`: __builtin_trap(), or code that was said to be unreachable.")
    if made and scene.crash.arch == "aarch64" and PRIVILEGED_ARM.search(made.text):
        return Cause("privileged instruction", f"`{made.text}` is for the kernel only.")
    if made and not made.text.startswith(".inst"):
        return Cause("illegal instruction", f"`{made.text}`: this processor does not have it.")
    return Cause("illegal instruction", "The bytes there are no instruction: a jump into data, or another CPU's code.")


def arithmetic(scene: Scene) -> Cause:
    crash, made = scene.crash, scene.instruction
    if crash.code != FPE_INTDIV:
        return Cause("floating point", "A floating-point exception that the program had enabled.")
    divisor = register(crash, made.first) if made and made.first else None
    if made and divisor == 0:
        return Cause("division by zero", f"Division by zero: `{made.text}` with {made.first} = 0.")
    if made and divisor is not None:
        return Cause("division overflow", f"`{made.text}`: the quotient does not fit (the lowest number by -1?).")
    return Cause("integer division", "An integer division by zero, or one whose quotient does not fit.")


def no_frame(crash: Crash) -> Cause:
    m = crash.mapping(crash.sp)
    where = f"is in {describe(m)}" if m else "is where nothing is mapped"
    text = f"{crash.note[0].upper()}{crash.note[1:]}: the stack pointer {crash.sp:#x} {where}."
    return Cause("no room for a signal frame", text + " The signal's own cause is the instruction at ip.")


def probable(scene: Scene) -> Cause:
    crash = scene.crash
    if "point of no return" in crash.note:
        text = f"{crash.note[0].upper()}{crash.note[1:]}: the new program cannot be set up."
        return Cause("failed exec", text + " The registers are the old one's.")
    if "frame" in crash.note:
        return no_frame(crash)
    if crash.sender is not None:
        return sent(scene)
    if crash.signal == "SIGSEGV":
        if crash.code in (SEGV_MAPERR, SEGV_ACCERR):
            return segmentation(scene)
        return protection(scene)
    rules = {"SIGBUS": bus, "SIGILL": illegal, "SIGFPE": arithmetic}
    if crash.code > 0 and crash.code != SI_KERNEL and crash.signal in rules:
        return rules[crash.signal](scene)
    if crash.signal == "SIGTRAP":
        return Cause("trap", "A breakpoint or single step with no debugger to take it.")
    return Cause("from the kernel", f"The kernel sent {crash.signal} ({crash.reason}).")


# --- the kernel's own ---

KERNEL_CAUSES: tuple[tuple[str, str, str], ...] = (
    ("null pointer", "null pointer", "The kernel used a null pointer (or a member of one)."),
    ("kernel stack overflow", "kernel stack overflow", "A kernel stack ran into its guard: recursion, or a large local."),
    ("write to read-only memory", "write to read-only memory", "A write to text or constants by a wild pointer."),
    ("jump to what is not code", "wild jump", "The kernel jumped to what is no code: a damaged pointer to a function."),
    ("double fault", "double fault", "A fault while a fault was delivered: the stack pointer was no stack."),
    ("stack pointer astray", "bad stack pointer", "An exception found a stack pointer that is no kernel stack."),
    ("bus error", "bus error", "An address that no memory answers to, or a damaged page table."),
    ("misaligned", "misaligned", "A misaligned access where memory allows none."),
    ("stray access to user memory", "stray user access", "A user address was used outside of the copy functions."),
    ("general protection", "general protection", "A pointer that cannot be an address, or a forbidden instruction."),
    ("damaged page table", "damaged page table", "A page table has reserved bits set: it was overwritten."),
    ("page fault", "wild pointer", "The kernel used an address where nothing is mapped: a wild or freed pointer."),
    ("deadlock:", "deadlock", "Locks are waited for that will never be free."),
    ("lockup:", "lockup", "A CPU hangs: its backtrace says where, if it still answers."),
    ("BUG:", "broken invariant", "A check of the kernel's own found its state wrong."),
    ("stack protector", "stack smashing", "A buffer on a kernel stack was overrun."),
    ("taken twice", "deadlock", "A lock was taken by the CPU that holds it."),
)


def of_panic(panic: Panic) -> Cause:
    for pattern, kind, words in KERNEL_CAUSES:
        if pattern in panic.reason:
            return Cause(kind, words)
    return Cause("panic", panic.reason or "no reason was given")
