"""What a boot is told as: lines for people, JSON, JUnit XML, KTAP. Pure."""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape, quoteattr

from ..guest.trace import Symbols, format_frames
from .boot import Boot
from .runner import FAIL, NOT_RUN, PASS, SKIP, TIMEOUT, Result

PROBLEMS_SHOWN = 12
STAGES_SHOWN = 10
COLOURS = {PASS: "32", FAIL: "31", TIMEOUT: "31", SKIP: "33", NOT_RUN: "35"}


def paint(text: str, status: str, colour: bool) -> str:
    return f"\x1b[{COLOURS[status]}m{text}\x1b[0m" if colour else text


def stage_line(result: Result, total: int, colour: bool = False) -> str:
    stage = result.stage
    took = f" {result.took_ms:.1f} ms" if result.took_ms is not None else ""
    detail = f"  ({result.detail})" if result.detail and result.status != PASS else ""
    name = f"{stage.id}: {stage.title}"
    return f"[{stage.n:03}/{total:03}] {name:<74.74} {paint(result.status, result.status, colour)}{took}{detail}"


def closing_line(boot: Boot) -> str:
    """Always the last line. TIMEOUT and NOT-RUN are no passes: they count as failed, and so does a run whose
    stages all passed but whose records cannot be believed."""
    runner = boot.runner
    bad = runner.count(FAIL) + runner.count(TIMEOUT) + runner.count(NOT_RUN)
    bad = max(bad, 1 if boot.exit_code else 0)
    return f"boot-stages: {runner.count(PASS)} passed, {bad} failed, {runner.count(SKIP)} skipped"


def panic_lines(boot: Boot, symbols: Symbols) -> list[str]:
    panic = boot.runner.panic
    if panic is None:
        return []
    lines = [f"the kernel's report: {panic.reason} ({panic.where})"] if panic.reason else []
    if panic.text:
        lines.append(f"  {panic.text}")
    for event in panic.backtraces:
        lines.append(f"backtrace of {event.text('of')}:")
        lines += [f"  {line}" for line in kernel_frames(event.fields.get("frames"), symbols)]
        registers = event.fields.get("regs")
        if isinstance(registers, dict):
            words = [f"{name}={value}" for name, value in registers.items()]
            lines += ["  " + " ".join(words[at : at + 6]) for at in range(0, len(words), 6)]
    return lines


def kernel_frames(frames: Any, symbols: Symbols) -> list[str]:
    """The kernel's own frames, each with its line of source."""
    texts = [str(frame) for frame in frames] if isinstance(frames, list) else []
    addresses = []
    for text in texts:
        try:
            addresses.append(int(text.split(" ")[0], 16))
        except ValueError:
            return texts
    return [f"{text}  {line}".rstrip() for text, line in zip(texts, symbols.lines(addresses))]


def cpu_lines(boot: Boot, symbols: Symbols) -> list[str]:
    """What QEMU sees, where the kernel's own report does not cover every CPU."""
    lines: list[str] = []
    if boot.runner.panic and len(boot.runner.panic.backtraces) >= len(boot.evidence.cpus):
        return lines
    for state in boot.evidence.cpus:
        lines.append(f"CPU {state.cpu} (seen by QEMU):")
        lines += [f"  {line}" for line in state.text.splitlines()]
        lines += [f"    {line}" for line in format_frames(symbols, state.frames)]
    return lines


