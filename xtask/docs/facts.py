"""Gathers from the tree what documents may name."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from pathlib import Path

from ..__main__ import COMMANDS
from ..gen.table import table_lines
from .references import OPTION, Facts

SOURCES = (".c", ".h", ".S", ".py", ".sh", ".ld", ".mk", ".tbl")
IDENTIFIER = re.compile(r"[A-Za-z_]\w*")
TARGET = re.compile(r"^((?:[a-z][a-z-]* ?)+):(?!=)", re.MULTILINE)
GDB_NAME = re.compile(r"""^\s+(?:name|NAME)(?:: [\w.\[\]]+)? = ["']([a-z][a-z-]*)["']|@command\(\s*["']([a-z][a-z-]*)["']""", re.M)
CATEGORY = re.compile(r"\bX\([A-Z]+, ([a-z]+)\)")


def tracked(root: Path) -> list[Path]:
    """Files under version control, and new ones that are not ignored."""
    done = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    return [root / name for name in done.stdout.split("\0") if name and (root / name).is_file()]


def first_fields(path: Path) -> frozenset[str]:
    return frozenset(line.split("|")[0].strip() for _, line in table_lines(path.read_text()))


def gather(root: Path) -> Facts:
    files = tracked(root)
    ours = root / "xtask/tests"  # names what does not exist, on purpose
    sources = [path for path in files if path.suffix in SOURCES and not path.is_relative_to(ours)]
    texts = {path: path.read_text(errors="replace") for path in sources}
    tools = [text for path, text in texts.items() if path.suffix in (".py", ".sh")]
    makefiles = [root / "Makefile", *(path for path in files if path.suffix == ".mk")]
    gdb = [text for path, text in texts.items() if path.is_relative_to(root / "gdb")]
    event_header = (root / "kernel/include/debug/event.h").read_text()
    return Facts(
        root=root,
        targets=frozenset(w for path in makefiles for group in TARGET.findall(path.read_text()) for w in group.split()),
        commands=frozenset(COMMANDS),
        options=frozenset(option for text in tools for option in OPTION.findall(text)),
        stages=first_fields(root / "kernel/init/stages.tbl"),
        identifiers=frozenset(word for text in texts.values() for word in IDENTIFIER.findall(text)),
        gdb=frozenset(a or b for text in gdb for a, b in GDB_NAME.findall(text)),
        choices={
            "debug": frozenset((*CATEGORY.findall(event_header), "all", "none")),
            "inject": frozenset(re.findall(r'INJECT\("([\w.]+)"\)', "\n".join(texts.values()))),
        },
    )


def added(patch: str) -> dict[str, list[str]]:
    """The lines that a patch adds, by file. Pure."""
    out: dict[str, list[str]] = {}
    name = ""
    for line in patch.splitlines():
        if line.startswith("+++ "):
            name = line.removeprefix("+++ ").removeprefix("b/")
        elif line.startswith("+"):
            out.setdefault(name, []).append(line[1:])
    return out


def beside(known: Facts, page: Path) -> Facts:
    """What a page may name besides: the stages and symbols that the patches in its directory bring."""
    lines = [added(path.read_text()) for path in page.parent.glob("*.patch")]
    stages = [line for files in lines for line in files.get("kernel/init/stages.tbl", [])]
    words = [IDENTIFIER.findall(line) for files in lines for text in files.values() for line in text]
    return replace(
        known,
        stages=known.stages.union(line.split("|")[0].strip() for line in stages if "|" in line),
        identifiers=known.identifiers.union(*words),
    )
