"""A crash as people read it, and as machines do. Pure but for the ELF files that it is given."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from . import cause, disasm, title
from .cause import Cause, Scene
from .image import Image
from .record import Backtrace, Call, Crash, Log, Mapping, Panic

FUNCTIONS_SHOWN = 40
CODE_BEFORE, CODE_AFTER = 64, 32
KERNEL_FRAME = re.compile(r"^0x([0-9a-f]{1,16}) (.*)$")
WANTED = re.compile(r"wanted at ([^ ,;)]+)")
HANGS = re.compile(r"^lockup: cpu (\d+)\b")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def shown(text: str) -> str:
    """Nothing that a program chose may move the cursor."""
    return CONTROL.sub(lambda m: f"\\x{ord(m[0]):02x}", text)


@dataclass(frozen=True)
class Frame:
    address: int
    function: str  # name+offset; empty when nobody knows
    line: str
    guess: bool = False

    def text(self) -> str:
        return f"{self.address:#018x}  {self.function or '?'}" + (f"  {self.line}" if self.line else "")


@dataclass(frozen=True)
class Analysis:
    """All that a report says."""

    crash: Crash
    cause: Cause
    title: str
    hash: str
    frames: tuple[Frame, ...]
    code: tuple[disasm.Instruction, ...]
    image: Image | None


def in_image(crash: Crash, address: int) -> bool:
    """Whether an address lies in the program's own file: only then its symbols mean anything there."""
    m = crash.mapping(address)
    return not crash.maps or (m is not None and m.name.split(" (deleted)")[0] == crash.exe)


def frame_of(crash: Crash, image: Image | None, address: int, is_return: bool, guess: bool) -> Frame:
    if image is None or not in_image(crash, address):
        m = crash.mapping(address)
        return Frame(address, f"{m.name or 'anonymous'}+{address - m.start + m.offset:#x}" if m else "", "", guess)
    return Frame(address, image.name(address, is_return), image.line(address, is_return), guess)


def follows_call(crash: Crash, image: Image | None, address: int) -> bool:
    """Whether the instruction before is a call, as far as that can be seen: else it is no return address."""
    if image is None or crash.arch != "x86_64" or not in_image(crash, address):
        return True
    before = image.code(address - 7, 7)
    if len(before) < 7:
        return True
    indirect = any(before[-n] == 0xFF and before[-n + 1] >> 3 & 7 == 2 for n in (2, 3, 4, 6, 7))
    return before[-5] == 0xE8 or indirect


def with_link(crash: Crash, image: Image | None) -> tuple[int, ...]:
    """The chain of frames. On aarch64 a function that calls nothing has no frame, and where it returns to is in
    x30 alone. In one that has called, x30 is in the function itself until the caller's is loaded to return."""
    chain, link = crash.backtrace, crash.regs.get("x30", 0)
    m = crash.mapping(link)
    rest = chain[1:] if chain[:1] == (crash.ip,) else chain
    if m is None or "x" not in m.perms or rest[:1] == (link,):
        return chain
    if image is not None and in_image(crash, link) and in_image(crash, crash.ip):
        if image.symbol(link - 1) == image.symbol(crash.ip):
            return chain
    elif m.holds(crash.ip):
        return chain  # nobody knows the functions
    return (*chain[: len(chain) - len(rest)], link, *rest)


def frames_of(crash: Crash, image: Image | None) -> tuple[Frame, ...]:
    chain = with_link(crash, image)
    found = [frame_of(crash, image, a, n > 0 or a != crash.ip, False) for n, a in enumerate(chain)]
    found += [frame_of(crash, image, a, True, True) for a in crash.guess if follows_call(crash, image, a)]
    return tuple(found[:FUNCTIONS_SHOWN])


def code_of(crash: Crash, image: Image | None) -> tuple[disasm.Instruction, ...]:
    """From the bytes in the report: they are what ran. The file helps where a report has none."""
    at, code = crash.text_at, crash.text
    failed_exec = "point of no return" in crash.note
    if image is not None and (not code or failed_exec) and (failed_exec or in_image(crash, crash.ip)):
        found = image.symbol(crash.ip)
        start = found.start + image.bias if found else crash.ip
        at = max(start, crash.ip - CODE_BEFORE)
        code = image.code(at, crash.ip - at + CODE_AFTER)
    return tuple(disasm.around(code, at, crash.ip, crash.arch))


