"""Instructions around an address. capstone decodes them; without it there are none, and that is said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

MAX_BACK = 16  # an x86 instruction has at most 15 bytes


@dataclass(frozen=True)
class Instruction:
    address: int
    size: int
    text: str
    current: bool = False
    memory: tuple[str, ...] = ()  # registers that an address is made of
    first: str = ""  # its first operand, when that is a register


def decoder(arch: str) -> Any:
    """capstone's, or None when it is not installed."""
    try:
        import capstone  # type: ignore[import]
    except ImportError:
        return None
    if arch == "aarch64":
        made = capstone.Cs(capstone.CS_ARCH_ARM64, capstone.CS_MODE_ARM)
    else:
        made = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    made.detail = True
    return made


def operands(made: Any) -> tuple[tuple[str, ...], str]:
    """Registers of memory operands, and the first operand if it is a register. OP_REG 1, OP_MEM 3 on both."""
    names: list[str] = []
    first = ""
    for place, operand in enumerate(made.operands):
        if operand.type == 1 and place == 0:
            first = str(made.reg_name(operand.reg))
        if operand.type == 3:
            for reg in (operand.mem.base, operand.mem.index):
                if reg:
                    names.append(str(made.reg_name(reg)))
    return tuple(names), first


def decode(code: bytes, at: int, arch: str) -> list[Instruction]:
    engine = decoder(arch)
    if engine is None:
        return []
    if arch == "aarch64":  # every word is one instruction, also those after one that nobody knows
        words = range(0, len(code) - 3, 4)
        return [one_word(engine, code[skip : skip + 4], at + skip) for skip in words]
    return [instruction(made) for made in engine.disasm(code, at)]


def instruction(made: Any) -> Instruction:
    memory, first = operands(made)
    return Instruction(made.address, made.size, f"{made.mnemonic} {made.op_str}".strip(), False, memory, first)


def one_word(engine: Any, word: bytes, at: int) -> Instruction:
    value = int.from_bytes(word, "little")
    if value < 1 << 16:
        return Instruction(at, 4, f"udf #{value:#x}")
    made = next(engine.disasm(word, at), None)
    return instruction(made) if made else Instruction(at, 4, f".inst {value:#010x}")


def around(code: bytes, at: int, ip: int, arch: str, before: int = 6, after: int = 4) -> list[Instruction]:
    """The instruction at ip, marked, and some on either side. Decoding begins where it meets ip: with
    instructions of any length, some offsets do not."""
    if not at <= ip < at + len(code):
        return []
    step = 4 if arch == "aarch64" else 1
    head: list[Instruction] = []
    for skip in range((ip - at) % step, min(ip - at, MAX_BACK) + 1, step):
        tried = decode(code[skip : ip - at], at + skip, arch)
        if sum(item.size for item in tried) == ip - at - skip:
            head = tried
            break
    tail = decode(code[ip - at :], ip, arch)[: after + 1]
    marked = [Instruction(i.address, i.size, i.text, i.address == ip, i.memory, i.first) for i in tail]
    return head[-before:] + marked


def current(instructions: list[Instruction]) -> Instruction | None:
    return next((item for item in instructions if item.current), None)
