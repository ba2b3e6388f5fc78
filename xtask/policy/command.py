"""`xtask policy COMMAND`: what is protected, and whether it was approved. docs/guide/policy.md explains.

Started by hooks at every commit: each command's module is imported when it is asked for.
"""

from __future__ import annotations

import importlib
import sys

from .. import exitcodes

COMMANDS = {
    "check": ("check", "judge --staged, --working-tree, or every commit of --base..--head"),
    "audit": ("check", "judge every commit since the policy came in"),
    "judge": ("judge", "judge base..head with the base revision's own checker"),
    "explain": ("explain", "what tier a path or symbol is in, why, what to do"),
    "request": ("request", "what an approver needs to decide on a change"),
    "approve": ("approve", "write the record that approves a change"),
    "break-glass": ("approve", "write an emergency record: loud, and owes a follow-up"),
    "verify": ("verify", "check records by themselves: form, signature, term"),
    "trust-key": ("keys", "list an approver's key, and move to signed approvals"),
    "doctor": ("doctor", "hooks, attributes, versions, stale approvals"),
    "docs": ("docs", "the tier tables of AGENTS.md: check, write, print"),
    "symbols": ("symbols", "where the tiers' symbols are defined: sources, link map"),
    "generated": ("generated", "make again what the policy names, and compare"),
}


def usage() -> str:
    lines = ["usage: python3 -m xtask policy COMMAND [ARGS]", ""]
    return "\n".join(lines + [f"  {name:12} {text}" for name, (_, text) in COMMANDS.items()])


def main(argv: list[str]) -> int:
    if argv and argv[0] in ("-h", "--help", "help"):
        print(usage())
        return exitcodes.OK
    if not argv or argv[0] not in COMMANDS:
        if argv:
            print(f"policy: no command {argv[0]!r}", file=sys.stderr)
        print(usage(), file=sys.stderr)
        return exitcodes.USAGE
    name, rest = argv[0], argv[1:]
    module = importlib.import_module("." + COMMANDS[name][0], __package__)
    if name == "judge":
        return int(module.main(rest))
    from .errors import guarded

    return guarded(module.main, name, rest)
