"""Where `--strace` writes: stderr, or the file of -o."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TextIO

from ..guest.events import Event
from ..guest.machine import UsageError
from ..guest.rundir import ROOT
from .strace import Strace

TABLE = ROOT / "kernel" / "syscall" / "syscalls.tbl"


class Tracer:
    """Writes the lines of a run as they come."""

    def __init__(self, strace: Strace, stream: TextIO, end: str) -> None:
        self.strace = strace
        self.stream = stream
        self.end = end

    @staticmethod
    def create(arch: str, path: Path | None, raw_terminal: bool) -> Tracer:
        strace = Strace.load(TABLE, arch)
        if path is None:
            return Tracer(strace, sys.stderr, "\r\n" if raw_terminal else "\n")
        try:
            return Tracer(strace, open(path, "w", encoding="ascii"), "\n")
        except OSError as error:
            raise UsageError(f"-o: {error}") from error

    def write(self, lines: list[str]) -> None:
        for line in lines:
            self.stream.write(line + self.end)
        if lines:
            self.stream.flush()

    def event(self, event: Event) -> None:
        self.write(self.strace.feed(event))

    def close(self) -> None:
        self.write(self.strace.finish())
        if self.stream is not sys.stderr:
            self.stream.close()
