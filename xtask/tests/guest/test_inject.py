"""Each injected fault turns the stage that checks the property red, and its absence leaves it green."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from .conftest import ARCH, PYTHON, REPO

TABLE = REPO / "kernel/tests/inject.tbl"
BUILD_DIR = f"build/{ARCH}-inject"


def rows() -> list[tuple[str, str]]:
    lines = [line for line in TABLE.read_text().splitlines() if line.strip() and not line.startswith("#")]
    return [(name.strip(), stage.strip()) for name, stage in (line.split("|") for line in lines)]


@pytest.fixture(scope="module", autouse=True)
def inject_kernel() -> None:
    subprocess.run(
        ["make", "-s", "VARIANT=inject", f"O={BUILD_DIR}", "kernel", "user"], cwd=REPO, check=True, timeout=900
    )


def stages(report: Path, *options: str) -> tuple[int, dict[str, str]]:
    """Runs boot-stages on the inject build: exit status, and the status of each stage that was selected."""
    command = [PYTHON, "-m", "xtask", "boot-stages", "--no-build", "--variant", "inject", "--json", str(report), *options]
    done = subprocess.run(command, cwd=REPO, capture_output=True, timeout=120, check=False)
    found = json.loads(report.read_text())["stages"]
    return done.returncode, {row["id"]: row["status"] for row in found}


def test_all_green_without_injection(tmp_path: Path) -> None:
    ids = ",".join(sorted({stage for _, stage in rows()}))
    status, found = stages(tmp_path / "r.json", "--only", ids)
    assert status == 0, found


def test_there_are_at_least_twenty() -> None:
    assert len({stage for _, stage in rows()}) >= 20


@pytest.mark.parametrize(("name", "stage"), rows())
def test_fault_turns_its_stage_red(tmp_path: Path, name: str, stage: str) -> None:
    status, found = stages(tmp_path / "r.json", "--only", stage, "--append", f"inject={name}")
    assert status != 0
    assert found[stage] in ("FAIL", "TIMEOUT", "PANIC"), found
