"""Page-table walks and verdicts, entries of both ports, frames by frame pointers, signal frames."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from .conftest import KERNEL, Memory, part

arch = part("arch_x86_64")
arm = part("arch_aarch64")
pagetable = part("pagetable")
unwind = part("unwind")
TABLE = 0x27  # present, writable, user, accessed
VA = 0x7F1234567000


def tables(leaf: int, level: int = 0) -> tuple[Memory, int]:
    """Tables that lead to one entry for VA at a level; the entries' frames are 0x1000, 0x2000..."""
    memory = Memory()
    for depth in range(3, level - 1, -1):
        table = 0x1000 * (4 - depth)
        entry = leaf if depth == level else (table + 0x1000) | TABLE
        memory.put(table + 8 * (VA >> (12 + 9 * depth) & 511), entry)
    return memory, 0x1000


def walked(leaf: int, level: int = 0) -> Any:
    memory, root = tables(leaf, level)
    return pagetable.walk(memory.read, root, VA, arch)


def said(leaf: int, access: str, user: bool, level: int = 0) -> tuple[bool, str]:
    answer: tuple[bool, str] = pagetable.verdict(walked(leaf, level), access, user, arch)
    return answer


def test_walk_of_each_size() -> None:
    small = walked(0x5000 | 0x67)
    assert small.mapped and small.paddr == 0x5000 and len(small.steps) == 4
    large = walked(0x40000000 | 0xE7, 1)
    assert large.mapped and large.paddr == 0x40000000 + (VA & 0x1FFFFF) and len(large.steps) == 3


@pytest.mark.parametrize(
    ("leaf", "access", "user", "works", "words"),
    [
        (0x5067, "write", True, True, "allowed"),
        (0x5067, "execute", True, True, "allowed"),
        (0x5067 | 1 << 63, "execute", True, False, "NX"),
        (0x5025, "write", True, False, "error code 0x7"),
        (0x5225, "write", True, False, "copy on write; error code 0x7"),
        (0x5063, "read", True, False, "a kernel page (U clear); error code 0x5"),
        (0x5063, "write", False, True, "allowed"),
        (0x5067, "read", False, True, "SMAP"),
        (0x5067, "execute", False, False, "SMEP"),
        (0, "read", True, False, "error code 0x4"),
        (0, "write", True, False, "error code 0x6"),
        (0, "execute", True, False, "error code 0x14"),
        (0, "write", False, False, "error code 0x2"),
        (0x5400, "read", True, False, "PROT_NONE"),
        (0x000F000000005067, "read", True, False, "reserved bit in the PT entry"),
    ],
)
def test_verdicts(leaf: int, access: str, user: bool, works: bool, words: str) -> None:
    good, why = said(leaf, access, user)
    assert good is works and words in why, why


def test_tables_decide_too() -> None:
    memory, root = tables(0x5067)
    for addr, value in list(memory.words.items()):
        if value == 0x3000 | TABLE:  # the PD's table: user bit off
            memory.words[addr] = value & ~4
    found = pagetable.walk(memory.read, root, VA, arch)
    assert pagetable.verdict(found, "read", True, arch) == (False, "a kernel page (U clear); error code 0x5")


def test_broken_tables() -> None:
    memory, root = tables(0x5067)
    memory.put(root + 8 * (VA >> 39 & 511), 0x30000000000 | TABLE)
    found = pagetable.walk(memory.read, root, VA, arch)
    assert not found.mapped and "PDPT at physical 0x30000000000 is no memory" in found.broken
    assert not pagetable.verdict(found, "read", True, arch)[0]
    assert "not canonical" in pagetable.verdict(pagetable.Walk(1 << 63), "read", True, arch)[1]


# --- frames --------------------------------------------------------------------------------------

CODE = 0xFFFFFFFF80200000
STACK = 0xFFFFC00000004000


def place(pc: int) -> str:
    return {0x100: "syscall_entry+0x20", 0x200: "interrupt_common+0x30", 0x300: "thread_entry+0xe"}.get(
        pc - CODE, f"f{pc - CODE:x}+0x1"
    )


def trace(memory: Memory, fp: int) -> Any:
    return unwind.kernel_trace(memory.read, memory.read_bytes, place, CODE + 1, fp, arch)


