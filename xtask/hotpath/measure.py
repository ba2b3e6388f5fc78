"""Counting instructions: the kernel runs a fixed load under icount, and a plugin counts between addresses."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ..guest.launch import InfraError
from ..guest.rundir import ROOT
from .check import Checker
from .graph import Graph
from .policy import HotPolicy, Measure

LIMIT_S = 120
PLUGIN = Path(__file__).with_name("kcount.c")


@dataclass(frozen=True)
class Count:
    """Instructions from entry to exit, over all hits."""

    hits: int
    least: int
    median: int
    most: int


def places(graph: Graph, checker: Checker, names: tuple[str, ...], where: str) -> list[int]:
    """Addresses: of a function's first instruction (or of one at `+0x80` from there), or with `:mnemonic` of
    every such instruction in it."""
    found = []
    for name in names:
        symbol, _, mnemonic = name.partition(":")
        if not mnemonic:
            found += checker.places(symbol, where)
            continue
        for function in checker.lookup(symbol, where):
            inside = [i.address for i in graph.instructions(function) if i.mnemonic == mnemonic]
            if not inside:
                checker.missing(where, f"{function.name} has no instruction {mnemonic}")
            found += inside
    return found


def span(graph: Graph, checker: Checker, measure: Measure) -> str | None:
    """The plugin's argument for a measure; None when a name of it does not exist (a finding)."""
    where = f"hotpath.measure {measure.name}"
    parts = [places(graph, checker, names, where) for names in (measure.start, measure.stop, measure.via)]
    if not parts[0] or not parts[1] or (measure.via and not parts[2]):
        return None
    return "span=" + "-".join("+".join(f"{a:x}" for a in part) for part in parts if part)


def build_plugin(directory: Path) -> Path:
    plugin = directory / "kcount.so"
    args = ["cc", "-O2", "-shared", "-fPIC", "-o", str(plugin), str(PLUGIN)]
    done = subprocess.run(args, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InfraError(f"cannot build the counting plugin: {done.stderr.strip()[:400]}")
    return plugin


def parse_counts(text: str, number: int) -> list[Count]:
    """The plugin's lines; InfraError when there are not as many as spans."""
    lines = [line.split() for line in text.splitlines()]
    if len(lines) != number or any(len(line) != 4 or not all(w.isdigit() for w in line) for line in lines):
        raise InfraError(f"the counting plugin wrote {len(lines)} lines of counts, {number} were asked for")
    return [Count(*(int(word) for word in line)) for line in lines]


def run_once(arch: str, build: Path, load: Path, plugin: Path, arguments: list[str], out: Path) -> list[Count]:
    words = ",".join([str(plugin), *arguments, f"out={out}"])
    args = [sys.executable, "-m", "xtask", "run", "--no-build", "--no-tty", "--arch", arch]
    args += ["--build-dir", str(build), "--icount", "--timeout", str(LIMIT_S)]
    args += ["--qemu-arg=-plugin", f"--qemu-arg={words}", "--", str(load)]
    # An input that stays open and silent: its end would interrupt the guest at the host's moment.
    silent, kept = os.pipe()
    try:
        done = subprocess.run(
            args, cwd=ROOT, stdin=silent, capture_output=True, text=True, timeout=LIMIT_S + 60, check=False
        )
    finally:
        os.close(silent)
        os.close(kept)
    if done.returncode:
        raise InfraError(f"the counted run ended with status {done.returncode}: {done.stderr.strip()[-800:]}")
    if not out.is_file():
        raise InfraError("the counted run wrote no counts: did the load run to its end mark?")
    return parse_counts(out.read_text(), sum(word.startswith("span=") for word in arguments))


def measure(
    policy: HotPolicy, graph: Graph, checker: Checker, build: Path, load: Path, runs: int
) -> dict[str, Count]:
    """Every measure of the policy; one that does not count enough, or not the same twice, is a finding."""
    spans = {m.name: span(graph, checker, m) for m in policy.measures}
    wanted = [m for m in policy.measures if spans[m.name]]
    mark = places(graph, checker, (policy.mark,), "hotpath.mark")
    if not wanted or len(mark) != 1:
        return {}
    arguments = [str(spans[m.name]) for m in wanted] + [f"mark={mark[0]:x}"]
    with tempfile.TemporaryDirectory(prefix="hotpath-") as name:
        directory = Path(name)
        plugin = build_plugin(directory)
        results = [
            run_once(policy.arch, build, load, plugin, arguments, directory / f"counts-{n}") for n in range(runs)
        ]
    found = {}
    for number, each in enumerate(wanted):
        counts = [result[number] for result in results]
        judge(checker, each, counts)
        found[each.name] = counts[0]
    return found


def judge(checker: Checker, each: Measure, counts: list[Count]) -> None:
    first = counts[0]
    if any(count != first for count in counts):
        checker.report("unsteady", each.name, f"{each.name}: two runs counted {counts[0]} and {counts[1]}")
    if first.hits < each.hits:
        text = f"{each.name}: the path was taken {first.hits} times, {each.hits} are needed: it is not measured"
        checker.report("unmeasured", each.name, text)
    elif first.median > each.budget:
        text = f"{each.name}: {first.median} instructions, the budget is {each.budget}"
        checker.report("budget", f"{each.name} +{first.median - each.budget}", text)
