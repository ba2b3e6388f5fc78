"""Commits to changes to a verdict: a range, or everything since the policy came in.

All of history is read with four processes: rev-list, one cat-file --batch-check for each commit's policy.toml,
one diff-tree --stdin for every (commit, parent), one cat-file --batch for what is looked at closer.
"""

from __future__ import annotations

import datetime
from typing import NamedTuple

from . import records
from .git import Entry, Repo
from .merges import concerned, merged_entries
from .names import any_of, show
from .policyfile import POLICY, Policy, PolicyError
from .records import Record, RecordError
from .verdict import COMMAND, Change, Finding, Ledger, Outcome, Protected, bare_change, is_new_record, judge, protected

Commits = list[tuple[bytes, list[bytes]]]


class Verdict(NamedTuple):
    """What a check found out. bootstrap: there is no policy to judge by yet."""

    findings: list[Finding]
    notes: list[str]
    judged: int = 0
    approved: list[tuple[str, Record]] = []
    bootstrap: bool = False
    mode: str = ""


def history_finding(where: str, reason: str, then: str) -> Finding:
    return Finding("history", where, [], where, reason, then)


# --- policies by commit ---


class Policies:
    """The policy of each commit, parsed once per content."""

    def __init__(self, repo: Repo, commits: list[bytes]) -> None:
        self.repo = repo
        known = repo.ids(commit + b":" + POLICY.encode() for commit in commits)
        self.ids = dict(zip(commits, known))
        self.parsed: dict[bytes, Policy] = {}

    def has(self, commit: bytes) -> bool:
        return self.ids.get(commit) is not None

    def of(self, commit: bytes) -> Policy | None:
        blob = self.ids.get(commit)
        if blob is None:
            return None
        if blob not in self.parsed:
            self.parsed[blob] = Policy(self.repo.blob(blob))
        return self.parsed[blob]


def policy_at(repo: Repo, tree: bytes) -> Policy | None:
    data = repo.read(tree + b":" + POLICY.encode())
    return None if data is None else Policy(data)


def signers_at(repo: Repo, tree: bytes) -> bytes | None:
    return repo.read(tree + b":" + records.SIGNERS.encode())


def load_records(repo: Repo, files: dict[bytes, tuple[bytes, bytes]]) -> list[Record]:
    """The well-formed records among a tree's or the index's files; a broken one was refused when it came in."""
    found = []
    for path, (mode, object_id) in sorted(files.items()):
        if mode == b"100644" and path.endswith(b".toml"):
            try:
                found.append(records.parse(repo.blob(object_id), path.decode("ascii", "replace")))
            except RecordError:
                continue
    return found


# --- one commit ---


def day_of(seconds: bytes) -> datetime.date:
    """The day of a commit's time stamp; one that is none counts as the last day there is: all has expired."""
    if not seconds.isdigit():
        return datetime.date.max
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    return (epoch + datetime.timedelta(seconds=min(int(seconds), 253402300799))).date()


class Person(NamedTuple):
    people: set[str]
    day: datetime.date
    message: str


def read_commit(repo: Repo, commit: bytes) -> Person:
    """Author's and committer's addresses, the day it was committed, and the message."""
    head, _, message = repo.blob(commit).partition(b"\n\n")
    people = set()
    day = datetime.date.min
    for line in head.split(b"\n"):
        word, _, rest = line.partition(b" ")
        if word in (b"author", b"committer"):
            who, _, when = rest.rpartition(b"> ")
            people.add(who.rpartition(b"<")[2].decode("utf-8", "replace").strip().casefold())
            if word == b"committer":
                day = day_of(when.split(b" ")[0])
    return Person(people, day, message.decode("utf-8", "replace"))


def distinct(policies: list[Policy]) -> list[Policy]:
    return list({policy.digest: policy for policy in policies}.values())


