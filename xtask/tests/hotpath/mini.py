"""A kernel of a few lines with one hot path, built and linked as the real one is, and the gate's verdict on it."""

from __future__ import annotations

import subprocess
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...hotpath import policy as tables
from ...hotpath.check import Checker, EntryResult, Finding
from ...hotpath.graph import Graph
from ...hotpath.image import Image
from ...hotpath.isa import X86
from ...hotpath.report import Sources, finding_text

FLAGS = (
    "-O2 -g -std=gnu11 -ffreestanding -fno-pic -mcmodel=kernel -mno-red-zone -fno-optimize-sibling-calls "
    "-ffunction-sections -fno-asynchronous-unwind-tables -fcf-protection=none -fno-stack-protector"
).split()

HEADER = """
#define noinline __attribute__((noinline))
void klog(const char *text);
void hot(int n);
void step_one(int n);
"""

# entry (assembly) -> hot -> step_one -> step_two; klog is what nobody may reach.
SOURCES = {
    "kernel/include/mini.h": HEADER,
    "kernel/debug/klog.c": '#include "mini.h"\nvolatile int log;\nvoid klog(const char *text) { log = *text; }\n',
    "kernel/entry/hot.c": '#include "mini.h"\nvoid hot(int n) { step_one(n); }\n',
    "kernel/core/steps.c": """
#include "mini.h"
volatile int sink;
static noinline void step_two(int n) { sink = n; /* two */ }
noinline void step_one(int n) { step_two(n); /* one */ sink++; }
void cold(int n) { klog("cold"); }
""",
    "kernel/arch/mini/entry.S": """
	.text
	.globl entry
	.type entry, @function
entry:
	pushq %rdi
	call hot /* asm */
	popq %rdi
	iretq
	.size entry, . - entry
	.section .note.GNU-stack, "", @progbits
""",
}

POLICY = """
[hotpath]
tier = ["kernel/entry/", "kernel/arch/mini/"]
growth_percent = 3
mark = "cold"
[hotpath.forbidden.print]
why = "it prints, slowly"
files = ["kernel/debug/klog.c"]
[[hotpath.entry]]
name = "entry"
roots = ["entry"]
stack = 256
why = "the only way into this kernel"
[[hotpath.measure]]
name = "entry"
from = ["entry"]
to = ["entry:iretq"]
budget = 100
hits = 1
why = "needed for the form of the file"
"""


COMPILED: dict[tuple[str, ...], list[bytes]] = {}


def run(directory: Path, *args: str) -> None:
    subprocess.run(args, cwd=directory, check=True, timeout=60)


@dataclass
class Verdict:
    checker: Checker
    results: list[EntryResult]
    directory: Path
    policy: tables.HotPolicy
    graph: Graph

    @property
    def findings(self) -> list[Finding]:
        return self.checker.findings

    def kinds(self) -> list[str]:
        return [finding.kind for finding in self.findings]

    def only(self, kind: str) -> Finding:
        assert self.kinds() == [kind], [(f.kind, f.text) for f in self.findings]
        return self.findings[0]

    def path(self, finding: Finding) -> list[str]:
        """What is printed: `function place`, from the entry on."""
        text = finding_text(Sources(self.directory / "build/cairn.elf", "x86_64"), finding, None)
        return [" ".join(line.split()) for line in text.splitlines() if line.startswith("    ")]


@dataclass
class Mini:
    """The sources, to be changed by a test, and how they are built."""

    directory: Path
    sources: dict[str, str] = field(default_factory=lambda: dict(SOURCES))
    policy: str = POLICY
    flags: dict[str, list[str]] = field(default_factory=dict)

    def change(self, name: str, old: str, new: str) -> None:
        assert old in self.sources[name]
        self.sources[name] = self.sources[name].replace(old, new)

    def build(self) -> None:
        objects = []
        for name, text in self.sources.items():
            path = self.directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        for name in self.sources:
            if name.endswith((".c", ".S")):
                objects.append(self.compile(name))
        link = ["ld", "-static", "-nostdlib", "-z", "noexecstack", "-e", "entry", "-Ttext=0xffffffff80200000"]
        run(self.directory, *link, "-Map=build/cairn.map", *objects, "-o", "build/cairn.elf")

    def compile(self, name: str) -> str:
        """Compiled once for all tests: most of a kernel is the same in each."""
        target = self.directory / f"build/{name}.o"
        target.parent.mkdir(parents=True, exist_ok=True)
        results = [target] + ([target.with_suffix(".ci")] if name.endswith(".c") else [])
        headers = [text for file, text in self.sources.items() if file.endswith(".h")]
        key = (name, self.sources[name], *headers, *self.flags.get(name, []))
        if key not in COMPILED:
            graph = ["-fcallgraph-info=su"] if name.endswith(".c") else []
            args = [*FLAGS, *graph, *self.flags.get(name, []), "-Ikernel/include", "-c", name]
            run(self.directory, "gcc", *args, "-o", f"build/{name}.o")
            COMPILED[key] = [result.read_bytes() for result in results]
        for result, data in zip(results, COMPILED[key]):
            result.write_bytes(data)
        return f"build/{name}.o"

    def load(self) -> tuple[Graph, tables.HotPolicy]:
        image = Image.load(self.directory / "build/cairn.elf", self.directory / "build/cairn.map")
        document: dict[str, Any] = tomllib.loads(self.policy)
        return Graph(image, X86(), self.directory), tables.parse(document, "x86_64")

    def check(self) -> Verdict:
        self.build()
        graph, tables = self.load()
        checker = Checker(graph, tables)
        return Verdict(checker, checker.run(), self.directory, tables, graph)
