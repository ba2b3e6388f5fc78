"""`policy approve`: the record that allows exactly one change. `policy break-glass`: the emergency form."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import secrets
import sys

from .. import exitcodes
from . import records, target
from .check import open_repo
from .errors import UsageError
from .git import Repo
from .policyfile import Policy
from .records import Record
from .verdict import COMMAND

SHORT = 15  # characters; a reason that says something is longer


def parser_for(name: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"xtask policy {name}", description=__doc__)
    parser.add_argument("--why", metavar="TEXT", required=True, help="why the change is required")
    parser.add_argument("--approver", metavar="NAME", help="`Name <address>`; default: git's user")
    parser.add_argument("--key", metavar="FILE", help="SSH key to sign with (signed mode)")
    parser.add_argument("--branch", default="", help="the branch the change goes to (the policy's)")
    parser.add_argument("--json", action="store_true")
    if name == "approve":
        parser.add_argument("--debugging", metavar="TEXT", default="", help="why non-intrusive debugging is not enough")
        parser.add_argument("--verified", metavar="TEXT", default="", help="how it was verified")
        parser.add_argument("--expires", metavar="DATE", help="last day it holds (policy's expiry_days from today)")
        parser.add_argument("--packet", metavar="FILE", help="approve what `policy request --json` wrote")
        parser.add_argument("--kind", choices=("reach", "budget", "why"), help="a waiver: by its subject, not by change")
        parser.add_argument("--subject", metavar="TEXT", help="what the gate printed, or for `why` the commit")
        parser.add_argument("--follow-up", metavar="ID", help="settle a break-glass record")
    target.add_options(parser)
    return parser


def own_name(repo: Repo) -> str:
    name, address = (repo.try_git("config", "user." + key) or b"" for key in ("name", "email"))
    if not address.strip():
        raise UsageError("git has no user.email: say who approves with --approver 'Name <address>'")
    return f"{name.decode().strip()} <{address.decode().strip()}>"


def expiry(options: argparse.Namespace, policy: Policy) -> str:
    longest = target.today() + datetime.timedelta(days=policy.expiry_days)
    if not getattr(options, "expires", None):
        return longest.isoformat()
    try:
        chosen = datetime.date.fromisoformat(options.expires)
    except ValueError:
        raise UsageError(f"--expires {options.expires}: not a date (YYYY-MM-DD)") from None
    if not target.today() <= chosen <= longest:
        raise UsageError(f"--expires {options.expires}: between today and {longest} ({policy.expiry_days} days)")
    return chosen.isoformat()


def unique(prefix: str, known: list[Record]) -> Record:
    found = [record for record in known if record.id.startswith(prefix)]
    if len(found) != 1:
        raise UsageError(f"{len(found)} records begin with {prefix!r}")
    return found[0]


class Subject:
    """What the record is about, from the options."""

    def __init__(self, name: str, options: argparse.Namespace) -> None:
        self.option = "--staged"
        self.kind, self.subject, self.change = "path", "", ""
        self.repo = open_repo()
        self.policy = target.current_policy(self.repo)
        if name == "approve" and (options.follow_up or options.kind):
            self.standing(options)
        elif name == "approve" and options.packet:
            self.packet(options.packet)
        else:
            self.of_change(options)
            self.kind = "break-glass" if name == "break-glass" else "path"

    def standing(self, options: argparse.Namespace) -> None:
        if options.follow_up:
            glass = unique(options.follow_up, records.read_directory(self.repo.directory, records.BREAK_GLASS))
            self.kind, self.subject, self.change = "follow-up", glass.id, glass.change
            return
        if not options.subject:
            raise UsageError(f"--kind {options.kind} needs --subject")
        self.kind, self.subject = options.kind, options.subject
        if self.kind == "why":
            self.subject = self.repo.commit(options.subject).decode()

    def packet(self, name: str) -> None:
        try:
            with open(name, encoding="utf-8") as stream:
                packet = json.load(stream)
            self.change, policy = packet["change"], packet["policy"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UsageError(f"{name}: not a packet of `policy request --json`: {error}") from None
        if policy != self.policy.digest:
            raise UsageError(f"{name}: made under another policy.toml than HEAD's")

    def of_change(self, options: argparse.Namespace) -> None:
        found = target.find(options)
        if not found.need.entries:
            raise UsageError(f"nothing in {found.change.where} needs an approval")
        self.change, self.policy, self.option = found.need.digest, found.policy, found.option
        for entry in target.reviewed_entries(found):
            print(f"policy: approving {target.line(entry)}", file=sys.stderr)


def checked(options: argparse.Namespace, record: Record, policy: Policy) -> None:
    """What check would refuse later is refused now."""
    texts = [("--why", record.why)]
    if record.kind == "path":
        texts += [("--debugging", record.debugging), ("--verified", record.verified)]
    for option, text in texts:
        if len(text.strip()) < SHORT:
            raise UsageError(f"{option}: say it in a sentence ({SHORT} characters or more)")
    if record.kind != "break-glass" and policy.approvers and record.principal not in policy.approvers:
        raise UsageError(f"{record.principal} is not among the policy's approvers: {', '.join(policy.approvers)}")
    if policy.signed and not options.key:
        raise UsageError("the policy wants signed approvals: --key FILE")


def write(repo: Repo, record: Record, stage: bool) -> str:
    path = os.path.join(repo.directory, record.path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "x", encoding="utf-8") as stream:
        stream.write(records.render(record))
    if stage:
        repo.git("add", "--", record.path)
    return record.path


def main(name: str, argv: list[str]) -> int:
    options = parser_for(name).parse_args(argv)
    about = Subject(name, options)
    policy = about.policy
    record = Record(
        about.kind, about.subject, about.change, policy.repository, options.branch or policy.branch, policy.digest,
        expiry(options, policy), secrets.token_hex(8), options.approver or own_name(about.repo), options.why,
        getattr(options, "debugging", ""), getattr(options, "verified", ""),
    )  # fmt: skip
    checked(options, record, policy)
    if options.key:
        record = records.sign(record, options.key)
    written = write(about.repo, record, stage=about.option in ("--staged", "--amend"))
    if options.json:
        print(json.dumps({"ok": True, "record": written, "id": record.id, "kind": record.kind, "change": record.change}))
    else:
        print(written)
        advise(record, about, policy)
    return exitcodes.OK


def advise(record: Record, about: Subject, policy: Policy) -> None:
    if about.option in ("--staged", "--amend"):
        print("policy: the record is staged; commit it with the change", file=sys.stderr)
    else:
        print("policy: commit the record as it is", file=sys.stderr)
    if not policy.signed:
        print("policy: approvals are recorded by name only, not signed (policy trust-key changes that)", file=sys.stderr)
    if record.kind == "break-glass":
        print(f"policy: BREAK-GLASS by {record.approver}. The next check demands:", file=sys.stderr)
        print(f"  {COMMAND} approve --follow-up {record.id[:12]} --why TEXT", file=sys.stderr)
