"""What the gate must know of each instruction set: calls, jumps, returns, and what moves the stack pointer."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import capstone  # type: ignore[import]


class Kind(enum.Enum):
    PLAIN = "plain"
    CALL = "call"
    JUMP = "jump"
    BRANCH = "conditional jump"
    CALL_POINTER = "call through a pointer"
    JUMP_POINTER = "jump through a pointer"
    END = "return or trap"
    BAD = "not decodable"


@dataclass(frozen=True)
class Insn:
    address: int
    size: int
    mnemonic: str
    operands: str
    kind: Kind
    target: int | None = None  # of a direct call or jump
    table: int | None = None  # address in memory that a pointer is taken from
    grows: int = 0  # bytes the stack grows by
    new_stack: bool = False  # the stack pointer is loaded with something else


NUMBER = r"-?(?:0x[0-9a-f]+|\d+)"
IMMEDIATE = re.compile(rf"^#?({NUMBER})$")


def number(text: str) -> int | None:
    match = IMMEDIATE.match(text.strip())
    return int(match[1], 0) if match else None


class Port:
    """One instruction set. call_push: what a call itself puts on the stack."""

    name: str
    call_push: int
    first_arguments: tuple[str, ...]
    code: tuple[int, int]

    def __init__(self) -> None:
        self.decoder: Any = capstone.Cs(*self.code)

    def decode(self, data: bytes, address: int) -> Iterator[Insn]:
        """Linear; a byte sequence nobody can decode ends in one BAD instruction."""
        end, at = address + len(data), address
        for place, size, mnemonic, operands in self.decoder.disasm_lite(data, address):
            at = place + size
            yield self.classify(place, size, mnemonic, operands)
        if at < end:
            yield Insn(at, end - at, "?", data[at - address :][:8].hex(), Kind.BAD)

    def classify(self, address: int, size: int, mnemonic: str, operands: str) -> Insn:
        raise NotImplementedError

    def is_switch(self, before: list[Insn], jump: Insn) -> bool:
        """Whether a C function's jump through a pointer is the compiler's switch by the look of it, for
        ports whose tables cannot be read as addresses."""
        del before, jump
        return False

    def constant(self, before: list[Insn], argument: int) -> int | None:
        """The constant that the instructions leave in an argument register, or None."""
        raise NotImplementedError


class X86(Port):
    name = "x86_64"
    call_push = 8
    first_arguments = ("di", "si", "dx", "cx")
    code = (capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    ENDS = frozenset("ret retf retfq iret iretd iretq sysret sysexit ud2 ud0 ud1 hlt".split())
    MEMORY = re.compile(rf"\[(.*)\]")
    DISPLACEMENT = re.compile(rf"(?:^|[+-] ?)({NUMBER})\]")

    def classify(self, address: int, size: int, mnemonic: str, operands: str) -> Insn:
        base = {"sysretq": "sysret"}.get(mnemonic, mnemonic.split()[-1])  # capstone's versions differ
        if base == "call" or base == "lcall":
            return self.transfer(address, size, base, operands, Kind.CALL, Kind.CALL_POINTER)
        if base == "jmp" or base == "ljmp":
            return self.transfer(address, size, base, operands, Kind.JUMP, Kind.JUMP_POINTER)
        if base.startswith(("j", "loop")) and number(operands) is not None:
            return Insn(address, size, base, operands, Kind.BRANCH, number(operands))
        if base in self.ENDS:
            return Insn(address, size, base, operands, Kind.END)
        grows, new = self.stack(base, operands)
        return Insn(address, size, base, operands, Kind.PLAIN, grows=grows, new_stack=new)

    def transfer(self, at: int, size: int, base: str, operands: str, direct: Kind, pointer: Kind) -> Insn:
        target = number(operands)
        if target is not None:
            return Insn(at, size, base, operands, direct, target & (1 << 64) - 1)
        table = None
        inside = self.MEMORY.search(operands)
        if inside and ":" not in operands:
            low = re.search(rf"(\+|-) ({NUMBER})\]", operands)
            if low:
                table = int(low[2], 0) if low[1] == "+" else -int(low[2], 0)
            elif re.fullmatch(rf".*\[({NUMBER})\]", operands):
                table = int(inside[1], 0)
            if table is not None and "rip" in operands:
                table += at + size
            if table is not None:
                table &= (1 << 64) - 1
        return Insn(at, size, base, operands, pointer, table=table)

    @staticmethod
    def stack(base: str, operands: str) -> tuple[int, bool]:
        if base in ("push", "pushfq", "pushf"):
            return 8, False
        if base in ("pop", "popfq", "popf"):
            return (0, True) if operands == "rsp" else (-8, False)
        first, _, second = operands.partition(", ")
        if first != "rsp" and not (base == "xchg" and second == "rsp"):
            return (0, base in ("leave", "enter"))
        value = number(second)
        if base in ("sub", "add") and value is not None:
            return (value if base == "sub" else -value), False
        if base == "and" and value is not None:
            return -value & 0xFFF, False
        shift = re.fullmatch(rf"\[rsp ([+-]) ({NUMBER})\]", second)
        if base == "lea" and shift:
            return (-1 if shift[1] == "+" else 1) * int(shift[2], 0), False
        return 0, base not in ("cmp", "test")

    SAVED = frozenset("rbx rbp r12 r13 r14 r15".split())

    def constant(self, before: list[Insn], argument: int) -> int | None:
        wanted = f"r{self.first_arguments[argument]}"
        for insn in reversed(before):
            first, _, second = insn.operands.partition(", ")
            if insn.kind in (Kind.CALL, Kind.CALL_POINTER) and wanted not in self.SAVED:
                return None
            if first not in self.widths(wanted):
                continue
            value = number(second)
            if insn.mnemonic in ("mov", "movabs") and value is not None:
                return value & (1 << 64) - 1
            if insn.mnemonic == "lea" and (place := re.fullmatch(rf"\[rip ([+-]) ({NUMBER})\]", second)):
                return insn.address + insn.size + int(place[1] + place[2].lstrip("-"), 0)
            if insn.mnemonic != "mov" or not re.fullmatch("r[0-9a-z]+", second):
                return None
            wanted = second
        return None

    @staticmethod
    def widths(register: str) -> tuple[str, str]:
        return (register, register + "d" if register[1].isdigit() else "e" + register[1:])


class Arm64(Port):
    name = "aarch64"
    call_push = 0
    first_arguments = ("x0", "x1", "x2", "x3")
    code = (capstone.CS_ARCH_ARM64, capstone.CS_MODE_ARM)
    ENDS = frozenset("ret retaa retab eret eretaa eretab brk hlt udf".split())
    CONDITIONAL = ("b.", "cbz", "cbnz", "tbz", "tbnz")

    def classify(self, address: int, size: int, mnemonic: str, operands: str) -> Insn:
        last = number(operands.rpartition(",")[2])
        kinds = {"bl": Kind.CALL, "b": Kind.JUMP}
        if mnemonic in kinds:
            return Insn(address, size, mnemonic, operands, kinds[mnemonic], last)
        if mnemonic.startswith(self.CONDITIONAL):
            return Insn(address, size, mnemonic, operands, Kind.BRANCH, last)
        if mnemonic.startswith("blr"):
            return Insn(address, size, mnemonic, operands, Kind.CALL_POINTER)
        if mnemonic.startswith("br") and mnemonic != "brk":
            return Insn(address, size, mnemonic, operands, Kind.JUMP_POINTER)
        if mnemonic in self.ENDS:
            return Insn(address, size, mnemonic, operands, Kind.END)
        grows, new = self.stack(mnemonic, operands)
        return Insn(address, size, mnemonic, operands, Kind.PLAIN, grows=grows, new_stack=new)

    @staticmethod
    def stack(mnemonic: str, operands: str) -> tuple[int, bool]:
        before = re.search(rf"\[sp, #({NUMBER})\]!$", operands)
        after = re.search(rf"\[sp\], #({NUMBER})$", operands)
        if before or after:
            found = before or after
            return -int(found[1], 0) if found else 0, False
        parts = [part.strip() for part in operands.split(",")]
        if parts[0] != "sp" or mnemonic.startswith(("cmp", "cmn", "str", "stp")):
            return 0, False
        value = number(parts[2]) if len(parts) == 3 and parts[1] == "sp" else None
        if value is not None and mnemonic in ("sub", "add"):
            return (value if mnemonic == "sub" else -value), False
        return 0, True

    def is_switch(self, before: list[Insn], jump: Insn) -> bool:
        """ldr{b,h,sw} from a table, an address made from it, br."""
        recent = [insn.mnemonic for insn in before[-10:]]
        return any(m in recent for m in ("ldrb", "ldrh", "ldrsw")) and any(m in recent for m in ("adr", "adrp"))

    READS = ("st", "cmp", "cmn", "tst", "ccmp", "cb", "tb", "b", "ret", "msr")

    def constant(self, before: list[Insn], argument: int) -> int | None:
        wanted, low = self.first_arguments[argument], 0
        for insn in reversed(before):
            if insn.kind in (Kind.CALL, Kind.CALL_POINTER) and not 19 <= int(wanted[1:]) <= 28:
                return None
            parts = [part.strip() for part in insn.operands.split(",")]
            if insn.mnemonic.startswith(self.READS) or wanted not in parts[: 1 + insn.mnemonic.startswith("ldp")]:
                continue
            value = number(parts[-1])
            if insn.mnemonic in ("adr", "adrp") and value is not None:
                return value + low
            if insn.mnemonic == "add" and len(parts) == 3 and value is not None and re.fullmatch(r"x\d+", parts[1]):
                wanted, low = parts[1], low + value
            elif insn.mnemonic == "mov" and re.fullmatch(r"x\d+", parts[1]):
                wanted = parts[1]
            else:
                return None
        return None


PORTS: dict[str, type[Port]] = {port.name: port for port in (X86, Arm64)}