def title_functions(frames: tuple[Frame, ...]) -> tuple[str, ...]:
    """What a title is made of: the chain of frames; where that says nothing, what of the guess has a line of
    source, which the program's own functions have and what is left over of others has not."""
    sure = tuple(f.function for f in frames if f.function and not f.guess)
    if title.telling(sure):
        return sure
    guessed = tuple(f.function for f in frames if f.guess and f.line)
    return guessed or sure or tuple(f.function for f in frames if f.function)


def analyse(crash: Crash, image: Image | None) -> Analysis:
    frames = frames_of(crash, image)
    code = code_of(crash, image)
    named = tuple(f.function for f in frames if f.function)
    found = cause.probable(Scene(crash, disasm.current(list(code)), named))
    told = title_functions(frames)
    called = shown(title.of_crash(crash, found, told))
    return Analysis(crash, found, called, title.digest(called, told), frames, code, image)


# --- for people ---


def head_lines(a: Analysis) -> list[str]:
    c = a.crash
    command = " ".join(shown(word) for word in c.argv) or "(unknown)"
    thread = f", thread {c.tid}" if c.tid != c.pid else ""
    lines = [
        a.title,
        f"  {a.cause.text}",
        "",
        f"  process  {c.pid} ({shown(c.comm)}){thread}, cpu {c.cpu}, at {c.ns / 1e9:.6f} s",
        f"  command  {command}",
        f"  program  {shown(c.exe) or '(unknown)'}",
        f"  signal   {c.signal} ({c.sig}), code {c.code}: {c.reason}",
    ]
    if c.sender is not None:
        lines.append(f"  sent by  process {c.sender[0]}, uid {c.sender[1]}")
    if c.note:
        lines.append(f"  note     {shown(c.note)}")
    lines.append(f"  ip       {c.ip:#x}" + (f", address {c.addr:#x}" if c.addr is not None else ""))
    if c.fault:
        lines.append("  fault    " + " ".join(f"{k}={v:#x}" for k, v in c.fault.items()) + fault_words(c))
    return lines


# The class of a syndrome, and the status of an abort but for its level. Arm ARM, D17.2.37.
CLASSES = {
    0x00: "unknown reason", 0x07: "floating point", 0x0D: "branch target", 0x0E: "illegal execution state",
    0x15: "system call", 0x18: "system register", 0x19: "SVE", 0x1C: "pointer authentication",
    0x20: "instruction abort", 0x21: "instruction abort", 0x22: "misaligned pc", 0x24: "data abort",
    0x25: "data abort", 0x26: "misaligned sp", 0x2C: "floating-point exception", 0x2F: "system error",
    0x30: "breakpoint register", 0x32: "single step", 0x34: "watchpoint", 0x3C: "brk",
}  # fmt: skip
STATUS = {0x00: "address size", 0x04: "translation", 0x08: "access flag", 0x0C: "permission"}


def syndrome_words(c: Crash, esr: int) -> str:
    words = [CLASSES.get(esr >> 26, f"class {esr >> 26:#x}")]
    if esr >> 26 in cause.ABORTS:
        status = esr & 0x3F
        known = {0x10: "external", 0x21: "alignment"}.get(status) or STATUS.get(status & 0x3C)
        level = f", level {status & 3}" if status < 0x10 else ""
        words += [cause.access(c), f"{known or f'status {status:#x}'}{level}"]
    return f"  ({', '.join(words)})"


def fault_words(c: Crash) -> str:
    """What the processor said, decoded: a syndrome of aarch64, the page-fault error code of x86."""
    if "esr" in c.fault:
        return syndrome_words(c, c.fault["esr"])
    if c.fault.get("vector") != 14:
        return ""
    error = c.fault.get("error", 0)
    words = ["protection violation" if error & 1 else "not present", cause.access(c), "user" if error & 4 else "kernel"]
    if error & 8:
        words.append("reserved bit set")
    return f"  ({', '.join(words)})"


def register_lines(c: Crash) -> list[str]:
    words = [f"{name:>7} {value:016x}" for name, value in c.regs.items()]
    words.append(f"{'tls':>7} {c.tls:016x}")
    lines = [f"registers (as saved at the {c.regs_from or 'entry'}):"]
    return lines + ["  " + " ".join(words[at : at + 4]) for at in range(0, len(words), 4)]


def code_lines(a: Analysis) -> list[str]:
    if not a.code:
        why = "nothing there can be read" if not a.crash.text else "no capstone, or no instruction"
        return ["code:", f"  ({why})"]
    return ["code:"] + [f"{'=>' if i.current else '  '} {i.address:#x}  {i.text}" for i in a.code]


