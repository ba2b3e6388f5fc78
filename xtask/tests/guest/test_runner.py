"""The boot-stages runner against kernels that misbehave: each mutation must be caught, and named."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from .conftest import PYTHON, REPO
from .test_inject import BUILD_DIR, inject_kernel  # noqa: F401  (a fixture: it builds)

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


def boot(report: Path, *words: str) -> tuple[int, dict[str, Any], str]:
    command = [PYTHON, "-m", "xtask", "boot-stages", "--no-build", "--variant", "inject", "--build-dir", BUILD_DIR]
    command += ["--json", str(report), "--smp", "2", *words]
    done = subprocess.run(command, cwd=REPO, capture_output=True, timeout=120, check=False, text=True)
    return done.returncode, json.loads(report.read_text()), done.stdout


@pytest.mark.parametrize("name", CAUGHT)
def test_misbehaving_runner_is_caught(tmp_path: Path, name: str) -> None:
    started = time.monotonic()
    words = f"inject=runner.{name} inject_stage={STAGE}"
    status, record, text = boot(tmp_path / "r.json", "--from", STAGE, "--append", words)
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
