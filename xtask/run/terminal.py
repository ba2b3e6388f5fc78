"""The host's terminal in raw mode while the guest's console has it."""

from __future__ import annotations

import sys
import termios
import tty
from types import TracebackType
from typing import Any


class RawTerminal:
    """`with RawTerminal(fd):` keys go to the guest unchanged; the old state comes back on every way out."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.saved: list[Any] | None = None

    def __enter__(self) -> RawTerminal:
        try:
            self.saved = termios.tcgetattr(self.fd)
        except termios.error:
            return self
        tty.setraw(self.fd, termios.TCSANOW)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.saved is not None:
            termios.tcsetattr(self.fd, termios.TCSADRAIN, self.saved)


def hint() -> None:
    print("[cairn] Ctrl-A X leaves; Ctrl-A Ctrl-A sends Ctrl-A\r", file=sys.stderr)
