"""`xtask gen WHAT IN OUT [--arch ARCH]`: one generated file from one table.

Runs in every build, so it imports nothing that is slow. A table with mistakes is reported as
file:line: text, all of them at once, and ends with exit code 2.
"""

from __future__ import annotations

import importlib
import os
import sys

from .. import exitcodes
from .table import TableError

KINDS = {
    "stages": "xtask.gen.stages",
    "syscalls": "xtask.gen.syscalls",
    "capture": "xtask.gen.capture",
    "events": "xtask.gen.events",
    "symbols": "xtask.gen.symbols",
    "font": "xtask.gen.font",
}
ARCHES = ("x86_64", "aarch64", "vkernel")
USAGE = f"usage: xtask gen {'|'.join(KINDS)} IN OUT [--arch {'|'.join(ARCHES)}]"


def write_output(path: str, text: str) -> None:
    """Writes text at path, by way of a temporary file, so that a broken build leaves no half file."""
    directory = os.path.dirname(path)
    if directory:
        os.makedirs(directory, exist_ok=True)
    temporary = f"{path}.{os.getpid()}.tmp"
    with open(temporary, "w", encoding="ascii") as out:
        out.write(text)
    os.replace(temporary, path)


def no_more(text: str, source: str, arch: str) -> dict[str, str]:
    """Most tables make one file."""
    del text, source, arch
    return {}


def parse(argv: list[str]) -> tuple[str, str, str, str] | None:
    words: list[str] = []
    arch = "x86_64"
    rest = iter(argv)
    for word in rest:
        if word == "--arch":
            arch = next(rest, "")
        elif word.startswith("--arch="):
            arch = word[len("--arch=") :]
        elif word.startswith("-"):
            return None
        else:
            words.append(word)
    if len(words) != 3 or words[0] not in KINDS or arch not in ARCHES:
        return None
    return words[0], words[1], words[2], arch


def main(argv: list[str]) -> int:
    parsed = parse(argv)
    if parsed is None:
        print(USAGE, file=sys.stderr)
        return exitcodes.USAGE
    kind, source, target, arch = parsed
    try:
        with open(source, encoding="utf-8") as stream:
            text = stream.read()
        module = importlib.import_module(KINDS[kind])
        for name, more in getattr(module, "generate_beside", no_more)(text, source, arch).items():
            write_output(os.path.join(os.path.dirname(target), name), more)
        write_output(target, module.generate(text, source, arch))
    except TableError as error:
        print(error, file=sys.stderr)
        return exitcodes.USAGE
    except (OSError, UnicodeError) as error:
        print(f"xtask gen: {error}", file=sys.stderr)
        return exitcodes.USAGE
    return exitcodes.OK
