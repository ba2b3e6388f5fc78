"""A tool whose reader has seen enough (`| head -1`) ends without a word, as other commands do."""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Callable

CLOSED = 128 + signal.SIGPIPE


def reader_gone() -> bool:
    """Whether stdout is a pipe that nobody reads: other pipes and sockets break too, and that is no quiet end."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    return any(events & (select.POLLERR | select.POLLHUP) for _, events in poll.poll(0))


def quietly(main: Callable[[list[str]], int], argv: list[str]) -> int:
    """main(argv), and all that it printed is out; CLOSED when it could not be, because stdout's reader is gone."""
    try:
        try:
            return main(argv)
        finally:
            if sys.stdout:  # None when it was closed from the start
                sys.stdout.flush()
    except BrokenPipeError:
        if not reader_gone():
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush when Python ends
        return CLOSED
