"""Frames by frame pointers. Pure: memory and names come in as functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

from .errors import Unreadable

FRAMES_MAX = 64


@dataclass(frozen=True)
class Frame:
    pc: int
    fp: int
    kind: str  # first; call; interrupted: what an interrupt or exception hit; user: where user mode entered


@dataclass
class Trace:
    frames: list[Frame]
    broken: str = ""  # why the chain ended before its end


def function(name: str) -> str:
    return name.split("+")[0]


def kernel_trace(
    read: Callable[[int], int],
    read_bytes: Callable[[int, int], bytes],
    place: Callable[[int], str],
    pc: int,
    fp: int,
    port: ModuleType,
    cpu: dict[str, int] | None = None,
) -> Trace:
    """From pc and frame pointer to user mode, the thread's start, or where the chain breaks. cpu: the
    registers, of what is running."""
    trace = Trace([Frame(pc, fp, "first")])
    if function(place(pc + 1)) in port.ENTRY_CODE and fp < port.KERNEL_HALF:
        return trace  # the frame pointer is the program's still, and its registers are not saved yet
    pc = _add_caller(trace, read, place, pc, fp, cpu, port)
    seen: set[int] = set()
    while len(trace.frames) < FRAMES_MAX:
        if function(place(pc)) in port.THREAD_START or fp == 0:
            return trace
        if function(place(pc)) in port.ENTRY_CODE and fp < port.KERNEL_HALF:
            return trace  # what entry called has no frame
        why = _bad_frame(fp, seen, port)
        if why:
            trace.broken = why
            return trace
        seen.add(fp)
        try:
            following, pc = read(fp), read(fp + 8)
        except Unreadable:
            trace.broken = f"frame pointer {fp:#x} cannot be read"
            return trace
        if pc < port.KERNEL_BASE:
            if pc or following:
                trace.broken = f"return address {pc:#x} at {fp + 8:#x} is no kernel code"
            return trace
        if function(place(pc)) in port.ENTRY_CODE:
            trace.frames.append(Frame(pc, following, "call"))
            entered = _entered(read_bytes, fp, following, port)
            if entered is None:
                trace.broken = f"the registers saved above {fp:#x} cannot be read"
                return trace
            if port.regs_user_mode(entered):
                trace.frames.append(Frame(entered["ip"], entered["bp"], "user"))
                return trace
            pc, following = entered["ip"], entered["bp"]
            trace.frames.append(Frame(pc, following, "interrupted"))
            pc = _add_caller(trace, read, place, pc, following, entered, port)
        else:
            trace.frames.append(Frame(pc, following, "call"))
        fp = following
    trace.broken = f"more than {FRAMES_MAX} frames"
    return trace


def _add_caller(trace: Trace, read: Callable[[int], int], place: Callable[[int], str], pc: int, fp: int,
                cpu: dict[str, int] | None, port: ModuleType) -> int:  # fmt: skip
    """Adds the caller of a function that has no frame of its own at pc. Where the chain goes on."""
    name = place(pc + 1)  # of a place, one too far: place() takes it for a return address
    if cpu is None or "+" not in name:
        return pc
    try:
        caller: int = port.untaken_frame(read, int(name.rsplit("+", 1)[1], 16) - 1, cpu, fp)
    except Unreadable:
        return pc
    if caller < port.KERNEL_BASE or function(place(caller)) == function(name):
        return pc
    trace.frames.append(Frame(caller, fp, "call"))
    return caller


def _bad_frame(fp: int, seen: set[int], port: ModuleType) -> str:
    if fp in seen:
        return f"frame pointer {fp:#x} comes twice: the chain has a cycle"
    if fp < port.KERNEL_HALF:
        return f"frame pointer {fp:#x} is no kernel address"
    return f"frame pointer {fp:#x} is not aligned to 8" if fp % 8 else ""


def _entered(read_bytes: Callable[[int, int], bytes], fp: int, following: int, port: ModuleType
             ) -> dict[str, int] | None:  # fmt: skip
    try:
        regs: dict[str, int] = port.saved_regs(read_bytes, fp, following)
    except Unreadable:
        return None
    return regs


def user_trace(read: Callable[[int], int], pc: int, fp: int, limit: int = 32) -> list[int]:
    """Return addresses of a user stack, as long as the frame pointers rise."""
    pcs = [pc]
    while len(pcs) < limit and fp and fp % 8 == 0:
        try:
            following, pc = read(fp), read(fp + 8)
        except Unreadable:
            break
        if not pc:
            break
        pcs.append(pc)
        if following <= fp:
            break
        fp = following
    return pcs
