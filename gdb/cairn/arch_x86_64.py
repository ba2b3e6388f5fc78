"""x86_64: registers, frames, page-table entries, signal frames. Pure. What another port must bring is what
is named here; arch.py chooses."""

from __future__ import annotations

import struct
from dataclasses import dataclass

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


def prologue_return(offset: int, sp: int) -> int | None:
    """Where the return address is in the first instructions of a function, whose frame pointer is still its
    caller's: push %rbp is one byte, mov %rsp,%rbp three. None: the frame is there."""
    return sp if offset == 0 else sp + 8 if offset < 4 else None


def decode_regs(data: bytes) -> dict[str, int]:
    """ip, sp and bp (the frame pointer) are the names that the commands go by."""
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


@dataclass(frozen=True)
class Entry:
    """One page-table entry, decoded."""

    value: int
    level: int
    present: bool
    leaf: bool
    paddr: int
    size: int  # of what it maps, when a leaf
    write: bool
    execute: bool
    user: bool
    cow: bool
    kept: bool  # PROT_NONE: a page is kept though nothing may use it
    flags: str
    wrong: str  # why no CPU would take it; empty when it would


def canonical(va: int) -> bool:
    return va >> 47 in (0, 0x1FFFF)


def decode_entry(value: int, level: int) -> Entry:
    present = bool(value & P)
    leaf = present and (level == 0 or bool(value & PS))
    size = PAGE_SIZE << (9 * level)
    paddr = value & ADDR & ~((size - 1) if leaf else 0)
    shown = [name for bit, name in FLAG_NAMES if value & bit and not (bit == PS and level == 0)]
    return Entry(
        value, level, present, leaf, paddr, size, bool(value & W), not value & NX, bool(value & U),
        bool(value & COW), bool(value & NONE), " ".join(shown) or "none", _wrong(value, level),
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


def error_code(present: bool, write: bool, user: bool, execute: bool, reserved: bool) -> int:
    return present | write << 1 | user << 2 | reserved << 3 | execute << 4


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


@dataclass(frozen=True)
class SignalFrame:
    at: int
    restorer: int
    uc_flags: int
    alt_sp: int
    alt_flags: int
    alt_size: int
    regs: dict[str, int]
    cs: int
    ss: int
    error: int
    trap: int
    cr2: int
    fpstate: int
    mask: int
    info: bytes


def decode_signal_frame(at: int, data: bytes) -> SignalFrame:
    """The frame whose bytes begin at address at. ValueError when they are too few."""
    if len(data) < FRAME_BYTES:
        raise ValueError("too short for a signal frame")
    words = struct.unpack_from(FRAME_FORMAT, data)
    restorer, uc_flags, _, alt_sp, alt_flags, alt_size = words[:6]
    cs, _, _, ss, error, trap, _, cr2, fpstate = words[24:33]
    return SignalFrame(
        at, restorer, uc_flags, alt_sp, alt_flags, alt_size, dict(zip(CONTEXT, words[6:24])), cs, ss,
        error, trap, cr2, fpstate, words[41], data[INFO_AT:FRAME_BYTES],
    )  # fmt: skip


def frame_doubts(frame: SignalFrame) -> list[str]:
    """What speaks against this being a frame that the kernel pushed."""
    doubts = []
    if frame.at % FRAME_ALIGN != FRAME_REMAINDER:
        doubts.append(f"address is not {FRAME_REMAINDER} modulo {FRAME_ALIGN}")
    if frame.uc_flags & ~UC_KNOWN_FLAGS or not frame.uc_flags:
        doubts.append(f"uc_flags {frame.uc_flags:#x}")
    if (frame.cs, frame.ss) != (USER_CS, USER_SS):
        doubts.append(f"cs {frame.cs:#x}, ss {frame.ss:#x}")
    if frame.regs["ip"] >= USER_TOP:
        doubts.append(f"ip {frame.regs['ip']:#x} is no user address")
    if frame.regs["sp"] >= USER_TOP:
        doubts.append(f"sp {frame.regs['sp']:#x} is no user address")
    return doubts


EXCEPTIONS = {0: "divide error", 1: "debug", 3: "breakpoint", 4: "overflow", 6: "invalid opcode",
              13: "general protection", 14: "page fault", 16: "x87 error", 17: "alignment check",
              19: "SIMD error"}  # fmt: skip
