"""A session's transcript as a shell script that does it again. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any, Protocol


class Entry(Protocol):
    """As verbs.Entry."""

    verb: str
    text: str
    timeout_s: float
    reply: dict[str, Any]


HEAD = """#!/bin/sh
# The transcript of a GDB session. It starts another one (its name is the first argument) and repeats the commands;
# after each, as a comment, what the reply was. Breakpoints make it repeat exactly; what was stopped by `interrupt`
# stops where it happens to be.
set -u
gdb_session=${GDB_SESSION:-scripts/gdb_session.sh}
"""


def comment(reply: dict[str, Any]) -> str:
    words = [f"# [{reply.get('seq', '?')}]"]
    words += [str(reply[key]) for key in ("status", "stop_reason", "pc", "where") if reply.get(key)]
    return " ".join(words).replace("\n", " ")


def line_of(entry: Entry) -> str:
    if entry.verb == "attach":
        return "# A person was attached from here on: what they typed is not in this script."
    words = [entry.verb, "--timeout", f"{entry.timeout_s:g}", '"$name"']
    line = " ".join(['"$gdb_session"', words[0], "--name", words[3], *words[1:3]])
    return f"{line} -- {shlex.quote(entry.text)}" if entry.verb == "cmd" else line


def script(name: str, argv: Sequence[str], opened: dict[str, Any], entries: Sequence[Entry]) -> str:
    lines = [HEAD + f"name=${{1:-{name}-replay}}", ""]
    lines += [f'"$gdb_session" start --name "$name" {shlex.join(argv)} || exit'.replace("  ", " ")]
    lines += [comment(opened)]
    for entry in entries:
        lines += [line_of(entry), comment(entry.reply)]
    lines += ['"$gdb_session" stop --name "$name"', ""]
    return "\n".join(lines)
