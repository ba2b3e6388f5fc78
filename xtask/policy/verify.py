"""`policy verify [ID...]`: whether records are what they say, by themselves: form, name, signature, term."""

from __future__ import annotations

import argparse
import json
import sys

from .. import exitcodes
from . import records
from .check import open_repo
from .errors import UsageError
from .history import signers_at
from .policyfile import Policy, load_file
from .records import Record
from .target import today


def standing(record: Record, policy: Policy, signers: bytes | None) -> tuple[str, list[str]]:
    """What is wrong with a record, and what one should know about it."""
    wrong = ""
    if record.repository != policy.repository:
        wrong = f"it is for repository {record.repository!r}"
    elif record.signature or policy.signed:
        wrong = records.signature_problem(record, signers)
    notes = [] if record.signature else ["by name only, not signed"]
    if records.expired(record, today()):
        notes.append(f"expired {record.expires}: good only for commits made till then")
    if record.policy != policy.digest:
        notes.append("made under another policy.toml: good only for commits made under that one")
    return wrong, notes


def main(name: str, argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog=f"xtask policy {name}", description=__doc__)
    parser.add_argument("ids", nargs="*", metavar="ID", help="records, by the beginning of their ID (all)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    repo = open_repo()
    policy = load_file(repo.directory)
    found = [r for where in (records.APPROVALS, records.BREAK_GLASS) for r in records.read_directory(repo.directory, where)]
    for prefix in options.ids:
        if not any(record.id.startswith(prefix) for record in found):
            raise UsageError(f"no record begins with {prefix!r}")
    chosen = [r for r in found if not options.ids or any(r.id.startswith(prefix) for prefix in options.ids)]
    head = repo.head()
    signers = signers_at(repo, head) if head else None
    rows = []
    for record in chosen:
        wrong, notes = standing(record, policy, signers)
        rows.append({"id": record.id, "kind": record.kind, "approver": record.approver, "wrong": wrong, "notes": notes})
        about = f"{record.id[:12]} {record.kind} by {record.approver}"
        print(f"{about}: {wrong or 'ok'}{''.join('; ' + note for note in notes)}", file=sys.stderr)
    bad = any(row["wrong"] for row in rows)
    if options.json:
        print(json.dumps({"ok": not bad, "mode": policy.mode, "records": rows}, indent=1))
    print(f"policy: {len(rows)} records, {policy.mode} mode", file=sys.stderr)
    return exitcodes.FAILED if bad else exitcodes.OK