def put_regs(memory: Memory, at: int, **given: int) -> None:
    memory.put(at, *(given.get(name, 0) for name in arch.REGS))


def test_trace_into_user_mode() -> None:
    memory = Memory()
    memory.put(STACK, STACK + 0x40, CODE + 2)
    memory.put(STACK + 0x40, 0x7FFF1000, CODE + 0x100)
    put_regs(memory, STACK + 0x50, ip=0x401000, cs=0x33, bp=0x7FFF1000)
    found = trace(memory, STACK)
    assert [frame.kind for frame in found.frames] == ["first", "call", "call", "user"] and not found.broken
    assert found.frames[-1].pc == 0x401000


def test_trace_across_an_interrupt() -> None:
    memory = Memory()
    memory.put(STACK, 0xABC, CODE + 0x200)
    put_regs(memory, STACK + 0x10, ip=CODE + 7, cs=0x10, bp=STACK + 0x200)
    memory.put(STACK + 0x200, 0, CODE + 0x300)
    found = trace(memory, STACK)
    assert [frame.kind for frame in found.frames] == ["first", "call", "interrupted", "call"] and not found.broken
    assert found.frames[2].pc == CODE + 7


@pytest.mark.parametrize(
    ("following", "pc", "words"),
    [
        (STACK, CODE + 2, "comes twice: the chain has a cycle"),
        (STACK + 0x9000, CODE + 2, "frame pointer 0xffffc0000000d000 cannot be read"),
        (0x1234, CODE + 2, "frame pointer 0x1234 is no kernel address"),
        (STACK + 3, CODE + 2, "is not aligned"),
        (STACK + 0x40, 0x666, "return address 0x666"),
    ],
)
def test_broken_traces(following: int, pc: int, words: str) -> None:
    memory = Memory()
    memory.put(STACK, following, pc)
    assert words in trace(memory, STACK).broken


def test_trace_from_a_function_s_first_instruction() -> None:
    """Its frame pointer is the caller's still: the return address is on top of the stack."""
    memory = Memory()
    memory.put(STACK - 8, CODE + 5)
    memory.put(STACK, 0, CODE + 0x300)
    found = unwind.kernel_trace(memory.read, memory.read_bytes, place, CODE, STACK, arch, {"rsp": STACK - 8})
    assert [frame.pc - CODE for frame in found.frames] == [0, 5, 0x300] and not found.broken


def test_endless_trace() -> None:
    memory = Memory()
    for i in range(200):
        memory.put(STACK + 16 * i, STACK + 16 * (i + 1), CODE + 2)
    found = trace(memory, STACK)
    assert found.broken == "more than 64 frames" and len(found.frames) == 64


def test_signal_frame() -> None:
    at = 0x2000FAB8
    regs = list(range(100, 118))
    regs[15], regs[16] = 0x7FFF0000, 0x401234  # sp, ip
    data = struct.pack("<Q QQ Qi4xQ 18Q 4H 4Q Q 8Q Q", 0x408CA0, 7, 0, 0x20000000, 1, 65536, *regs,
                       0x33, 0, 0, 0x2B, 6, 14, 0, 0xBAD, 0x2000FC80, *([0] * 8), 0x200)  # fmt: skip
    frame = arch.decode_signal_frame(at, data + bytes(128))
    assert (frame.restorer, frame.alt_sp, frame.alt_size, frame.mask) == (0x408CA0, 0x20000000, 65536, 0x200)
    assert (frame.regs["ip"], frame.regs["sp"], frame.more[0][1]) == (
        0x401234, 0x7FFF0000, "14 (page fault), error 0x6, cr2 0xbad")  # fmt: skip
    assert len(data) == arch.INFO_AT == 8 + 296 + 8 and not frame.doubts
    doubts = arch.decode_signal_frame(at + 4, bytes(arch.FRAME_BYTES)).doubts
    assert any("modulo" in doubt for doubt in doubts) and any("uc_flags" in doubt for doubt in doubts)
    with pytest.raises(ValueError):
        arch.decode_signal_frame(at, b"short")


def test_no_kernel_address_is_user() -> None:
    assert arch.canonical(VA) and arch.canonical(KERNEL) and not arch.canonical(1 << 63)


# --- aarch64 -------------------------------------------------------------------------------------

ARM_TABLE = 0x3


