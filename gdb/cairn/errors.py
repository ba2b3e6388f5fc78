"""What the commands raise. The framework turns every exception into one line; nothing shows a traceback."""

from __future__ import annotations


class CairnError(Exception):
    """Something asked for is wrong, or something in the kernel's memory is: the text names it."""


class Unreadable(CairnError):
    """Memory that is not there."""

    def __init__(self, addr: int, what: str) -> None:
        super().__init__(f"{what}: cannot read {addr:#x}")
        self.addr = addr
