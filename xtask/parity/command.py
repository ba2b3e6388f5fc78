"""`xtask parity [--write | --check]`: how the ports compare, computed; and where they differ without a reason."""

from __future__ import annotations

import argparse
import subprocess
import sys
from difflib import unified_diff
from itertools import islice

from .. import exitcodes
from ..build import BuildError
from ..gen.table import TableError
from ..guest.rundir import ROOT
from . import judge
from .documents import PLACE, render
from .facts import gather


def stale(documents: dict[str, str]) -> list[str]:
    """For each document that is not what would be written, its first differences."""
    out = []
    for name, text in documents.items():
        path = ROOT / PLACE / name
        there = path.read_text() if path.exists() else ""
        difference = unified_diff(there.splitlines(), text.splitlines(), str(PLACE / name), "now", lineterm="", n=0)
        lines = list(islice(difference, 8))
        if lines:
            out.append("\n".join([f"{PLACE / name} is stale:", *lines]))
    return out


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="xtask parity", description=__doc__)
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--write", action="store_true", help="write the documents (default)")
    mode.add_argument("--check", action="store_true", help="fail when a document is not what would be written")
    options = parser.parse_args(argv)
    try:
        facts = gather(ROOT)
    except (BuildError, TableError, ValueError, OSError, subprocess.SubprocessError) as error:
        print(f"parity: {error}", file=sys.stderr)
        return exitcodes.CANNOT_BUILD if isinstance(error, BuildError) else exitcodes.INFRA
    documents = render(facts)
    problems = judge.findings(facts)
    if options.check:
        problems += stale(documents)
    else:
        for name, text in documents.items():
            (ROOT / PLACE / name).write_text(text)
    for text in problems:
        print(text)
    if problems and options.check:
        print("next: mend it, or list the reason in kernel/init/parity.tbl; then python3 -m xtask parity --write")
    print(f"parity: {len(facts.stages)} stages, {len(facts.syscalls)} system calls, {len(problems)} findings")
    return exitcodes.FAILED if problems else exitcodes.OK
