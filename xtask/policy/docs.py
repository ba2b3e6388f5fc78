"""`policy docs`: the tier tables of AGENTS.md, between two markers, made from policy.toml."""

from __future__ import annotations

import argparse
import os
import sys

from .. import exitcodes
from .check import open_repo
from .errors import UsageError
from .policyfile import Policy, load_file

FILE = "AGENTS.md"
BEGIN = "<!-- tiers: made from policy.toml by `python3 -m xtask policy docs --write` -->"
END = "<!-- /tiers -->"
RULES = {
    0: "an approval; the base revision's copy judges",
    1: "an approval bound to the exact change",
    2: "the message says why: `Why: REASON`",
}


def table(policy: Policy) -> str:
    lines = [BEGIN, "", "| tier | what | files | a change needs |", "| --- | --- | --- | --- |"]
    for rule in sorted(policy.rules, key=lambda rule: rule.tier):
        files = " ".join(f"`{pattern}`" for pattern in rule.paths)
        lines.append(f"| {rule.tier} | {rule.name} | {files} | {RULES[rule.tier]} |")
    lines += ["", "Free one way, an approval for the other: " + "; ".join(r.name for r in policy.ratchets) + "."]
    lines += ["`python3 -m xtask policy explain PATH` says more; `policy request --staged` begins an approval."]
    return "\n".join([*lines, END])


def replaced(text: str, made: str) -> str:
    """The file with the part between the markers made anew."""
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise UsageError(f"{FILE} has not one `{BEGIN}` and, after it, one `{END}`")
    before, rest = text.split(BEGIN)
    return before + made + rest.split(END)[1]


def main(name: str, argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog=f"xtask policy {name}", description=__doc__)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help="fail when the file differs (default)")
    what.add_argument("--write", action="store_true", help="write the file")
    what.add_argument("--print", action="store_true", help="print what the file should be")
    what.add_argument("--table", action="store_true", help="print the part between the markers, with them")
    options = parser.parse_args(argv)
    root = open_repo().directory
    made = table(load_file(root))
    if options.table:
        print(made)
        return exitcodes.OK
    path = os.path.join(root, FILE)
    with open(path, encoding="utf-8") as stream:
        text = stream.read()
    wanted = replaced(text, made)
    if options.print:
        sys.stdout.write(wanted)
    elif options.write and wanted != text:
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(wanted)
    elif not options.write and wanted != text:
        print(f"policy: refused: {FILE}\n  why:  its tier tables are not those of policy.toml", file=sys.stderr)
        print("  next: python3 -m xtask policy docs --write", file=sys.stderr)
        return exitcodes.FAILED
    return exitcodes.OK
