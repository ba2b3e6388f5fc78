"""What make builds, and where it lies."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .guest.rundir import ROOT


class BuildError(Exception):
    """make failed, or something it should have made is not there: exit code 125."""


def without_make(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment for a make of our own: what the make above us says to its children is not for it (a job
    server whose pipes are not handed on). Variables of its command line stay, as make exports them."""
    return {name: value for name, value in environment.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}


@dataclass(frozen=True)
class Build:
    """One configuration of the kernel."""

    arch: str
    variant: str = "release"
    out: Path | None = None

    @property
    def directory(self) -> Path:
        if self.out:
            return self.out
        suffix = "" if self.variant == "release" else f"-{self.variant}"
        given = os.environ.get("O")  # as make exports it
        if given:
            own = self.variant == os.environ.get("VARIANT", "release")
            return ROOT / (given if own else given + suffix)
        return ROOT / "build" / f"{self.arch}{suffix}"

    @property
    def kernel(self) -> Path:
        return self.directory / "cairn.elf"

    def user(self, name: str) -> Path:
        return self.directory / "user" / name

    @contextmanager
    def alone(self) -> Iterator[None]:
        """One tool at a time builds in a directory: two would write the same objects."""
        self.directory.mkdir(parents=True, exist_ok=True)
        with open(self.directory / "lock", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def make(self, targets: list[str], quiet: bool = True) -> None:
        """Builds the targets. make's words go to stderr: stdout is for results."""
        args = ["make", "--no-print-directory", f"-j{os.cpu_count() or 1}"]
        # said as people say it, or make would see other flags and other targets
        targets = [target.removeprefix(f"{ROOT}/") for target in targets]
        place = str(self.directory).removeprefix(f"{ROOT}/")
        args += [f"O={place}", f"ARCH={self.arch}", f"VARIANT={self.variant}", *targets]
        with self.alone():
            done = subprocess.run(
                args,
                cwd=ROOT,
                env=without_make(os.environ),
                stdout=subprocess.PIPE if quiet else sys.stderr,
                check=False,
                text=True,
            )
        if done.returncode:
            if quiet and done.stdout:
                print(done.stdout, end="", file=sys.stderr)
            raise BuildError(f"make {' '.join(targets)} failed with status {done.returncode}")

    def require(self, *paths: Path) -> None:
        for path in paths:
            if not path.is_file():
                raise BuildError(f"{path} is not there (build it with make, or leave out --no-build)")
