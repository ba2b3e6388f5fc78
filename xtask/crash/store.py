"""Crash directories: .cairn/crashes/TITLE-HASH/, one for each kind of crash, with a count and how to see it again."""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..guest.rundir import state
from . import record, report, title
from .image import Image, ImageError, load, place

KEPT = 500  # directories


@dataclass(frozen=True)
class Run:
    """What a run directory says about the run: run.json."""

    command: tuple[str, ...] = ()  # that makes the same run again
    binaries: tuple[tuple[str, str], ...] = ()  # (path in the guest, on the host)
    kernel: str = ""

    def host_path(self, guest: str) -> Path | None:
        for inside, outside in self.binaries:
            if inside == guest:
                return Path(outside)
        return None


def write_run(directory: Path, run: Run) -> None:
    data = {"command": list(run.command), "binaries": dict(run.binaries), "kernel": run.kernel}
    (directory / "run.json").write_text(json.dumps(data, indent=1) + "\n")


def read_run(directory: Path) -> Run:
    try:
        data = json.loads((directory / "run.json").read_text())
        binaries = tuple((str(k), str(v)) for k, v in data.get("binaries", {}).items())
        return Run(tuple(str(word) for word in data.get("command", [])), binaries, str(data.get("kernel", "")))
    except (OSError, ValueError, AttributeError):
        return Run()


class Images:
    """ELF files, each read once."""

    def __init__(self, run: Run, binary: Path | None = None) -> None:
        self.run = run
        self.binary = binary
        self.known: dict[Path, Image | None] = {}
        self.complaints: list[str] = []

    def load(self, path: Path) -> Image | None:
        if path not in self.known:
            try:
                self.known[path] = load(path)
            except ImageError as error:
                self.known[path] = None
                self.complaints.append(str(error))
        return self.known[path]

    def of_crash(self, crash: record.Crash) -> Image | None:
        path = self.binary or self.run.host_path(crash.exe)
        image = self.load(path) if path else None
        if image is not None:
            image.bias = 0
            place(image, crash.maps, crash.exe)
        return image

    def kernel(self) -> Image | None:
        path = self.binary or (Path(self.run.kernel) if self.run.kernel else None)
        return self.load(path) if path else None


def default_base() -> Path:
    return state() / "crashes"


@contextmanager
def locked(base: Path) -> Iterator[None]:
    """One run at a time counts."""
    base.mkdir(parents=True, exist_ok=True)
    with (base / ".lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def old_count(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
        return found if isinstance(found, dict) else {}
    except (OSError, ValueError):
        return {}


def add(base: Path, called: str, key: str, text: str, event: dict[str, Any], run: Run) -> Path:
    """Counts one crash; its report and event replace the last one's. The lock is held."""
    directory = base / f"{title.slug(called)}-{key}"
    directory.mkdir(exist_ok=True)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S")
    old = old_count(directory / "crash.json")
    data = {
        "title": called,
        "hash": key,
        "count": record.number(old.get("count")) + 1,
        "first": old.get("first", stamp),
        "last": stamp,
        "command": shlex.join(run.command),
    }
    (directory / "report.txt").write_text(text, encoding="utf-8", errors="backslashreplace")
    (directory / "event.json").write_text(json.dumps(event, separators=(",", ":")) + "\n")
    temporary = directory / f".crash.{os.getpid()}"
    temporary.write_text(json.dumps(data, indent=1) + "\n")
    os.replace(temporary, directory / "crash.json")
    return directory


def prune(base: Path) -> None:
    entries = sorted((e for e in base.iterdir() if e.is_dir()), key=lambda e: e.stat().st_mtime)
    for old in entries[:-KEPT]:
        for item in old.iterdir():
            item.unlink(missing_ok=True)
        old.rmdir()


def keep(log: record.Log, images: Images, base: Path | None = None) -> list[tuple[str, Path]]:
    """Files every crash and panic of a log: (title, directory) of each, in order."""
    if not log.crashes and not log.panics:
        return []
    base = base or default_base()
    kept: list[tuple[str, Path]] = []
    with locked(base):
        for crash, event in zip(log.crashes, log.events):
            a = report.analyse(crash, images.of_crash(crash))
            kept.append((a.title, add(base, a.title, a.hash, report.text_of(a), event, images.run)))
        for panic in log.panics:
            called, key, _ = report.panic_title(panic)
            text = report.panic_text(panic, images.kernel())
            kept.append((called, add(base, called, key, text, report.panic_json(panic), images.run)))
        prune(base)
    return kept


def keep_run(directory: Path, command: Sequence[str], binaries: dict[str, str], kernel: Path) -> list[tuple[str, Path]]:
    """At the end of a run: what it was goes beside its logs, and its crashes to where they are counted."""
    run = Run(tuple(command), tuple(binaries.items()), str(kernel))
    write_run(directory, run)
    try:
        data = (directory / "events.jsonl").read_bytes()
    except OSError:
        return []
    return keep(record.read(data), Images(run))
