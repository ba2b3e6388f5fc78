"""`policy check` and `policy audit`: the verdict, for people and for machines."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile

from .. import exitcodes
from .errors import UsageError
from .git import Repo
from .history import Verdict, check_range
from .staged import check_staged


def open_repo() -> Repo:
    """The repository around the current directory, from its top; a bare one as it is."""
    repo = Repo()
    top = repo.try_git("rev-parse", "--show-toplevel")
    if top is None:
        repo.git("rev-parse", "--git-dir")  # a bare one, or an error that says so
        return repo
    return Repo(os.fsdecode(top.rstrip(b"\n")))


def parse(name: str, argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"xtask policy {name}", description=__doc__)
    parser.add_argument("--head", metavar="REV", help="judge up to this commit (HEAD)")
    parser.add_argument("--branch", default="", help="the branch the commits go to (the policy's)")
    parser.add_argument("--json", action="store_true", help="the verdict as one JSON object")
    if name == "check":
        parser.add_argument("--base", metavar="REV", help="judge the commits from here to --head")
        parser.add_argument("--staged", action="store_true", help="judge the index against HEAD")
        parser.add_argument("--working-tree", action="store_true", help="judge all files against HEAD (default)")
        parser.add_argument("--message", metavar="FILE", help="with --staged: the commit's message")
    options = parser.parse_args(argv)
    if name == "check":
        chosen = [bool(options.base or options.head), options.staged, options.working_tree]
        if sum(chosen) > 1:
            raise UsageError("--staged, --working-tree and --base/--head exclude each other")
        if options.head and not options.base:
            raise UsageError("--head needs --base (`policy audit` judges all of history)")
        if options.message and not options.staged:
            raise UsageError("--message goes with --staged")
    return options


def read_message(name: str | None) -> str | None:
    if name is None:
        return None
    try:
        with open(name, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except OSError as error:
        raise UsageError(f"{name}: {error.strerror}") from None


def index_copy(repo: Repo, directory: str) -> Repo:
    """The repository with an index of its own, in which everything is staged."""
    copy = Repo(repo.directory)
    real = os.fsdecode(repo.git("rev-parse", "--git-path", "index").rstrip(b"\n"))
    target = os.path.join(directory, "index")
    if os.path.exists(os.path.join(repo.directory, real)):
        shutil.copyfile(os.path.join(repo.directory, real), target)
    copy.environment["GIT_INDEX_FILE"] = target
    copy.git("add", "-A", "--", ".")
    return copy


def working_tree(repo: Repo) -> Verdict:
    """As if everything were staged: in a copy of the index."""
    with tempfile.TemporaryDirectory(prefix="cairn-policy-") as directory:
        return check_staged(index_copy(repo, directory), "the working tree")


def run(name: str, options: argparse.Namespace) -> Verdict:
    repo = open_repo()
    if name == "audit":
        return check_range(repo, repo.commit(options.head or "HEAD"), None, options.branch)
    if options.base:
        import datetime

        base, head = repo.commit(options.base), repo.commit(options.head or "HEAD")
        return check_range(repo, head, base, options.branch, datetime.date.today())
    if options.staged:
        return check_staged(repo, message=read_message(options.message))
    return working_tree(repo)


def as_json(verdict: Verdict) -> str:
    return json.dumps(
        {
            "ok": not verdict.findings,
            "mode": verdict.mode,
            "bootstrap": verdict.bootstrap,
            "judged": verdict.judged,
            "approved": [{"change": change, "record": record.id} for change, record in verdict.approved],
            "notes": verdict.notes,
            "findings": [finding._asdict() for finding in verdict.findings],
        },
        indent=1,
    )


def tell(verdict: Verdict, name: str) -> None:
    """Diagnostics on stderr; silence is for a pass with nothing to say."""
    for note in verdict.notes:
        print(f"policy: {note}", file=sys.stderr)
    for finding in verdict.findings:
        print("\n".join(finding.lines()), file=sys.stderr)
    if verdict.mode == "recorded":
        print("policy: approvals are recorded by name only, not signed (policy trust-key changes that)", file=sys.stderr)
    if name == "audit" and not verdict.findings and not verdict.bootstrap:
        print(f"policy: {verdict.judged} commits judged, {len(verdict.approved)} with a record, none without")


def main(name: str, argv: list[str]) -> int:
    options = parse(name, argv)
    verdict = run(name, options)
    if options.json:
        print(as_json(verdict))
    tell(verdict, name if not options.json else "")
    return exitcodes.FAILED if verdict.findings else exitcodes.OK


