"""The boot-stages runner against kernels that misbehave: each mutation must be caught, and named."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from xtask.build import Build

from .conftest import ARCH, PYTHON, REPO
from .test_inject import inject_kernel  # noqa: F401  (a fixture: it builds)

STAGE = "timer_in_interrupt"
CAUGHT = {
    "missing": f"{STAGE}: missing",
    "early": "printed early",
    "duplicate": "duplicated",
    "swap": "swapped",
    "hang": "hang: no result within",
    "panic": "panic: kernel panic: injected panic",
    "reset": "triple fault",
    "nonce": "from another boot",
}


CASES = [(ARCH, name) for name in CAUGHT] + [("aarch64", name) for name in ("swap", "hang", "panic")]


@pytest.fixture(scope="module")
def aarch64_inject() -> None:
    Build("aarch64", "inject", REPO / "build/aarch64-inject").make(["kernel", "user"])


def boot(report: Path, *words: str, arch: str = ARCH) -> tuple[int, dict[str, Any], str]:
    command = [PYTHON, "-m", "xtask", "boot-stages", "--no-build", "--variant", "inject", "--arch", arch]
    command += ["--build-dir", f"build/{arch}-inject", "--json", str(report), "--smp", "2", *words]
    done = subprocess.run(command, cwd=REPO, capture_output=True, timeout=120, check=False, text=True)
    return done.returncode, json.loads(report.read_text()), done.stdout


@pytest.mark.usefixtures("aarch64_inject")
@pytest.mark.parametrize(("arch", "name"), CASES)
def test_misbehaving_runner_is_caught(tmp_path: Path, arch: str, name: str) -> None:
    started = time.monotonic()
    words = f"inject=runner.{name} inject_stage={STAGE}"
    status, record, text = boot(tmp_path / "r.json", "--from", STAGE, "--append", words, arch=arch)
    assert status != 0 and record["verdict"] != "pass"
    assert CAUGHT[name] in text, text
    if name in ("hang", "panic", "reset"):
        assert time.monotonic() - started < 5, "it took longer than the stage's deadline allows"
        assert record["counts"]["NOT-RUN"] > 0


def test_failing_stage_is_named(tmp_path: Path) -> None:
    words = f"inject=runner.fail inject_stage={STAGE}"
    status, record, text = boot(tmp_path / "r.json", "--only", STAGE, "--append", words)
    assert status == 1 and record["stages"][0]["status"] == "FAIL"
    for wanted in ("injected failure", "means:", "look:", "again:"):
        assert wanted in text


def test_hang_report_has_every_cpu(tmp_path: Path) -> None:
    words = f"inject=runner.hang inject_stage={STAGE}"
    _, _, text = boot(tmp_path / "r.json", "--only", STAGE, "--append", words)
    assert "a report was asked for" in text  # the kernel's own, by NMI
    assert "CPU 1 (seen by QEMU)" in text and "RIP=" in text
    assert "TIMEOUT stage" in text and "stages_run+0x" in text


@pytest.mark.usefixtures("aarch64_inject")
def test_hang_report_of_a_machine_without_nmi(tmp_path: Path) -> None:
    """QEMU's virt has none: registers and call chains are what QEMU sees."""
    words = f"inject=runner.hang inject_stage={STAGE}"
    _, _, text = boot(tmp_path / "r.json", "--only", STAGE, "--append", words, arch="aarch64")
    assert "CPU 0 (seen by QEMU)" in text and "CPU 1 (seen by QEMU)" in text
    assert "PC=" in text and "X29=" in text and "PSTATE=" in text
    assert "TIMEOUT stage" in text and "kernel_init+0x" in text, text  # (stages_run may be in an interrupt)
