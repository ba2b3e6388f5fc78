"""aarch64: registers, frames, page-table entries, signal frames. Pure. What it brings is what arch_x86_64 does.

There are two top tables, each CPU's TTBR0_EL1 for user addresses and TTBR1_EL1 for the kernel's, which tell
each other apart by bit 55. QEMU's stub lets a CPU in user mode read that mode's memory only; kernel memory is
then read by a walk from TTBR1_EL1 (target.py)."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from .contract import ABSENT, ACCESS, RIGHTS, WRONG, Entry, SignalFrame

NAME = "aarch64"
GDB_NAMES = ("aarch64",)
KERNEL_HALF = 0xFFFF000000000000
DIRECT_MAP_BASE = 0xFFFF000000000000
DIRECT_MAP_END = 0xFFFF400000000000
VMALLOC_BASE, VMALLOC_END = 0xFFFFC00000000000, 0xFFFFC08000000000
VMEMMAP_BASE, VMEMMAP_END = 0xFFFFE00000000000, 0xFFFFE08000000000
KERNEL_BASE = 0xFFFFFFFF80000000
USER_TOP = 0x0001000000000000
PAGE_SIZE = 4096
LEVELS = 4
KERNEL_ROOT_FIRST = 0
USER_ROOT_ONLY = True
IMAGE_PLACE = "kernel_phys"
ROOT_REGISTER = "TTBR1_EL1"

# --- registers -----------------------------------------------------------------------------------

PC, SP, FP, LR = "pc", "sp", "x29", "x30"
CPU_REGISTERS = (*(f"x{n}" for n in range(31)), "sp", "pc", "cpsr")
PSR_I = 0x80
MODE, EL1H = 0x1F, 5

# struct regs as entry saves it, in words; x29 and pc go by the names that the commands know.
REGS = (*(f"x{n}" for n in range(29)), "bp", "lr", "sp", "ip", "pstate", "orig_x0", "nr")
REGS_SIZE = 8 * len(REGS)

# What a switched-out thread's stack holds from its saved pointer up (cpu/switch.S).
SWITCH_FP, SWITCH_PC = 0, 8

ENTRY_CODE = ("exception_vectors", "syscall_entry", "user_synchronous", "user_interrupt", "kernel_synchronous",
              "kernel_interrupt", "return_to_kernel", "unexpected", "return_to_user", "enter_user_at")  # fmt: skip
THREAD_START = ("thread_entry", "thread_entry_user")
FRAME_MAX = 4096  # of one function, between its frame record and what entry saved above
STACK_SLOT = 32 << 10  # kernel stacks end at a multiple of it


def untaken_frame(read: Callable[[int], int], offset: int, cpu: dict[str, int], fp: int) -> int:
    """A leaf keeps no frame record, and others have none in their first and last instructions: then x30 is
    where they return to, which the record at fp, their caller's, does not have. What x30 still has of an
    earlier call leads into the function itself."""
    del offset
    lr = cpu.get("lr", cpu.get(LR, 0))
    return lr if lr >= KERNEL_BASE and (fp < KERNEL_HALF or read(fp + 8) != lr) else 0


def saved_regs(read_bytes: Callable[[int, int], bytes], fp: int, following: int) -> dict[str, int]:
    """What entry saved above the frame of the function that it called. The record at fp lies at the frame's
    lower end; how long the frame is, nothing says. From user mode they are at the top of the stack; else they
    are found by what only they can be: the mode, the kernel's code, the frame pointer that the record has too."""
    top = (fp | STACK_SLOT - 1) + 1
    regs = decode_regs(read_bytes(top - REGS_SIZE, REGS_SIZE))
    at = fp + 16
    data = read_bytes(at, min(FRAME_MAX, top - at))
    for offset in range(0, len(data) - REGS_SIZE + 1, 16):
        found = decode_regs(data[offset : offset + REGS_SIZE])
        if found["pstate"] & MODE == EL1H and found["ip"] >= KERNEL_BASE and found["bp"] == following:
            return found
    return regs


def decode_regs(data: bytes) -> dict[str, int]:
    return dict(zip(REGS, struct.unpack("<36Q", data)))


def regs_user_mode(regs: dict[str, int]) -> bool:
    return not regs["pstate"] & MODE


def cpu_user_mode(registers: dict[str, int]) -> bool:
    return not registers["cpsr"] & MODE


