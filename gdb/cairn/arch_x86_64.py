"""x86_64: registers, frames, page-table entries, signal frames. Pure. What another port must bring is what
is named here; arch.py chooses."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from .contract import ABSENT, RIGHTS, WRONG, Entry, SignalFrame

NAME = "x86_64"
GDB_NAMES = ("i386:x86-64",)
KERNEL_HALF = 0xFFFF800000000000
DIRECT_MAP_BASE = 0xFFFF800000000000
DIRECT_MAP_END = 0xFFFFC00000000000
VMALLOC_BASE, VMALLOC_END = 0xFFFFC00000000000, 0xFFFFC08000000000
VMEMMAP_BASE, VMEMMAP_END = 0xFFFFE00000000000, 0xFFFFE08000000000
KERNEL_BASE = 0xFFFFFFFF80000000
USER_TOP = 0x00007FFFFFFFF000
PAGE_SIZE = 4096
LEVELS = 4
KERNEL_ROOT_FIRST = 256  # entries of the kernel's top table from here on are the kernel's half
USER_ROOT_ONLY = False  # a process's top table has the kernel's half too
IMAGE_PLACE = ""  # variable that says where the image was loaded; none: at the address it is linked for
ROOT_REGISTER = ""  # the stub shows kernel memory in every mode

# --- registers -----------------------------------------------------------------------------------

PC, SP, FP, ARG0 = "rip", "rsp", "rbp", "rdi"
CPU_REGISTERS = ("rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11", "r12",
                 "r13", "r14", "r15", "rip", "eflags", "cs", "ss")  # fmt: skip

# struct regs as entry pushes it, in words.
REGS = ("r15", "r14", "r13", "r12", "bp", "bx", "r11", "r10", "r9", "r8", "ax", "cx", "dx", "si", "di",
        "orig_ax", "ip", "cs", "flags", "sp", "ss")  # fmt: skip
REGS_SIZE = 8 * len(REGS)

# What a switched-out thread's stack holds from its saved pointer up (cpu/switch.S).
SWITCH_FP, SWITCH_PC = 5 * 8, 6 * 8

# Code that pushes struct regs before it calls C: a return address in it ends the kernel's frames or leads
# to what was interrupted.
ENTRY_CODE = ("syscall_entry", "exception_common", "interrupt_common", "exception_ist", "return_to_user",
              "enter_user_at")  # fmt: skip
THREAD_START = ("thread_entry", "thread_entry_user")


def untaken_frame(read: Callable[[int], int], offset: int, cpu: dict[str, int], fp: int) -> int:
    """The return address of a function whose frame pointer is its caller's still, being in its first
    instructions (push %rbp is one byte, mov %rsp,%rbp three); 0: the frame is there."""
    del fp
    sp = cpu[SP] if SP in cpu else cpu["sp"]
    return read(sp + (0 if offset == 0 else 8)) if offset < 4 else 0


def saved_regs(read_bytes: Callable[[int, int], bytes], fp: int, following: int) -> dict[str, int]:
    """What entry pushed before it made the call whose frame is at fp."""
    del following
    return decode_regs(read_bytes(fp + 16, REGS_SIZE))


def decode_regs(data: bytes) -> dict[str, int]:
    """ip, sp and bp (the frame pointer) are the names that the commands go by, on every port."""
    return dict(zip(REGS, struct.unpack("<21Q", data)))


def regs_user_mode(regs: dict[str, int]) -> bool:
    return bool(regs["cs"] & 3)


def cpu_user_mode(registers: dict[str, int]) -> bool:
    return bool(registers["cs"] & 3)


def interrupts_on(registers: dict[str, int]) -> bool:
    return bool(registers["eflags"] & 0x200)


# --- page tables ---------------------------------------------------------------------------------

P, W, U, PWT, PCD, A, D, PS, G, COW, NONE = (1 << bit for bit in range(11))
NX = 1 << 63
ADDR = 0x000FFFFFFFFFF000
LEVEL_NAMES = ("PT", "PD", "PDPT", "PML4")
FLAG_NAMES = ((P, "P"), (W, "W"), (U, "U"), (PWT, "PWT"), (PCD, "PCD"), (A, "A"), (D, "D"), (PS, "PS"),
              (G, "G"), (COW, "COW"), (NONE, "PROT_NONE"), (NX, "NX"))  # fmt: skip
RESERVED = ((1 << 52) - (1 << 46)) & ADDR  # beyond what any machine of ours has


NOT_CANONICAL = "the address is not canonical: general protection, not a page fault"
WRONG_ENTRY = "reserved bit"


def untagged(va: int) -> int:
    return va


def canonical(va: int) -> bool:
    return va >> 47 in (0, 0x1FFFF)


def decode_entry(value: int, level: int) -> Entry:
    present = bool(value & P)
    leaf = present and (level == 0 or bool(value & PS))
    size = PAGE_SIZE << (9 * level)
    paddr = value & ADDR & ~((size - 1) if leaf else 0)
    shown = [name for bit, name in FLAG_NAMES if value & bit and not (bit == PS and level == 0)]
    return Entry(
        value, level, present, leaf, paddr, size, bool(value & W), not value & NX, not value & NX,
        bool(value & U), bool(value & COW), bool(value & NONE), " ".join(shown) or "none", _wrong(value, level),
    )  # fmt: skip


def _wrong(value: int, level: int) -> str:
    if not value & P:
        return ""
    if value & RESERVED:
        return "address bits beyond physical memory are set"
    if value & PS and level == 3:
        return "PS at the top level is reserved"
    if value & PS and level in (1, 2) and value & ADDR & ((PAGE_SIZE << (9 * level)) - 1) & ~0x1000:
        return "the address of a large page is not aligned to its size"
    return ""


def refuses(walk: Any, access: str, user: bool) -> tuple[str, str]:
    """(why, kind of fault) when the rights do not allow it."""
    if user and not walk.allows("user"):
        return "a kernel page (U clear)", RIGHTS
    if access == "write" and not walk.allows("write"):
        return "write-protected for copy on write" if walk.last.cow else "not writable (W clear)", RIGHTS
    if access == "execute" and not walk.allows("user_execute"):
        return "not executable (NX)", RIGHTS
    if access == "execute" and not user and walk.allows("user"):
        return "SMEP: the kernel does not run a user page", RIGHTS
    return "", ""


def allowed(walk: Any, user: bool) -> str:
    return "allowed" if user or not walk.allows("user") else "only inside a user copy (SMAP: AC must be set)"


def fault(kind: str, level: int, access: str, user: bool) -> str:
    del level
    bits = (kind != ABSENT, access == "write", user, kind == WRONG, access == "execute")
    return f"error code {sum(on << bit for bit, on in enumerate(bits)):#x}"


# --- signal frames (cpu/signal_frame.c) ----------------------------------------------------------

# [restorer][ucontext][siginfo]; the names in the order of struct sigcontext.
CONTEXT = ("r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "di", "si", "bp", "bx", "dx", "ax", "cx",
           "sp", "ip", "flags")  # fmt: skip
FRAME_FORMAT = "<Q QQ Qi4xQ 18Q 4H 4Q Q 8Q Q"
INFO_AT = struct.calcsize(FRAME_FORMAT)
FRAME_BYTES = INFO_AT + 128
FRAME_ALIGN, FRAME_REMAINDER = 16, 8
USER_CS, USER_SS = 0x33, 0x2B
UC_KNOWN_FLAGS = 7
FRAME_SEARCH = -8  # where the search begins, from the stack pointer
FRAME_BY_RESTORER = True


EXCEPTIONS = {0: "divide error", 1: "debug", 3: "breakpoint", 4: "overflow", 6: "invalid opcode",
              13: "general protection", 14: "page fault", 16: "x87 error", 17: "alignment check",
              19: "SIMD error"}  # fmt: skip


def frame_of(word: int, at: int, sp: int, restorers: set[int]) -> int | None:
    """The frame that a word of the stack may belong to: one begins with its return address. A handler that
    returns has taken that off: so the search begins one word lower."""
    del sp
    return at if word in restorers else None


def decode_signal_frame(at: int, data: bytes) -> SignalFrame:
    """The frame whose bytes begin at address at. ValueError when they are too few."""
    if len(data) < FRAME_BYTES:
        raise ValueError("too short for a signal frame")
    words = struct.unpack_from(FRAME_FORMAT, data)
    restorer, uc_flags, _, alt_sp, alt_flags, alt_size = words[:6]
    cs, _, _, ss, error, trap, _, cr2, fpstate = words[24:33]
    regs = dict(zip(CONTEXT, words[6:24]))
    more = [("FPU state", f"{fpstate:#x}")]
    if trap or error or cr2:
        name = EXCEPTIONS.get(trap, "exception")
        more.insert(0, ("last exception", f"{trap} ({name}), error {error:#x}, cr2 {cr2:#x}"))
    doubts = frame_doubts(at, uc_flags, cs, ss, regs)
    return SignalFrame(
        at, restorer, alt_sp, alt_flags, alt_size, regs, words[41], data[INFO_AT:FRAME_BYTES], tuple(more), doubts
    )


def frame_doubts(at: int, uc_flags: int, cs: int, ss: int, regs: dict[str, int]) -> tuple[str, ...]:
    doubts = []
    if at % FRAME_ALIGN != FRAME_REMAINDER:
        doubts.append(f"address is not {FRAME_REMAINDER} modulo {FRAME_ALIGN}")
    if uc_flags & ~UC_KNOWN_FLAGS or not uc_flags:
        doubts.append(f"uc_flags {uc_flags:#x}")
    if (cs, ss) != (USER_CS, USER_SS):
        doubts.append(f"cs {cs:#x}, ss {ss:#x}")
    for name in ("ip", "sp"):
        if regs[name] >= USER_TOP:
            doubts.append(f"{name} {regs[name]:#x} is no user address")
    return tuple(doubts)
