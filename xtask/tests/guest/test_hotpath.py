"""`xtask hotpath` on the real kernel: prints planted in a scratch copy are found, and budgets cannot be gamed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from .conftest import ARCH, BUILD, PYTHON, REPO

LIMIT_S = 300

# (file, before which line, what is planted there)
PLANTS = [
    ("kernel/core/timer.c", "void timer_dispatch(void)", """
#include <debug/klog.h>
static __noinline void plant_three(u64 n) { log_err("plant %llu", n); }
static __noinline void plant_two(u64 n) { plant_three(n); barrier(); }
static __noinline void plant_one(u64 n) { plant_two(n); barrier(); }
"""),
    ("kernel/core/timer.c", "\tspin_lock(&q->lock);\n\twhile ((n = rb_first", "\tplant_one(now);\n"),
    ("kernel/include/entry/irq.h", "/* Returns the registers of the interrupt this", """
#include <debug/klog.h>
static __always_inline void plant_inline(struct regs *regs)
{
	if (unlikely(!regs)) log_err("plant");
}
"""),
    ("kernel/include/entry/irq.h", "\tstruct regs *outer = this_cpu_read(irq_regs);\n", "\tplant_inline(regs);\n"),
    ("kernel/sched/idle.c", "static void tick(struct ktimer *t)", """
static void (*volatile plant_hook)(struct ktimer *);
"""),
    ("kernel/sched/idle.c", "\tsched_tick(regs &&", "\tplant_hook(t);\n"),
    ("kernel/sched/waitq.c", "\tthread_wake(s->thread);\n", '\tlog_err("plant");\n'),
    ("kernel/sched/waitq.c", "static void sleep_over(struct ktimer *timer)", "#include <debug/klog.h>\n"),
    ("kernel/arch/x86_64/entry/exceptions.S", "\t.type interrupt_common, @function", """
	.type plant_asm, @function
plant_asm:
	xorl %edi, %edi
	jmp klog
	.size plant_asm, . - plant_asm
"""),
    ("kernel/arch/x86_64/entry/exceptions.S", "\tcall interrupt_dispatch\n", "\tcall plant_asm\n"),
]  # fmt: skip

EXPECTED = {
    "three calls below": r"interrupt_dispatch timer_dispatch plant_one plant_two plant_three klog",
    "inline function": r"interrupt_common interrupt_dispatch( irq_enter)? plant_inline klog",
    "declared pointer": r"timer_dispatch( \w+)? sleep_over klog",
    "assembly, tail call": r"interrupt_common plant_asm klog",
}


@dataclass(frozen=True)
class Scratch:
    directory: Path
    build: str

    def hotpath(self, *options: str) -> tuple[int, str, str]:
        command = [PYTHON, "-m", "xtask", "hotpath", "--no-build", "--build-dir", self.build, *options]
        done = subprocess.run(
            command, cwd=self.directory, capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
        return done.returncode, done.stdout, done.stderr


def plant(directory: Path) -> None:
    for name, before, text in PLANTS:
        path = directory / name
        old = path.read_text()
        assert old.count(before) >= 1, f"{name} has no line {before!r} any longer"
        path.write_text(old.replace(before, text + before, 1))


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory, built: None) -> Scratch:
    """A copy of tree and build with everything planted, built again: only what changed is compiled."""
    directory = tmp_path_factory.mktemp("planted")
    for name in ("kernel", "userspace", "xtask", "scripts", "policy"):
        shutil.copytree(REPO / name, directory / name, symlinks=True)
    for name in ("Makefile", "policy.toml"):
        shutil.copy2(REPO / name, directory / name)
    build = f"build/{(REPO / BUILD).name}"
    shutil.copytree(REPO / BUILD, directory / build, symlinks=True)
    plant(directory)
    args = ["make", "-s", "-j2", f"O={build}", f"ARCH={ARCH}", "kernel"]
    done = subprocess.run(args, cwd=directory, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return Scratch(directory, build)


def test_planted_prints_are_red(scratch: Scratch) -> None:
    status, out, err = scratch.hotpath("--static", "--json")
    assert status == 1, err
    findings: list[dict[str, Any]] = json.loads(out)["findings"]
    paths = {
        " ".join(line["function"] for line in finding["path"]): finding
        for finding in findings
        if finding["subject"] == "interrupt -> klog"
    }
    for what, pattern in EXPECTED.items():
        matching = [finding for path, finding in paths.items() if re.search(pattern, path)]
        assert matching, f"{what}: no path like {pattern!r} among {sorted(paths)}"
        assert all(re.match(r"kernel/\S+:\d+$", line["place"]) for line in matching[0]["path"]), matching[0]
    undeclared = [f for f in findings if f["kind"] == "pointer" and f["subject"] == "interrupt -> pointer in tick"]
    assert undeclared and undeclared[0]["path"][-1]["function"] == "tick"


def test_planted_path_is_printed(scratch: Scratch) -> None:
    status, out, _ = scratch.hotpath("--static")
    assert status == 1
    steps = [line.split() for line in out.splitlines() if line.startswith("    plant_")]
    assert ["plant_two", "kernel/core/timer.c:" + str(line_of(scratch, "plant_two(u64 n) {"))] in steps


def line_of(scratch: Scratch, text: str) -> int:
    lines = (scratch.directory / "kernel/core/timer.c").read_text().splitlines()
    return next(number for number, line in enumerate(lines, start=1) if text in line)


def test_path_that_is_not_taken_is_not_measured(tmp_path: Path) -> None:
    """A budget is met only by what ran: here the null call is one that the load never makes."""
    text = (REPO / "policy.toml").read_text()
    assert 'via = ["sys_getppid"]' in text
    gamed = tmp_path / "policy.toml"
    gamed.write_text(text.replace('via = ["sys_getppid"]', 'via = ["sys_mlockall"]'))
    command = [PYTHON, "-m", "xtask", "hotpath", "--build-dir", str(BUILD), "--policy", str(gamed), "--json"]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 1, done.stderr
    result = json.loads(done.stdout)
    assert "unmeasured" in [f["kind"] for f in result["findings"] if f["subject"] == "null_syscall"]
    assert "unsteady" not in [f["kind"] for f in result["findings"]]
    counts = result["measures"]
    assert counts.pop("null_syscall")["hits"] == 0
    assert set(counts) == {"tick", "page_fault", "switch"}
    for name, count in counts.items():
        assert count["hits"] > 0 and 0 < count["least"] <= count["median"] <= count["most"], name


def test_missing_budget_is_refused(tmp_path: Path) -> None:
    text, count = re.subn(r'(name = "tick"(?:\n\w+ = .*)*?)\nbudget = \d+', r"\1", (REPO / "policy.toml").read_text())
    assert count >= 1  # one for each port
    lax = tmp_path / "policy.toml"
    lax.write_text(text)
    command = [PYTHON, "-m", "xtask", "hotpath", "--no-build", "--static", "--policy", str(lax)]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 2 and "budget is missing" in done.stderr
    assert "Traceback" not in done.stderr
