"""Guest tests: programs run in the kernel, through `xtask run` as a user would, and compared with the host.

They need a built kernel; O names the build directory (default: build/x86_64).
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from xtask.build import Build

REPO = Path(__file__).resolve().parents[3]
PYTHON = "/usr/bin/python3"
ARCH = "x86_64"
BUILD = Path(os.environ.get("O", f"build/{ARCH}"))
AARCH64_BUILD = REPO / os.environ.get("O_AARCH64", "build/aarch64")
LIMIT_S = 120


@dataclass(frozen=True)
class Result:
    status: int
    out: bytes
    err: bytes

    def explain(self) -> str:
        err = self.err.decode(errors="replace")[-3000:]
        return f"status {self.status}\nstdout: {self.out[-2000:]!r}\nstderr: {err}"


Runner = Callable[..., Result]


def run_in_guest(
    program: Sequence[str], *options: str, stdin: bytes = b"", limit_s: int = LIMIT_S, arch: str = ARCH
) -> Result:
    """`xtask run OPTIONS -- PROGRAM`, with the kernel as it is built now."""
    port = ["--arch", arch, "--build-dir", str(AARCH64_BUILD)] if arch != ARCH else []
    command = [PYTHON, "-m", "xtask", "run", "--no-build", "--timeout", str(limit_s), *port, *options, "--", *program]
    done = subprocess.run(
        command, cwd=REPO, input=stdin, capture_output=True, timeout=limit_s + 30, check=False
    )
    return Result(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="session", autouse=True)
def built() -> None:
    """The kernel and the programs; what cannot be built fails every test here."""
    Build(ARCH, out=REPO / BUILD).make(["kernel", "user", "programs"])


@pytest.fixture(scope="session")
def aarch64() -> Path:
    """The same of the second port; where it is."""
    Build("aarch64", out=AARCH64_BUILD).make(["kernel", "user", "programs"])
    return AARCH64_BUILD


@pytest.fixture
def guest() -> Runner:
    return run_in_guest


@pytest.fixture
def program() -> Callable[[str], str]:
    return lambda name: str(REPO / BUILD / "user" / name)