def interrupts_on(registers: dict[str, int]) -> bool:
    return not registers["cpsr"] & PSR_I


# --- page tables ---------------------------------------------------------------------------------

VALID, TABLE, USER, RDONLY, AF, NG = 1 << 0, 1 << 1, 1 << 6, 1 << 7, 1 << 10, 1 << 11
CONT, PXN, UXN, COW, DIRTY, HUGE, NONE = (1 << bit for bit in (52, *range(53, 59)))
NO_PXN, NO_UXN, NO_USER, NO_WRITE = (1 << bit for bit in (59, 60, 61, 62))  # of a table: for all below it
ATTR_SHIFT, SHARE_SHIFT = 2, 8
ADDR = 0x0000FFFFFFFFF000
LEVEL_NAMES = ("L3", "L2", "L1", "L0")
TABLE_FLAGS = ((NO_PXN, "PXNTable"), (NO_UXN, "UXNTable"), (NO_USER, "APTable-EL0"), (NO_WRITE, "APTable-RO"))
LEAF_FLAGS = ((USER, "U"), (RDONLY, "RO"), (AF, "AF"), (NG, "nG"), (CONT, "CONT"), (PXN, "PXN"), (UXN, "UXN"),
              (COW, "COW"), (DIRTY, "DIRTY"), (HUGE, "HUGE"), (NONE, "PROT_NONE"))  # fmt: skip
SHARES = ("", "SH?", "OSH", "ISH")
RESERVED = ((1 << 48) - (1 << 46)) & ADDR  # beyond what any machine of ours has
NOT_CANONICAL = "the address is not canonical, in neither half: translation fault, level 0"
WRONG_ENTRY = "bad address"


def untagged(va: int) -> int:
    """Without the tag: TBI0 lets user addresses have one."""
    return va if va & 1 << 55 else va & (1 << 56) - 1


def canonical(va: int) -> bool:
    return untagged(va) >> 48 in (0, 0xFFFF)


def decode_entry(value: int, level: int) -> Entry:
    table = bool(value & TABLE)
    present = bool(value & VALID) and (table if level == 0 else table or level < 3)
    leaf = present and (level == 0 or not table)
    size = PAGE_SIZE << (9 * level)
    paddr = value & ADDR & ~((size - 1) if leaf else 0)
    below = present and not leaf
    return Entry(
        value, level, present, leaf, paddr, size,
        write=not value & (NO_WRITE if below else RDONLY),
        user_execute=not value & (NO_UXN if below else UXN),
        kernel_execute=not value & (NO_PXN if below else PXN),
        user=not value & NO_USER if below else bool(value & USER),
        cow=bool(value & COW), kept=bool(value & NONE), flags=flag_text(value, present, below),
        wrong="address bits beyond physical memory are set" if present and value & RESERVED else "",
    )  # fmt: skip


def flag_text(value: int, present: bool, below: bool) -> str:
    if not value:
        return "none"
    shown = ["V"] if value & VALID else []
    shown += [name for bit, name in (TABLE_FLAGS if below else LEAF_FLAGS) if value & bit]
    if present and not below:
        shown += [SHARES[value >> SHARE_SHIFT & 3]] if value >> SHARE_SHIFT & 3 else []
        attribute = value >> ATTR_SHIFT & 7
        shown += ["normal" if attribute == 0 else "device" if attribute == 1 else f"attribute {attribute}"]
    return " ".join(shown) or "not valid"


def refuses(walk: Any, access: str, user: bool) -> tuple[str, str]:
    """(why, kind of fault) when the rights do not allow it."""
    entry = walk.last
    if not entry.value & AF:
        return "not accessed yet (AF clear)", ACCESS
    if user and access != "execute" and not walk.allows("user"):
        return "a kernel page (AP[1] clear)", RIGHTS
    if access == "write" and not walk.allows("write"):
        return "write-protected for copy on write" if entry.cow else "read-only (AP[2] set)", RIGHTS
    if access == "execute" and user and not walk.allows("user_execute"):
        return "not executable (UXN)", RIGHTS
    if access == "execute" and not user:
        if walk.allows("user") and walk.allows("write"):
            return "the kernel runs no page that programs can write", RIGHTS
        if not walk.allows("kernel_execute"):
            return "not executable in the kernel (PXN)", RIGHTS
    return "", ""


def allowed(walk: Any, user: bool) -> str:
    return "allowed" if user or not walk.allows("user") else "only inside a user copy (PAN, where the CPU has it)"


