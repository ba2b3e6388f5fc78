"""Each injected fault turns the stage that checks the property red, and its absence leaves it green.

A boot runs the one stage that belongs to its fault; all of them are run first, a few at a time.
"""

from __future__ import annotations

import json
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from xtask.build import Build

from .conftest import ARCH, PYTHON, REPO

TABLE = REPO / "kernel/tests/inject.tbl"
BUILD_DIR = f"build/{ARCH}-inject"
BOOT = [PYTHON, "-m", "xtask", "boot-stages", "--no-build", "--variant", "inject", "--build-dir", BUILD_DIR]
BOOTS_AT_ONCE = 3
ALONE = 3
PHASES = ("boot", "mm", "irq", "sched", "smp", "fs", "proc", "user")

Verdict = tuple[int, dict[str, str]]


def rows() -> list[tuple[str, str]]:
    """(name, stage) of each row."""
    lines = [line for line in TABLE.read_text().splitlines() if line.strip() and not line.startswith("#")]
    return [(name.strip(), stage.strip()) for name, stage in (line.split("|") for line in lines)]


@pytest.fixture(scope="module", autouse=True)
def inject_kernel() -> None:
    Build(ARCH, "inject", REPO / BUILD_DIR).make(["kernel", "user"])


def boot(report: Path, *options: str) -> Verdict:
    """Runs boot-stages on the inject build: exit status, and the status of each stage that was selected."""
    command = [*BOOT, "--json", str(report), *options]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, timeout=150, check=False)
    assert report.exists(), done.stderr
    found = json.loads(report.read_text())["stages"]
    return done.returncode, {row["id"]: row["status"] for row in found}


def phases() -> dict[str, str]:
    """The phase of each stage, from the list that the tool prints."""
    done = subprocess.run([*BOOT, "--list"], cwd=REPO, capture_output=True, text=True, timeout=60, check=True)
    return {line.split()[2]: line.split()[1] for line in done.stdout.splitlines()}


def sources() -> str:
    """All kernel code, for the names that it knows."""
    files = [*(REPO / "kernel").rglob("*.c"), *(REPO / "kernel").rglob("*.h")]
    return "\n".join(path.read_text(encoding="utf-8") for path in files if "tests" not in path.parts)


def test_all_green_without_injection(tmp_path: Path) -> None:
    ids = sorted({stage for _, stage in rows()})
    status, found = boot(tmp_path / "r.json", "--only", ",".join(ids))
    assert status == 0, found
    assert found == dict.fromkeys(ids, "PASS")


def test_table_is_large_and_spread() -> None:
    table = rows()
    known = phases()
    assert len({name for name, _ in table}) == len(table) >= 28
    assert len({stage for _, stage in table}) >= 24
    assert {known[stage] for _, stage in table} >= set(PHASES)


def test_names_are_in_the_kernel() -> None:
    names = set(re.findall(r'INJECT\("([^"]+)"\)', sources()))
    assert {name for name, _ in rows()} <= names


def test_never_on_the_way_in_from_user_mode() -> None:
    entry = [*(REPO / "kernel/entry").rglob("*.*"), *(REPO / "kernel/arch").glob("*/entry/**/*.*")]
    assert entry
    assert [str(path) for path in entry if "INJECT(" in path.read_text(encoding="utf-8")] == []


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory, inject_kernel: None) -> dict[str, Verdict]:
    """What became of the stage of each row with its fault injected, by the fault's name."""
    directory = tmp_path_factory.mktemp("inject")

    def broken(row: tuple[str, str]) -> Verdict:
        name, stage = row
        return boot(directory / f"{name}.json", "--only", stage, "--append", f"inject={name}")

    table = rows()
    with ThreadPoolExecutor(BOOTS_AT_ONCE) as pool:
        return {name: found for (name, _), found in zip(table, pool.map(broken, table), strict=True)}


@pytest.mark.parametrize(("name", "stage"), rows())
def test_fault_turns_its_stage_red(verdicts: dict[str, Verdict], tmp_path: Path, name: str, stage: str) -> None:
    status, found = verdicts[name]
    for again in range(ALONE):  # a stage about time gives way while the host is busy: then by itself
        if status != 0:
            break
        status, found = boot(tmp_path / f"{again}.json", "--only", stage, "--append", f"inject={name}")
    assert status != 0
    assert list(found) == [stage]
    assert found[stage] in ("FAIL", "TIMEOUT", "NOT-RUN"), found