def frame_lines(a: Analysis) -> list[str]:
    lines = ["backtrace:"]
    sure = [f for f in a.frames if not f.guess]
    lines += [f"  {f.text()}" for f in sure] or ["  (no chain of frames)"]
    guessed = [f for f in a.frames if f.guess]
    if guessed:
        lines.append("stack words that could be return addresses (a guess):")
        lines += [f"  {f.text()}" for f in guessed]
    return lines


def signed(value: int) -> str:
    return str(value) if -4096 < value < 4096 else f"{value:#x}"


def call_line(call: Call, first_ns: int) -> str:
    args = ", ".join(f"{arg:#x}" for arg in call.args)
    head = f"  {(call.start_ns - first_ns) / 1e6:+10.3f} ms  [{call.tid}] {shown(call.name)}({args})"
    if call.result is None or call.end_ns is None:
        return f"{head} = not returned"
    return f"{head} = {signed(call.result)}  ({(call.end_ns - call.start_ns) / 1e3:.1f} us)"


def call_lines(calls: tuple[Call, ...], at_ns: int) -> list[str]:
    """The last one last, as they happened."""
    if not calls:
        return ["system calls: none are known"]
    return [f"last {len(calls)} system calls:"] + [call_line(call, at_ns) for call in reversed(calls)]


def marks(c: Crash, m: Mapping) -> str:
    points = {"ip": c.ip, "sp": c.sp, "addr": c.addr}
    inside = [name for name, value in points.items() if value is not None and m.holds(value)]
    return f"  <- {', '.join(inside)}" if inside else ""


def map_lines(c: Crash) -> list[str]:
    if not c.maps:
        return ["mappings: none are known"]
    head = f"mappings ({len(c.maps)} of {max(c.maps_total, len(c.maps))}):"
    lines = [head]
    for m in c.maps:
        offset = f" {m.offset:08x}" if m.file_size is not None else " " * 9
        lines.append(f"  {m.start:012x}-{m.end:012x} {m.perms:5}{offset} {shown(m.name)}{marks(c, m)}".rstrip())
    return lines


def doubt_lines(c: Crash) -> list[str]:
    lines = []
    if c.missing:
        lines.append(f"missing: {', '.join(shown(what) for what in c.missing)}")
    if c.truncated:
        lines.append("the report was too long and was cut: its last parts are missing")
    if c.left_out:
        lines.append(f"{c.left_out} reports before this one were left out")
    return lines


def text_of(a: Analysis) -> str:
    c = a.crash
    blocks = [head_lines(a), code_lines(a), register_lines(c), frame_lines(a), call_lines(c.calls, c.ns), map_lines(c)]
    doubts = doubt_lines(c)
    return "\n\n".join("\n".join(block) for block in [*blocks, *([doubts] if doubts else [])]) + "\n"


# --- for machines ---


def json_of(a: Analysis) -> dict[str, Any]:
    c = a.crash
    return {
        "kind": "crash",
        "title": a.title,
        "hash": a.hash,
        "cause": {"kind": a.cause.kind, "text": a.cause.text},
        "pid": c.pid,
        "tid": c.tid,
        "comm": c.comm,
        "exe": c.exe,
        "argv": list(c.argv),
        "signal": c.signal,
        "code": c.code,
        "reason": c.reason,
        "note": c.note,
        "ip": hex(c.ip),
        "addr": None if c.addr is None else hex(c.addr),
        "regs_from": c.regs_from,
        "regs": {name: hex(value) for name, value in c.regs.items()},
        "tls": hex(c.tls),
        "fault": {name: hex(value) for name, value in c.fault.items()},
        "frames": [
            {"address": hex(f.address), "function": f.function, "line": f.line, "guess": f.guess} for f in a.frames
        ],
        "code": [{"address": hex(i.address), "text": i.text, "current": i.current} for i in a.code],
        "syscalls": [call_json(call) for call in c.calls],
        "maps": [{"start": hex(m.start), "end": hex(m.end), "perms": m.perms, "name": m.name} for m in c.maps],
        "maps_total": c.maps_total,
        "missing": list(c.missing),
        "truncated": c.truncated,
        "left_out": c.left_out,
    }


def call_json(call: Call) -> dict[str, Any]:
    return {
        "tid": call.tid,
        "nr": call.nr,
        "name": call.name,
        "args": [hex(arg) for arg in call.args],
        "result": call.result,
        "start_ns": call.start_ns,
        "end_ns": call.end_ns,
    }


# --- the kernel's own end ---


def kernel_frame(line: str, image: Image | None, first: bool) -> str:
    found = KERNEL_FRAME.match(line)
    where = image.line(int(found[1], 16), not first) if found and image else ""
    return f"  {shown(line)}" + (f"  {where}" if where else "")


