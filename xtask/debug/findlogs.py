"""find-in-logs: a pattern in the logs that runs left behind, by run and by stage.

Each hit is `run/file:line: text`. Exit codes: 0 found, 1 not found, 2 usage."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .. import exitcodes
from ..guest import rundir

FILES = ("serial.log", "events.jsonl", "qemu.stderr")


@dataclass(frozen=True)
class Hit:
    run: str
    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.run}/{self.file}:{self.line}: {self.text}"


def parse_index(text: str) -> list[tuple[str, int]]:
    """stages.index: the id of a stage, and how long the serial log was when it began."""
    rows = [line.split() for line in text.splitlines()]
    return [(row[0], int(row[1])) for row in rows if len(row) == 2 and row[1].isdecimal()]


def stage_range(index: list[tuple[str, int]], stage: str, size: int) -> tuple[int, int] | None:
    """Bytes of the serial log that were written while a stage ran."""
    for place, (name, start) in enumerate(index):
        if name == stage:
            return start, index[place + 1][1] if place + 1 < len(index) else size
    return None


def search(data: bytes, pattern: re.Pattern[bytes], first: int, last: int) -> Iterator[tuple[int, str]]:
    """Line number and text of each line within [first, last) that matches."""
    start = data.rfind(b"\n", 0, first) + 1
    number = data.count(b"\n", 0, start) + 1
    for line in data[start:last].split(b"\n"):
        if pattern.search(line):
            yield number, line.decode("utf-8", "replace").rstrip("\r")
        number += 1


def search_run(run: Path, pattern: re.Pattern[bytes], files: list[str], stage: str | None) -> Iterator[Hit]:
    for name in files:
        path = run / name
        if not path.is_file():
            continue
        data = path.read_bytes()
        first, last = 0, len(data)
        if stage is not None:
            index = run / "stages.index"
            found = stage_range(parse_index(index.read_text()), stage, len(data)) if index.is_file() else None
            if found is None:
                continue
            first, last = found
        for number, text in search(data, pattern, first, last):
            yield Hit(run.name, name, number, text)


def runs_of(base: Path, wanted: list[str]) -> list[Path]:
    """Run directories, oldest first; wanted: names, starts of names, or `latest`."""
    if not base.is_dir():
        return []
    everything = sorted(entry for entry in base.iterdir() if entry.is_dir() and not entry.is_symlink())
    if not wanted:
        return everything
    latest = (base / "latest").resolve().name
    names = [latest if word == "latest" else word for word in wanted]
    return [entry for entry in everything if any(entry.name.startswith(name) for name in names)]


def parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="find-in-logs", description=__doc__)
    parser.add_argument("pattern", metavar="PATTERN", help="a plain text")
    parser.add_argument("-e", "--regex", action="store_true", help="PATTERN is a regular expression")
    parser.add_argument("-i", "--ignore-case", action="store_true")
    parser.add_argument("--run", action="append", default=[], metavar="RUN", help="a run's name, or latest")
    parser.add_argument("--stage", metavar="ID", help="only what was logged while this stage ran")
    parser.add_argument("--file", action="append", choices=FILES, help="which log (all)")
    parser.add_argument("--logs", type=Path, default=None, metavar="DIR", help="as given to --keep-logs")
    parser.add_argument("-l", "--list", action="store_true", help="only the names of runs that match")
    return parser.parse_args(argv)


def main(argv: list[str]) -> int:
    options = parse(argv)
    text = options.pattern if options.regex else re.escape(options.pattern)
    try:
        pattern = re.compile(text.encode(), re.IGNORECASE if options.ignore_case else 0)
    except re.error as error:
        print(f"find-in-logs: {options.pattern!r}: {error}", file=sys.stderr)
        return exitcodes.USAGE
    files = options.file or (["serial.log"] if options.stage else list(FILES))
    if options.stage and files != ["serial.log"]:
        print("find-in-logs: --stage goes with the serial log", file=sys.stderr)
        return exitcodes.USAGE
    found = False
    for run in runs_of(options.logs or rundir.default_base(), options.run):
        for hit in search_run(run, pattern, files, options.stage):
            found = True
            print(run.name if options.list else hit)
            if options.list:
                break
    return exitcodes.OK if found else exitcodes.FAILED
