"""A scratch copy of the tree, in which a document's seeded bug is built and run; the tree itself stays as it is.

The copy lives in build/ and is kept: a bug costs the compilation of the files it touches, twice."""

from __future__ import annotations

import filecmp
import fcntl
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .facts import tracked

PLACE = Path("build/docs-scratch")


def refresh(root: Path, copy: Path) -> None:
    """Makes the copy equal to the tree; files that did not change keep their time, and so their objects."""
    wanted = {path.relative_to(root) for path in tracked(root)}
    for name in wanted:
        source, target = root / name, copy / name
        if source.is_symlink():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            target.symlink_to(source.readlink())
        elif not target.is_file() or not filecmp.cmp(source, target, shallow=False):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
            shutil.copymode(source, target)
    if not (copy / ".git").exists():
        subprocess.run(["git", "init", "-q", str(copy)], check=True)
    for path in tracked(copy):
        if path.relative_to(copy) not in wanted:
            path.unlink()


@contextmanager
def with_bug(root: Path, patch: Path) -> Iterator[Path]:
    """The scratch copy with this patch applied; one user at a time. Raises ValueError when it does not apply."""
    copy = root / PLACE
    copy.mkdir(parents=True, exist_ok=True)
    with open(copy.with_suffix(".lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        refresh(root, copy)
        done = subprocess.run(
            ["git", "apply", "--whitespace=nowarn", str(patch)], cwd=copy, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise ValueError(f"{patch.name} does not apply: {done.stderr.strip()}")
        yield copy
