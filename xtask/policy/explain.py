"""`policy explain PATH|SYMBOL...`: its tier, why, and what to do."""

from __future__ import annotations

import argparse
import json
import os
from typing import NamedTuple

from .. import exitcodes
from .check import open_repo
from .names import SYMLINK, any_of, bad_type, suspicious
from .policyfile import Policy, load_file
from .verdict import COMMAND

DO = {
    0: f"any edit needs an approval: stage it, then {COMMAND} request --staged. The base revision's copy judges it",
    1: f"any edit needs an approval: stage it, then {COMMAND} request --staged. To look inside: the trace ring, GDB",
    2: "edit freely; the commit message says why in a last paragraph `Why: REASON`",
    None: "edit freely",
}


def relative(repo_root: str, word: str) -> str:
    """A path from the top of the repository, whatever directory one is in."""
    full = os.path.realpath(os.path.dirname(os.path.abspath(word)))
    path = os.path.relpath(os.path.join(full, os.path.basename(word)), os.path.realpath(repo_root))
    return word if path.startswith("..") else path + ("/" if word.endswith("/") else "")


class Answer(NamedTuple):
    """What is known of a path or symbol; refused: why such a name cannot come in at all."""

    name: str
    kind: str
    tier: int | None
    rule: str
    why: str
    defined_under: list[str]
    ratchets: list[str]
    refused: str
    do: str


def about(policy: Policy, root: str, word: str) -> Answer:
    """A symbol when a tier lists it; else a path."""
    rule = next((rule for rule in policy.rules if word in rule.symbols), None)
    if rule is not None:
        return Answer(word, "symbol", rule.tier, rule.name, rule.why, rule.paths, [], "", DO[rule.tier])
    shown = relative(root, word)
    path = os.fsencode(shown + "x" if shown.endswith("/") else shown)
    rule = policy.rule(path)
    mode = SYMLINK if os.path.islink(os.path.join(root, shown)) else b"100644"
    refused = bad_type(path, mode, policy.frozen) or suspicious(path, policy.frozen)
    tier, name, why = (rule.tier, rule.name, rule.why) if rule else (None, "", "")
    ratchets = [f"{r.name}: {r.why}" for r in policy.ratchets if any_of(r.paths).fullmatch(path)]
    return Answer(shown, "path", tier, name, why, [], ratchets, refused, DO[tier])


def tell(found: Answer) -> str:
    tier = "no tier" if found.tier is None else f"Tier {found.tier}, {found.rule}: {found.why}"
    lines = [f"{found.name}: {tier}"]
    if found.defined_under:
        lines.append(f"  defined under: {' '.join(found.defined_under)}")
    if found.refused:
        lines.append(f"  refused: {found.refused}; no approval covers that")
    lines += [f"  ratchet, {ratchet}; loosening it needs an approval" for ratchet in found.ratchets]
    return "\n".join([*lines, f"  do:   {found.do}"])


def main(name: str, argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog=f"xtask policy {name}", description=__doc__)
    parser.add_argument("words", nargs="+", metavar="PATH|SYMBOL")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    root = open_repo().directory
    policy = load_file(root)
    found = [about(policy, root, word) for word in options.words]
    if options.json:
        print(json.dumps([item._asdict() for item in found], indent=1))
    else:
        print("\n".join(tell(item) for item in found))
    return exitcodes.OK
