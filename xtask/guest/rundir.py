"""Run directories: .cairn/runs/TIMESTAMP-PID-N, one for each guest ever started, and `latest` beside them."""

from __future__ import annotations

import itertools
import os
import shutil
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
KEPT = 200
_counter = itertools.count(1)


def state() -> Path:
    """Where the kit keeps runs, crashes and debugging sessions. CAIRN_STATE names another place than .cairn."""
    return Path(os.environ.get("CAIRN_STATE") or ROOT / ".cairn")


def default_base() -> Path:
    return state() / "runs"


def owner_alive(name: str) -> bool:
    """Whether the process that made a run directory still is there."""
    parts = name.split("-")
    return len(parts) == 4 and Path(f"/proc/{parts[2]}").exists()


def prune(base: Path, keep: int = KEPT) -> None:
    """Removes the oldest runs beyond keep, never one whose maker still runs."""
    names = sorted(entry.name for entry in base.iterdir() if entry.is_dir() and not entry.is_symlink())
    for name in names[:-keep] if keep else names:
        if not owner_alive(name):
            shutil.rmtree(base / name, ignore_errors=True)


def create(base: Path | None = None) -> Path:
    """Makes a directory for one run and points `latest` to it."""
    base = base or default_base()
    base.mkdir(parents=True, exist_ok=True)
    prune(base)
    stamp = time.strftime("%Y%m%d-%H%M%S")
    while True:
        path = base / f"{stamp}-{os.getpid()}-{next(_counter)}"
        try:
            path.mkdir()
            break
        except FileExistsError:
            continue
    link = base / f".latest.{os.getpid()}"
    link.unlink(missing_ok=True)
    link.symlink_to(path.name)
    os.replace(link, base / "latest")
    return path