STATUS = {WRONG: (0x00, "address size"), ABSENT: (0x04, "translation"), ACCESS: (0x08, "access flag"),
          RIGHTS: (0x0C, "permission")}  # fmt: skip


def fault(kind: str, level: int, access: str, user: bool) -> str:
    """The syndrome: class of the exception, IL, WnR, status and the level's architectural number."""
    status, name = STATUS[kind]
    number = LEVELS - 1 - level
    esr = ((0x20 if access == "execute" else 0x24) + (not user)) << 26 | 1 << 25 | status | number
    esr |= 0x40 if access == "write" else 0
    abort = "instruction" if access == "execute" else "data"
    return f"ESR {esr:#x} ({abort} abort, {name} fault, level {number})"


# --- signal frames (cpu/signal_frame.c) ----------------------------------------------------------

# [siginfo][ucontext: flags, link, stack, mask, room, context][records]
UC_AT = 128
UC_FORMAT = "<QQ Qi4xQ Q 128x Q 31Q QQQ 8x"
RECORDS_AT = UC_AT + struct.calcsize(UC_FORMAT)
RECORDS_BYTES = 4096
FRAME_BYTES = RECORDS_AT + 1024  # records that this kernel writes end before that
FPSIMD_MAGIC, FPSIMD_SIZE, ESR_MAGIC = 0x46508001, 528, 0x45535201
CONTEXT = tuple("bp" if n == 29 else "lr" if n == 30 else f"x{n}" for n in range(31))
FRAME_SEARCH = 0
FRAME_BY_RESTORER = False


def frame_of(word: int, at: int, sp: int, restorers: set[int]) -> int | None:
    """The frame that a word of the stack may belong to: the record of the FPU state comes first in each."""
    del restorers
    start = at - RECORDS_AT
    return start if word == FPSIMD_MAGIC | FPSIMD_SIZE << 32 and start >= sp else None


def decode_signal_frame(at: int, data: bytes) -> SignalFrame:
    """The frame whose bytes begin at address at. ValueError when they are too few."""
    if len(data) < FRAME_BYTES:
        raise ValueError("too short for a signal frame")
    flags, link, alt_sp, alt_flags, alt_size, mask, address, *words = struct.unpack_from(UC_FORMAT, data, UC_AT)
    regs = dict(zip(CONTEXT, words[:31]))
    regs["sp"], regs["ip"], regs["pstate"] = words[31:34]
    records, broken = read_records(data)
    more = []
    if ESR_MAGIC in records:
        esr = int.from_bytes(data[records[ESR_MAGIC] + 8 : records[ESR_MAGIC] + 16], "little")
        more.append(("last exception", f"ESR {esr:#x} (class {esr >> 26:#x}), address {address:#x}"))
    if FPSIMD_MAGIC in records:
        more.append(("FPU state", f"{at + records[FPSIMD_MAGIC]:#x}"))
    doubts = frame_doubts(at, flags, link, regs) + ((broken,) if broken else ())
    return SignalFrame(at, 0, alt_sp, alt_flags, alt_size, regs, mask, data[:UC_AT], tuple(more), doubts)


def read_records(data: bytes) -> tuple[dict[int, int], str]:
    """Where each record is, by its magic number, and what is wrong with the chain."""
    found: dict[int, int] = {}
    at = RECORDS_AT
    while at + 8 <= len(data):
        magic, size = struct.unpack_from("<II", data, at)
        if not magic:
            return found, "" if FPSIMD_MAGIC in found else "no record of the FPU state"
        if magic not in (FPSIMD_MAGIC, ESR_MAGIC) or magic in found or size < 16 or size % 16:
            return found, f"record {magic:#x} of {size} bytes"
        found[magic] = at
        at += size
    return found, "the records have no end"


def frame_doubts(at: int, flags: int, link: int, regs: dict[str, int]) -> tuple[str, ...]:
    doubts = []
    if at % 16:
        doubts.append("address is not a multiple of 16")
    if flags or link:
        doubts.append(f"uc_flags {flags:#x}, uc_link {link:#x}")
    if regs["pstate"] & (MODE | 0x3C0):
        doubts.append(f"pstate {regs['pstate']:#x} is not user mode's with interrupts on")
    for name in ("ip", "sp"):
        if regs[name] >= USER_TOP:
            doubts.append(f"{name} {regs[name]:#x} is no user address")
    return tuple(doubts)
