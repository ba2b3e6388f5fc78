"""`xtask setup [PURPOSE...]`: scripts/setup.sh, which also works where Python has no packages yet."""

from __future__ import annotations

import subprocess

from .guest.rundir import ROOT


def main(argv: list[str]) -> int:
    words = argv or ["build", "test"]
    return subprocess.run([str(ROOT / "scripts" / "setup.sh"), *words], check=False).returncode
