"""What is about to be committed: the index against HEAD.

Hooks ask this at every commit, so what is ordinary is let go with two git processes and few imports; the
rest of the package comes in when something protected was touched.
"""

from __future__ import annotations

import datetime
import os

from . import records
from .git import GitError, Repo
from .history import Range, Verdict, find_start, follow_ups, load_records, missing, policy_at, signers_at
from .merges import concerned, merged_entries
from .policyfile import POLICY, Policy, PolicyError
from .verdict import Change, Finding, Ledger, judge, protected


def merge_heads(repo: Repo) -> list[bytes]:
    """The other parents of the commit being made; git names them here before pre-merge-commit runs."""
    git_dir = os.fsdecode(repo.git("rev-parse", "--absolute-git-dir").rstrip(b"\n"))
    try:
        with open(os.path.join(git_dir, "MERGE_HEAD"), "rb") as stream:
            return stream.read().split()
    except FileNotFoundError:
        return [name[8:].encode() for name in os.environ if name.startswith("GITHEAD_")]


def own_addresses(repo: Repo) -> set[str]:
    found = set()
    for name in ("GIT_AUTHOR_IDENT", "GIT_COMMITTER_IDENT"):
        who = (repo.try_git("var", name) or b"").rpartition(b"> ")[0]
        found.add(who.rpartition(b"<")[2].decode("utf-8", "replace").casefold())
    return found


def staged_change(repo: Repo, head: bytes, policy: Policy, what: str, message: str | None) -> Change:
    """The index against HEAD (and against what is being merged)."""
    parents = [head, *merge_heads(repo)]
    policies = [policy]
    diffs = [repo.index_diff(parent) for parent in parents]
    for parent in parents[1:]:
        other = policy_at(repo, parent) or policy
        if all(other.digest != known.digest for known in policies):
            policies.append(other)
    entries = diffs[0] if len(parents) == 1 else merged_entries(repo, parents, concerned(diffs, policies))
    return Change(what, None, entries, policies, [], set(), message, datetime.date.min)


def quiet(change: Change) -> bool:
    """Whether nothing in the change can concern the policy: then nothing more is looked at."""
    return not concerned([change.entries], change.policies)[0]


def check_staged(
    repo: Repo, what: str = "the staged change", message: str | None = None, today: datetime.date | None = None
) -> Verdict:
    head = repo.head()
    policy = policy_at(repo, head) if head else None
    if head is None or policy is None:
        return Verdict([], ["HEAD has no policy.toml: nothing is protected yet"], bootstrap=True)
    change = staged_change(repo, head, policy, what, message)
    glass = repo.read(head + b":" + records.BREAK_GLASS.rstrip("/").encode()) is not None
    if not glass and quiet(change):
        return Verdict([], [], 1, mode=policy.mode)
    return judge_staged(repo, head, policy, change, today or datetime.date.today())


def judge_staged(repo: Repo, head: bytes, policy: Policy, change: Change, today: datetime.date) -> Verdict:
    keys = signers_at(repo, head)
    people = own_addresses(repo) if policy.signed else set()
    change = change._replace(day=today, signers=[keys], people=people)
    known = load_records(repo, repo.index_files("policy"))
    ledger = Ledger(known, policy.branch, policy, keys)
    need = protected(change.entries, change.policies, repo)
    if need.entries:
        use_up(repo, head, ledger, need.digest)
    outcome = judge(change, need, repo, ledger)
    findings = list(outcome.findings)
    if need.entries:
        files = repo.index_files()
        blob = files.get(POLICY.encode())
        try:
            new = Policy(repo.blob(blob[1])) if blob else policy
        except PolicyError:
            new = policy  # refused already
        findings += missing(new, files, repo, change.where)
    findings += follow_ups(ledger, load_records(repo, repo.files(head, records.BREAK_GLASS)))
    approved = [(outcome.digest, outcome.record)] if outcome.record else []
    return Verdict(findings, list(outcome.notes), 1, approved, mode=policy.mode)


def use_up(repo: Repo, head: bytes, ledger: Ledger, digest: str) -> None:
    """Marks the records that commits of the history with the same change have used."""
    if not any(record.change == digest for record in ledger.all):
        return
    start = find_start(repo, head)
    if isinstance(start, Finding) or start is None:
        raise GitError("the beginning of the policy cannot be told from the history")
    rng = Range(repo, head, start, None, None, ledger.branch)
    rng.ledger.add(ledger.all)
    for change, parents in rng.changes():
        need = protected(change.entries, change.policies, repo)
        if need.entries and need.digest == digest:
            judge(rng.detailed(change, parents, None), need, repo, rng.ledger)
    ledger.used |= rng.ledger.used