def arm_said(leaf: int, access: str, user: bool, level: int = 0) -> tuple[bool, str]:
    memory = Memory()
    for depth in range(3, level - 1, -1):
        table = 0x1000 * (4 - depth)
        memory.put(table + 8 * (VA >> (12 + 9 * depth) & 511), leaf if depth == level else table + 0x1000 | ARM_TABLE)
    found = pagetable.walk(memory.read, 0x1000, VA, arm)
    answer: tuple[bool, str] = pagetable.verdict(found, access, user, arm)
    return answer


U, RO, PXN, UXN, COW, NONE = 1 << 6, 1 << 7, 1 << 53, 1 << 54, 1 << 55, 1 << 58
LEAF = 0x5000 | 0x703 | 1 << 11  # page, shareable, accessed, not global


@pytest.mark.parametrize(
    ("leaf", "access", "user", "works", "words"),
    [
        (LEAF | U | PXN | UXN, "write", True, True, "allowed"),
        (LEAF | U | PXN | UXN, "execute", True, False, "UXN); ESR 0x8200000f"),
        (LEAF | U | PXN | RO, "execute", True, True, "allowed"),
        (LEAF | U | PXN | RO, "execute", False, False, "PXN); ESR 0x8600000f"),
        (LEAF | U, "execute", False, False, "the kernel runs no page that programs can write"),
        (LEAF | U | PXN | UXN | RO, "write", True, False, "AP[2] set); ESR 0x9200004f"),
        (LEAF | U | PXN | UXN | RO | COW, "write", True, False, "copy on write"),
        (LEAF | UXN, "read", True, False, "AP[1] clear); ESR 0x9200000f (data abort, permission fault, level 3)"),
        (LEAF | UXN, "write", False, True, "allowed"),
        (LEAF | U, "read", False, True, "PAN"),
        ((LEAF | U) & ~0x400, "read", True, False, "AF clear); ESR 0x9200000b"),
        ((LEAF | U | NONE) & ~1, "read", True, False, "PROT_NONE"),
        ((LEAF | U) & ~2, "read", True, False, "ESR 0x92000007 (data abort, translation fault, level 3)"),
        (0, "write", False, False, "ESR 0x96000047"),
        (LEAF | 0xF00000000000, "read", True, False, "bad address in the L3 entry"),
    ],
)
def test_verdicts_of_aarch64(leaf: int, access: str, user: bool, works: bool, words: str) -> None:
    good, why = arm_said(leaf, access, user)
    assert good is works and words in why, why


def test_large_pages_and_halves_of_aarch64() -> None:
    block = 0x40000000 | 0x701 | U
    assert arm_said(block, "read", True, 1)[0] and "level 0" in arm_said(block, "read", True, 3)[1]
    entry = arm.decode_entry(block, 1)
    assert (entry.leaf, entry.size, entry.paddr) == (True, 2 << 20, 0x40000000)
    assert arm.untagged(0x8800000000001000) == 0x1000 and arm.untagged(KERNEL) == KERNEL
    assert arm.canonical(0xAB00000000001000) and arm.canonical(arm.DIRECT_MAP_BASE) and not arm.canonical(1 << 48)
    closed = arm.decode_entry(0x5000 | ARM_TABLE | 1 << 61 | 1 << 62, 1)
    assert not closed.user and not closed.write and closed.user_execute and "APTable-RO" in closed.flags


ARM_NAMES = {0x100: "syscall_entry+0x20", 0x200: "kernel_interrupt+0x8", 0x300: "thread_entry+0xe"}
SLOT = 0xFFFFC00000008000  # the stack is the upper half of what ends at a multiple of 32 KiB


def arm_trace(memory: Memory, fp: int, cpu: dict[str, int] | None = None) -> Any:
    def name(pc: int) -> str:
        return ARM_NAMES.get(pc - CODE, f"f{(pc - CODE) // 16:x}+{(pc - CODE) % 16:#x}")

    return unwind.kernel_trace(memory.read, memory.read_bytes, name, CODE + 0x11, fp, arm, cpu)


def put_arm_regs(memory: Memory, at: int, **given: int) -> None:
    memory.put(at, *(given.get(name, 0) for name in arm.REGS))


def stack_page(*records: tuple[int, int, int]) -> Memory:
    memory = Memory()
    for at in range(SLOT - 4096, SLOT, 8):
        memory.put(at, 0)
    for at, following, pc in records:
        memory.put(at, following, pc)
    return memory