def failure_lines(boot: Boot, symbols: Symbols) -> list[str]:
    """Why it failed: the stage, what it means, where to look, and the evidence."""
    runner = boot.runner
    if not runner.exit_code():
        return []
    lines = [""]
    bad = [r for r in runner.results.values() if r.status in (FAIL, TIMEOUT)]
    last = [runner.current] if runner.current and runner.current in bad else []
    port = "" if boot.arch == "x86_64" else f"--arch {boot.arch} "
    bad = last + [r for r in bad if r not in last]  # what ended the run comes first
    for result in bad[:STAGES_SHOWN]:
        stage = result.stage
        lines.append(f"{result.status} stage {stage.n} {stage.id}: {stage.title}")
        lines.append(f"  why:   {result.detail or 'no reason was given'}")
        lines.append(f"  means: {stage.meaning}")
        lines.append(f"  look:  {stage.where}")
        lines.append(f"  again: python3 -m xtask boot-stages {port}--only {stage.id}")
    if len(bad) > STAGES_SHOWN:
        lines.append(f"and {len(bad) - STAGES_SHOWN} more failed stages (their lines are above)")
    if runner.cause:
        lines.append(f"ended by: {runner.cause.kind}: {runner.cause.text}")
        if not bad and runner.last_step:
            lines.append(f"  the last step announced was {runner.last_step!r}")
    lines += [f"problem: {text}" for text in runner.problems[:PROBLEMS_SHOWN]]
    if len(runner.problems) > PROBLEMS_SHOWN:
        lines.append(f"problem: and {len(runner.problems) - PROBLEMS_SHOWN} more")
    lines += [f"QEMU says: {line}" for line in boot.evidence.qemu]
    if boot.evidence.serial:
        lines.append(f"last lines of the kernel log ({boot.directory}/serial.log):")
        lines += [f"  {line}" for line in boot.evidence.serial]
    lines += panic_lines(boot, symbols)
    lines += cpu_lines(boot, symbols)
    return lines


def as_json(boot: Boot) -> dict[str, Any]:
    runner = boot.runner
    cause = runner.cause
    return {
        "exit_code": boot.exit_code,
        "verdict": "pass" if boot.exit_code == 0 else (cause.kind if cause else "fail"),
        "cause": {"kind": cause.kind, "text": cause.text} if cause else None,
        "problems": runner.problems,
        "wall_s": round(boot.wall_s, 3),
        "directory": str(boot.directory),
        "counts": {s: runner.count(s) for s in (PASS, FAIL, SKIP, TIMEOUT, NOT_RUN)},
        "stages": [
            {
                "n": r.stage.n,
                "id": r.stage.id,
                "phase": r.stage.phase,
                "title": r.stage.title,
                "status": r.status,
                "took_ms": r.took_ms,
                "detail": r.detail,
            }
            for r in runner.results.values()
        ],
    }


def as_junit(boot: Boot) -> str:
    results = list(boot.runner.results.values())
    failed = sum(r.status in (FAIL, TIMEOUT, NOT_RUN) for r in results)
    extra = 1 if boot.runner.cause or boot.runner.problems else 0
    skipped = sum(r.status == SKIP for r in results)
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuite name="boot-stages" tests="{len(results) + extra}" failures="{failed + extra}" '
        f'skipped="{skipped}" time="{boot.wall_s:.3f}">',
    ]
    for r in results:
        head = f'  <testcase classname={quoteattr(r.stage.phase)} name={quoteattr(r.stage.id)} '
        head += f'time="{(r.took_ms or 0) / 1000:.6f}"'
        if r.status == PASS:
            lines.append(head + "/>")
        elif r.status == SKIP:
            lines.append(f"{head}><skipped message={quoteattr(r.detail)}/></testcase>")
        else:
            message = quoteattr(f"{r.status}: {r.detail}")
            text = escape(f"{r.stage.meaning}\nlook: {r.stage.where}")
            lines.append(f"{head}><failure message={message}>{text}</failure></testcase>")
    if extra:
        cause = boot.runner.cause
        text = "\n".join([*([f"{cause.kind}: {cause.text}"] if cause else []), *boot.runner.problems])
        lines.append('  <testcase classname="boot" name="run"><failure message="the run">')
        lines.append(f"{escape(text)}</failure></testcase>")
    return "\n".join([*lines, "</testsuite>"]) + "\n"


def as_ktap(boot: Boot) -> str:
    results = list(boot.runner.results.values())
    lines = ["KTAP version 1", f"1..{len(results)}"]
    for number, r in enumerate(results, start=1):
        word = "ok" if r.status in (PASS, SKIP) else "not ok"
        note = f" # SKIP {r.detail}" if r.status == SKIP else ""
        if word == "not ok":
            lines.append(f"# {r.stage.id}: {r.status}: {r.detail}")
        lines.append(f"{word} {number} {r.stage.id}{note}".rstrip())
    lines += [f"# problem: {text}" for text in boot.runner.problems]
    if boot.runner.cause:
        lines.append(f"# ended by {boot.runner.cause.kind}: {boot.runner.cause.text}")
    return "\n".join(lines) + "\n"
