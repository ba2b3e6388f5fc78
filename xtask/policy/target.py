"""The change a command is about: --staged, --working-tree or --commit REV, the same for all of them."""

from __future__ import annotations

import argparse
import datetime
import tempfile
from typing import NamedTuple

from .check import index_copy, open_repo
from .errors import UsageError
from .git import Entry, GitError, Repo
from .history import Range, find_start, policy_at
from .names import show
from .policyfile import Policy
from .staged import staged_change
from .verdict import Change, Finding, Protected, protected


class Target(NamedTuple):
    """A change, what of it needs a record, and the policy such a record is bound to."""

    repo: Repo
    change: Change
    need: Protected
    policy: Policy
    option: str


def add_options(parser: argparse.ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--staged", action="store_true", help="the index against HEAD (default)")
    which.add_argument("--working-tree", action="store_true", help="all files against HEAD")
    which.add_argument("--commit", metavar="REV", help="a commit that is made already")
    which.add_argument("--amend", action="store_true", help="the index against HEAD's parent: what --amend will make")


def current_policy(repo: Repo) -> Policy:
    head = repo.head()
    policy = policy_at(repo, head) if head else None
    if policy is None:
        raise UsageError("HEAD has no policy.toml: nothing is protected yet, nothing needs approval")
    return policy


def of_index(repo: Repo, head: bytes, policy: Policy, option: str) -> Change:
    if option != "--working-tree":
        return staged_change(repo, head, policy, "the staged change", None)
    with tempfile.TemporaryDirectory(prefix="cairn-policy-") as directory:
        return staged_change(index_copy(repo, directory), head, policy, "the working tree", None)


def of_commit(repo: Repo, commit: bytes) -> Change:
    head = repo.head() or commit
    start = find_start(repo, head)
    if isinstance(start, Finding) or start is None:
        raise GitError("the beginning of the policy cannot be told from the history")
    rng = Range(repo, head, start, None, None)
    for found, parents in rng.everything:
        if found == commit:
            diffs = repo.diffs([(commit, parent) for parent in parents or [b""]])
            return rng.detailed(rng.change(commit, parents, diffs), parents, None)
    raise UsageError(f"{commit.decode()[:12]} is not a commit of HEAD's history since the policy came in")


def find(options: argparse.Namespace) -> Target:
    repo = open_repo()
    policy = current_policy(repo)
    head = repo.commit("HEAD")
    if options.commit:
        change = of_commit(repo, repo.commit(options.commit))
        option = f"--commit {options.commit}"
    elif options.amend:
        parent = repo.commit("HEAD^")
        policy = policy_at(repo, parent) or policy
        change, option = of_index(repo, parent, policy, "--amend"), "--amend"
    else:
        option = "--working-tree" if options.working_tree else "--staged"
        change = of_index(repo, head, policy, option)
    need = protected(change.entries, change.policies, repo)
    return Target(repo, change, need, change.policies[0], option)


def reviewed_entries(target: Target) -> list[Entry]:
    return sorted(target.need.entries)


def line(entry: Entry) -> str:
    """One entry for people."""
    verb = "adds" if entry.added else "deletes" if entry.deleted else "changes"
    modes = f" mode {entry.old_mode.decode()} -> {entry.new_mode.decode()}" if entry.old_mode != entry.new_mode else ""
    return f"{verb} {show(entry.path)}{modes if verb == 'changes' else ''} ({entry.old.decode()[:10]} -> {entry.new.decode()[:10]})"


def today() -> datetime.date:
    return datetime.date.today()
