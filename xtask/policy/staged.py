"""What is about to be committed: the index against HEAD.

Hooks ask this at every commit, so what is ordinary is let go with two git processes and few imports; the
rest of the package comes in when something protected was touched.
"""

from __future__ import annotations

import datetime
import os

from . import records
from .git import GitError, Repo
from .history import Range, Verdict, distinct, find_start, follow_ups, load_records, missing, policy_at, signers_at
from .merges import concerned, merged_entries
from .policyfile import POLICY, Policy, PolicyError
from .verdict import Change, Finding, Ledger, Outcome, bare_change, judge, protected


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
    policies = [policy, *(policy_at(repo, parent) or policy for parent in parents[1:])]
    entries = repo.index_diff(head)
    if len(parents) > 1:
        diffs = [entries, *(repo.index_diff(parent) for parent in parents[1:])]
        entries = merged_entries(repo, parents, concerned(diffs, policies), policies)
    return bare_change(what, None, entries, distinct(policies))._replace(message=message)


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
    change = change._replace(day=today, incoming=True, signers=[keys], people=people)
    ledger = Ledger(load_records(repo, repo.index_files("policy")), policy.branch, policy, keys)
    need = protected(change.entries, change.policies, repo)
    if need.entries:
        use_up(repo, head, ledger, need.digest)
    outcome = judge(change, need, repo, ledger)
    if any(finding.kind == "approval" for finding in outcome.findings):
        outcome = amended(repo, head, change, ledger) or outcome
    findings = list(outcome.findings)
    if need.entries:
        findings += missing(new_policy(repo, policy), repo.index_files(), repo, change.where)
    findings += follow_ups(ledger, load_records(repo, repo.files(head, records.BREAK_GLASS)))
    approved = [(outcome.digest, outcome.record)] if outcome.record else []
    return Verdict(findings, list(outcome.notes), 1, approved, mode=policy.mode)


def new_policy(repo: Repo, old: Policy) -> Policy:
    """The policy as staged; one that cannot be read was refused already."""
    blob = repo.index_files(POLICY).get(POLICY.encode())
    try:
        return Policy(repo.blob(blob[1])) if blob else old
    except PolicyError:
        return old


def amended(repo: Repo, head: bytes, change: Change, ledger: Ledger) -> Outcome | None:
    """No hook is told that a commit is an amendment: approved as one, it is let go here, and judged later."""
    parent = repo.try_git("rev-parse", "--verify", "--quiet", "HEAD^{commit}^")
    policy = policy_at(repo, parent.strip()) if parent else None
    if parent is None or policy is None:
        return None
    entries = repo.index_diff(parent.strip())
    whole = change._replace(entries=entries, policies=[policy], signers=[signers_at(repo, parent.strip())])
    need = protected(entries, [policy], repo)
    if not need.entries:
        return None
    use_up(repo, head, ledger, need.digest)
    outcome = judge(whole, need, repo, ledger)
    note = "passes as an amendment of HEAD; as a commit of its own it would not"
    return None if outcome.findings else outcome._replace(notes=(note, *outcome.notes))


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