def test_trace_of_aarch64_into_user_mode() -> None:
    memory = stack_page((SLOT - 0x400, 0x7FFF1000, CODE + 0x100))
    put_arm_regs(memory, SLOT - arm.REGS_SIZE, ip=0x401000, bp=0x7FFF1000)
    found = arm_trace(memory, SLOT - 0x400)
    assert [frame.kind for frame in found.frames] == ["first", "call", "user"] and not found.broken
    assert found.frames[-1].pc == 0x401000


def test_trace_of_aarch64_across_an_interrupt_of_a_leaf() -> None:
    """The saved registers are somewhere above the record; the leaf that was hit has none, its caller is in x30."""
    memory = stack_page((SLOT - 0x800, SLOT - 0x200, CODE + 0x200), (SLOT - 0x200, 0, CODE + 0x300))
    put_arm_regs(memory, SLOT - 0x600, ip=CODE + 0x70, bp=SLOT - 0x200, lr=CODE + 0x95, pstate=5)
    found = arm_trace(memory, SLOT - 0x800)
    assert [frame.kind for frame in found.frames] == ["first", "call", "interrupted", "call", "call"]
    assert [frame.pc - CODE for frame in found.frames] == [0x11, 0x200, 0x70, 0x95, 0x300] and not found.broken


@pytest.mark.parametrize(("lr", "pcs"), [(0x95, [0x11, 0x95, 0x300]), (0x15, [0x11, 0x300]), (0x300, [0x11, 0x300])])
def test_trace_of_aarch64_from_a_leaf(lr: int, pcs: list[int]) -> None:
    """x30 counts, unless it leads into the same function (from an earlier call) or is in the record too."""
    memory = stack_page((SLOT - 0x200, 0, CODE + 0x300))
    found = arm_trace(memory, SLOT - 0x200, {"x30": CODE + lr})
    assert [frame.pc - CODE for frame in found.frames] == pcs and not found.broken


def test_trace_of_aarch64_in_a_vector() -> None:
    """Nothing is saved yet, the frame pointer is the program's."""
    ARM_NAMES[0x12] = "exception_vectors+0x481"
    found = arm_trace(Memory(), 0x7FFF1000, {"x30": 0x400000})
    del ARM_NAMES[0x12]
    assert len(found.frames) == 1 and not found.broken


def test_signal_frame_of_aarch64() -> None:
    at = 0x2000E000
    regs = [100 + n for n in range(31)]
    uc = struct.pack("<QQ Qi4xQ Q 128x Q 31Q QQQ 8x", 0, 0, 0x20000000, 1, 65536, 0x200, 0xBAD,
                     *regs, 0x7FFF0000, 0x401234, 0x60000000)  # fmt: skip
    records = struct.pack("<II", 0x46508001, 528).ljust(528, b"\0") + struct.pack("<IIQ", 0x45535201, 16, 0x92000046)
    info = struct.pack("<i4xi4xQ", 11, 1, 0xBAD).ljust(128, b"\0")
    data = (info + uc + records).ljust(arm.FRAME_BYTES, b"\0")
    assert len(info + uc) == arm.RECORDS_AT == 592
    frame = arm.decode_signal_frame(at, data)
    assert not frame.doubts and (frame.alt_sp, frame.alt_size, frame.mask) == (0x20000000, 65536, 0x200)
    assert (frame.regs["ip"], frame.regs["sp"], frame.regs["bp"]) == (0x401234, 0x7FFF0000, 129)
    assert dict(frame.more)["last exception"] == "ESR 0x92000046 (class 0x24), address 0xbad"
    word = int.from_bytes(records[:8], "little")
    assert arm.frame_of(word, at + 592, at, set()) == at and arm.frame_of(word, at + 592, at + 16, set()) is None
    doubts = arm.decode_signal_frame(at + 8, bytes(arm.FRAME_BYTES)).doubts
    assert any("multiple" in doubt for doubt in doubts) and any("FPU" in doubt for doubt in doubts)
    damaged = (info + uc + records)[:1120].ljust(arm.FRAME_BYTES, b"\1")
    assert arm.decode_signal_frame(at, damaged).doubts == ("record 0x1010101 of 16843009 bytes",)