class Range:
    """Commits to judge, and what they are judged with."""

    def __init__(
        self, repo: Repo, head: bytes, start: bytes, base: bytes | None, today: datetime.date | None, branch: str = ""
    ) -> None:
        self.repo, self.head, self.start, self.base, self.today = repo, head, start, base, today
        self.everything = repo.commits(head, start)
        known = {start, head} | {p for _, parents in self.everything for p in parents} | ({base} if base else set())
        self.policies = Policies(repo, sorted(known))
        # What judges commits that have no policy behind them: a side line from before the policy.
        anchor = base if base and self.policies.has(base) else start
        fallback = self.policies.of(anchor)
        assert fallback is not None
        self.anchor, self.fallback = anchor, fallback
        found = load_records(repo, repo.files(head, "policy"))
        last = fallback if base else self.policies.of(head) or fallback
        keys = signers_at(repo, anchor if base else head)
        self.ledger = Ledger(found, branch or last.branch, last, keys)

    def changes(self) -> list[tuple[Change, list[bytes]]]:
        """Every commit's change, parents first. Records that came in anywhere are kept, even if removed since."""
        pairs = [(commit, parent) for commit, parents in self.everything for parent in parents or [b""]]
        diffs = iter(self.repo.diffs(pairs))
        found = []
        for commit, parents in self.everything:
            own = [next(diffs) for _ in parents or [b""]]
            self.ledger.add(load_records(self.repo, {e.path: (e.new_mode, e.new) for e in own[0] if is_new_record(e)}))
            found.append((self.change(commit, parents, own), parents))
        return found

    def change(self, commit: bytes, parents: list[bytes], diffs: list[list[Entry]]) -> Change:
        policies = [self.policies.of(parent) or self.fallback for parent in parents or [self.anchor]]
        merge = len(parents) > 1
        entries = merged_entries(self.repo, parents, concerned(diffs, policies), policies) if merge else diffs[0]
        return bare_change(f"commit {commit.decode()[:12]}", commit, entries, distinct(policies))

    def detailed(self, change: Change, parents: list[bytes], today: datetime.date | None) -> Change:
        """With what only a closer look needs."""
        assert change.commit is not None
        person = read_commit(self.repo, change.commit)
        keys = [signers_at(self.repo, parent) for parent in parents[:1] if self.policies.has(parent)]
        if self.base or not keys:
            keys.append(signers_at(self.repo, self.anchor))
        return change._replace(  # fmt: skip
            signers=keys, people=person.people, day=today or person.day, incoming=today is not None,
            message=person.message,
        )


def beginnings(repo: Repo, commits: Commits) -> list[bytes]:
    """The commits that have a policy.toml and no parent that has one."""
    policies = repo.ids(commit + b":" + POLICY.encode() for commit, _ in commits)
    having = {commit for (commit, _), blob in zip(commits, policies) if blob is not None}
    return [commit for commit, parents in commits if commit in having and not any(p in having for p in parents)]


def find_start(repo: Repo, head: bytes) -> bytes | None | Finding:
    found = beginnings(repo, repo.commits(head))
    if len(found) > 1:
        names = ", ".join(commit.decode()[:12] for commit in found)
        return history_finding(
            f"the history of {head.decode()[:12]}",
            f"the policy begins in more than one commit ({names}): a side line brought one of its own",
            "rebase the side line onto the branch that has the policy",
        )
    return found[0] if found else None


# --- ranges ---


def unusable(repo: Repo) -> list[Finding]:
    if repo.shallow():
        return [
            history_finding(
                "this clone", "it is shallow: commits that must be judged are missing", "git fetch --unshallow"
            )
        ]
    return []


def check_range(
    repo: Repo, head: bytes, base: bytes | None, branch: str = "", today: datetime.date | None = None
) -> Verdict:
    """Every commit of base..head; without base, of the whole history since the policy came in."""
    trouble = unusable(repo)
    if trouble:
        return Verdict(trouble, [])
    if base and not repo.merge_bases(base, head):
        where = f"{base.decode()[:12]}..{head.decode()[:12]}"
        return Verdict([history_finding(where, "they have no common ancestor", "name a base the work came from")], [])
    if base and repo.read(base + b":" + POLICY.encode()) is not None:
        start: bytes | None | Finding = find_start(repo, base)
    else:
        start = find_start(repo, head)
    if isinstance(start, Finding):
        return Verdict([start], [])
    if start is None:
        return Verdict([], ["no policy.toml in this history: nothing is protected yet"], bootstrap=True)
    return judge_range(Range(repo, head, start, base, today, branch))


def judge_range(rng: Range) -> Verdict:
    wanted = {commit for commit, _ in rng.repo.commits(rng.head, rng.start, *([rng.base] if rng.base else []))}
    outcomes = judge_changes(rng, wanted)
    findings = [finding for outcome in outcomes for finding in outcome.findings] + at_head(rng)
    notes = [note for outcome in outcomes for note in outcome.notes]
    approved = [(o.digest, o.record) for o in outcomes if o.record is not None]
    mode = (rng.policies.of(rng.head) or rng.fallback).mode
    return Verdict(findings, notes, len(wanted), approved, mode=mode)