def lock_lines(panic: Panic, image: Image | None) -> list[str]:
    lines = []
    for lock in panic.locks:
        of = shown(str(lock.get("of", "?")))
        if "waits_for" in lock:
            at = str(lock["waits_for"])
            name = str(lock.get("name") or "") or lock_name(at, image)
            where = f"held by cpu {lock.get('held_by')}; at {lock.get('from')}"
            lines.append(f"  {of} waits for {shown(f'{name or at}, {where}')}")
        held = lock.get("held")
        lines += [f"  {of} holds {shown(str(item))}" for item in held] if isinstance(held, list) else []
    return ["locks:", *lines] if lines else ["locks: no CPU waits for one"]


def lock_name(at: str, image: Image | None) -> str:
    try:
        return image.name(int(at, 16)).removesuffix("+0x0") if image else ""
    except ValueError:
        return ""


def culprit(panic: Panic) -> Backtrace | None:
    """Of the CPU it is about: the one that hangs, or the one that reports."""
    hangs = HANGS.search(panic.reason)
    for trace in panic.backtraces:
        if hangs and trace.of == f"cpu {hangs[1]}":
            return trace
    return panic.backtraces[0] if panic.backtraces else None


def panic_functions(panic: Panic) -> tuple[str, ...]:
    wanted = sorted(set(WANTED.findall(panic.reason)))
    if wanted:  # of a deadlock: it is the same one whoever found it
        return tuple(wanted)
    about = culprit(panic)
    frames = about.frames if about else []
    return tuple(found[2] for line in frames if (found := KERNEL_FRAME.match(line)))


def panic_blocks(panic: Panic, image: Image | None) -> list[list[str]]:
    blocks = []
    for trace in panic.backtraces:
        words = [f"{name:>7} {value:016x}" for name, value in trace.regs.items()]
        blocks.append(
            [f"{shown(trace.of)}:"]
            + [kernel_frame(line, image, n == 0) for n, line in enumerate(trace.frames)]
            + ["  " + " ".join(words[at : at + 4]) for at in range(0, len(words), 4)]
        )
    blocks.append(lock_lines(panic, image))
    if panic.process is not None:
        named = f"process {panic.process.get('pid')} ({shown(str(panic.process.get('comm', '')))})"
        blocks.append([f"current: {named}", *call_lines(panic.calls, panic.ns)])
    if panic.last_events:
        blocks.append(["last events:", *(f"  {shown(line)}" for line in panic.last_events)])
    if not panic.complete:
        blocks.append(["the report ends early: the kernel died while it wrote it, or the log was cut"])
    return blocks


def panic_title(panic: Panic) -> tuple[str, str, Cause]:
    found = cause.of_panic(panic)
    called = shown(title.of_panic(panic, found, panic_functions(panic)))
    return called, title.digest(called, panic_functions(panic)), found


def panic_text(panic: Panic, image: Image | None) -> str:
    called, _, found = panic_title(panic)
    where = image.line(frame_address(panic)) if image and panic.backtraces else ""
    head = [
        called,
        f"  {found.text}",
        "",
        f"  reason   {shown(panic.reason)}",
        f"  where    {shown(panic.where)}" + (f"  {where}" if where else ""),
        f"  cpu      {panic.cpu}, at {panic.ns / 1e9:.6f} s",
        f"  current  {shown(panic.text) or '(unknown)'}",
    ]
    return "\n\n".join("\n".join(block) for block in [head, *panic_blocks(panic, image)]) + "\n"


def frame_address(panic: Panic) -> int:
    frames = panic.backtraces[0].frames
    found = KERNEL_FRAME.match(frames[0]) if frames else None
    return int(found[1], 16) if found else 0


def panic_json(panic: Panic) -> dict[str, Any]:
    called, key, found = panic_title(panic)
    return {
        "kind": "panic",
        "title": called,
        "hash": key,
        "cause": {"kind": found.kind, "text": found.text},
        "reason": panic.reason,
        "where": panic.where,
        "current": panic.text,
        "cpu": panic.cpu,
        "cpus": [
            {"of": t.of, "frames": t.frames, "regs": {k: hex(v) for k, v in t.regs.items()}} for t in panic.backtraces
        ],
        "locks": panic.locks,
        "syscalls": [call_json(call) for call in panic.calls],
        "complete": panic.complete,
    }


def summary(log: Log) -> str:
    words = [f"{len(log.crashes)} crashes", f"{len(log.panics)} panics"]
    if log.left_out:
        words.append(f"{log.left_out} reports left out by the kernel")
    if log.damaged:
        words.append(f"{log.damaged} damaged lines")
    return ", ".join(words)
