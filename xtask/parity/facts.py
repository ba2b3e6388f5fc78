"""Gathers what each port is: its rows of the tables, the symbols of its image, what its stages did."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from ..build import Build, BuildError
from ..gen import stages as stage_table
from ..gen import syscalls as syscall_table
from ..gen.stages import Stage
from ..gen.syscalls import Syscall
from ..gen.table import table_lines
from . import abi, image, userptr

PORTS = ("x86_64", "aarch64")
REASONS = Path("kernel/init/parity.tbl")
BOOT_LIMIT_S = 300


@dataclass(frozen=True)
class Port:
    name: str
    symbols: dict[str, str]  # symbol → source file
    inlined: frozenset[str]  # functions that the port's own headers define
    results: dict[str, str]  # stage → PASS, FAIL, SKIP, ...
    linux: dict[str, int]  # call → number


@dataclass(frozen=True)
class Reason:
    """Why a stage is on one port only, or ends differently on one: `stage | its like on the other port, or - | why`; or
    why one lacks a function of the contract: `FUNCTION() | - | why`; or why a user address becomes a pointer:
    `FILE:FUNCTION | - | why`."""

    line: int
    what: str
    like: str
    why: str


@dataclass(frozen=True)
class Facts:
    ports: tuple[Port, ...]
    stages: tuple[Stage, ...]  # all rows, of every port
    syscalls: tuple[Syscall, ...]
    reasons: dict[str, Reason]
    contract: dict[str, list[str]]  # header of kernel/include/arch → functions
    uses: tuple[userptr.Use, ...]
    casts: tuple[userptr.Cast, ...]
    checks: tuple[tuple[str, str, str], ...]  # primitive, file, what checks the address in it


def parse_reasons(text: str) -> dict[str, Reason]:
    """Raises ValueError for a row that is none."""
    out: dict[str, Reason] = {}
    for line, row in table_lines(text):
        fields = [field.strip() for field in row.split("|")]
        if len(fields) != 3 or not all(fields) or fields[0] in out:
            raise ValueError(f"{REASONS}:{line}: not `what | its like or - | why`, or there twice")
        out[fields[0]] = Reason(line, *fields)
    return out


def boot(root: Path, build: Build) -> dict[str, str]:
    """What each stage of the port ended with, with four CPUs: as `make test-stages` left it for this very kernel, or
    of a boot made now. BuildError when there is no result."""
    result = build.directory / "stages.json"
    if not result.is_file() or result.stat().st_mtime < build.kernel.stat().st_mtime:
        args = ["/usr/bin/python3", "-m", "xtask", "boot-stages", "--arch", build.arch, "--smp", "4"]
        args += ["--json", str(result)]
        subprocess.run(args, cwd=root, stdout=subprocess.DEVNULL, check=False, timeout=BOOT_LIMIT_S)
    try:
        record = json.loads(result.read_text())
        return {stage["id"]: stage["status"] for stage in record["stages"]}
    except (OSError, ValueError, KeyError) as error:
        raise BuildError(f"boot-stages --arch {build.arch} gave no result") from error


def gather_port(root: Path, port: str) -> Port:
    build = Build(port)
    print(f"parity: building {port}, looking at its boot", file=sys.stderr)
    build.make(["kernel", "user"])
    results = boot(root, build)
    symbols = image.symbols((build.directory / "cairn.map").read_text())
    return Port(port, symbols, inline_functions(root, port), results, abi.linux_numbers(port))


def inline_functions(root: Path, port: str) -> frozenset[str]:
    headers = (root / "kernel/arch" / port / "include/asm").glob("*.h")
    return frozenset(name for path in headers for name, _, _ in userptr.functions(path.read_text()))


def kernel_files(root: Path) -> list[str]:
    """C files and headers of the kernel without its tests."""
    names = [str(path.relative_to(root)) for path in sorted((root / "kernel").rglob("*.[ch]"))]
    return [name for name in names if "/tests/" not in name and "/ktest/" not in name]


def all_stages(text: str) -> list[Stage]:
    """Every port's rows, once each."""
    tables = [stage_table.parse(text, "kernel/init/stages.tbl", port) for port in PORTS]
    return list({stage.id: stage for table in tables for stage in table}.values())


def gather(root: Path) -> Facts:
    stages = (root / "kernel/init/stages.tbl").read_text()
    calls = (root / "kernel/syscall/syscalls.tbl").read_text()
    sources = {name: (root / name).read_text() for name in kernel_files(root)}
    headers = sorted((root / "kernel/include/arch").glob("*.h"))
    return Facts(
        ports=tuple(gather_port(root, port) for port in PORTS),
        stages=tuple(all_stages(stages)),
        syscalls=tuple(syscall_table.parse(calls, "kernel/syscall/syscalls.tbl")),
        reasons=parse_reasons((root / REASONS).read_text()),
        contract={path.name: image.declared(path.read_text()) for path in headers},
        uses=tuple(use for name, text in sources.items() for use in userptr.uses(name, text)),
        casts=tuple(cast for name, text in sources.items() for cast in userptr.casts(name, text)),
        checks=tuple(
            (primitive, name, check)
            for name, text in sources.items()
            for primitive, check in userptr.checked_by(text).items()
        ),
    )