def judge_changes(rng: Range, wanted: set[bytes]) -> list[Outcome]:
    """Judges the wanted commits; of the others, those that may have used up a record a wanted one needs."""
    rows: list[tuple[Change, list[bytes], Protected]] = []
    for change, parents in rng.changes():
        rows.append((change, parents, protected(change.entries, change.policies, rng.repo)))
    needed = {need.digest for change, _, need in rows if need.entries and change.commit in wanted}
    outcomes = []
    for change, parents, need in rows:
        if change.commit in wanted:
            outcome = judge(rng.detailed(change, parents, rng.today), need, rng.repo, rng.ledger)
            outcomes.append(outcome._replace(findings=outcome.findings + loosened(rng, change, need)))
        elif need.entries and need.digest in needed:
            judge(rng.detailed(change, parents, None), need, rng.repo, rng.ledger)
    return outcomes


def loosened(rng: Range, change: Change, own: Protected) -> list[Finding]:
    """What only the base's policy protects: the range loosens the policy and uses that at once, or it grew
    from a commit that had a looser one."""
    if rng.base is None or rng.fallback in change.policies:
        return []
    need = protected(change.entries, [rng.fallback], rng.repo)
    paths = sorted({show(entry.path) for entry in need.entries if entry not in own.entries})
    if not paths:
        return []
    why = "the base's policy protects it, and the one this commit was made under does not"
    then = "rebase onto the base and ask for an approval; a looser policy lands first, by itself"
    return [Finding("refused", change.where, paths, f"{paths[0]} in {change.where}", why, then)]


# --- the state at the head ---


def at_head(rng: Range) -> list[Finding]:
    repo = rng.repo
    findings = []
    try:
        policy = rng.policies.of(rng.head)
    except PolicyError as error:
        return [history_finding(POLICY, str(error), f"{COMMAND} check --working-tree, once it is mended")]
    if policy is None:
        where = f"{POLICY} in {rng.head.decode()[:12]}"
        return [history_finding(where, "the policy may change, never go away", f"git checkout {rng.start.decode()[:12]} -- {POLICY}")]
    findings += missing(policy, repo.files(rng.head), repo, f"commit {rng.head.decode()[:12]}")
    before: dict[bytes, tuple[bytes, bytes]] = {}
    parents: list[bytes] = next((found for commit, found in reversed(rng.everything) if commit == rng.head), [])
    for commit in [*parents, *([rng.base] if rng.base else [])]:
        before.update(repo.files(commit, records.BREAK_GLASS))
    return findings + follow_ups(rng.ledger, load_records(repo, before))


def missing(policy: Policy, files: dict[bytes, tuple[bytes, bytes]], repo: Repo, where: str) -> list[Finding]:
    """Listed paths that nothing matches, and symbols that no file of their tier defines: a rename would
    otherwise leave its tier unseen."""
    from .symbols import in_sources

    then = f"bring it back, or correct {POLICY} in the same commit ({COMMAND} request --staged)"
    findings = []
    for rule in policy.rules:
        for pattern in rule.paths:
            regex = any_of([pattern])
            if pattern.encode() in files or any(regex.fullmatch(name) for name in files):
                continue
            why = f"{POLICY} lists it under Tier {rule.tier}, {rule.name}, and no file has that name"
            findings.append(Finding("missing", where, [pattern], f"{pattern} in {where}", why, then))
    for text in in_sources(policy, files, lambda path: repo.blob(files[path][1])):
        symbol, _, why = text.partition(": ")
        findings.append(Finding("missing", where, [symbol], f"{symbol} in {where}", why, then))
    return findings


def follow_ups(ledger: Ledger, emergencies: list[Record]) -> list[Finding]:
    """Emergency records of earlier commits that no later record has settled."""
    findings = []
    for record in emergencies:
        if ledger.standing("follow-up", record.id) is None:
            where = f"break-glass {record.id[:12]} of {record.approver}"
            then = f"{COMMAND} approve --follow-up {record.id[:12]} --why TEXT"
            findings.append(Finding("follow-up", where, [record.path], where, "it is still without its follow-up", then))
    return findings
