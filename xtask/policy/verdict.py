"""The verdict on one change: what of it is protected, and whether a record allows exactly that."""

from __future__ import annotations

import datetime
from typing import NamedTuple

from . import ratchets, records
from .digest import change_digest
from .git import Entry, Repo
from .names import bad_type, show, suspicious
from .policyfile import POLICY, Policy, PolicyError
from .records import Record, RecordError

COMMAND = "python3 -m xtask policy"


class Finding(NamedTuple):
    """A refusal, in three lines: what was touched, why that is protected, what to type next."""

    kind: str  # approval | refused | why | follow-up | missing | history
    where: str
    paths: list[str]
    touched: str
    why: str
    next: str

    def lines(self) -> list[str]:
        return [f"policy: refused: {self.touched}", f"  why:  {self.why}", f"  next: {self.next}"]


class Change(NamedTuple):
    """One commit (or what will be one): a difference against each parent, cleaned of what merging alone made."""

    where: str
    commit: bytes | None
    entries: list[Entry]
    policies: list[Policy]  # of its parents; records are bound to the first
    signers: list[bytes | None]  # each of these lists of keys must hold the signer's
    people: set[str]  # addresses of author and committer
    message: str | None
    day: datetime.date  # by which terms are judged: today for what comes in, else the committer's
    incoming: bool


def bare_change(where: str, commit: bytes | None, entries: list[Entry], policies: list[Policy]) -> Change:
    """A change before anyone has looked at who made it and when."""
    return Change(where, commit, entries, policies, [], set(), None, datetime.date.max, False)


class Protected(NamedTuple):
    """What of a change needs a record."""

    entries: list[Entry]
    slips: list[ratchets.Slip]

    @property
    def digest(self) -> str:
        return change_digest(self.entries)


def record_path(path: bytes) -> bool:
    """Whether path is where a record lives."""
    for directory in (records.APPROVALS, records.BREAK_GLASS):
        start = directory.encode()
        if path.startswith(start):
            name = path[len(start) :]
            return b"/" not in name and name.endswith(b".toml")
    return False


def is_new_record(entry: Entry) -> bool:
    return entry.added and entry.new_mode == b"100644" and record_path(entry.path)


def protected(change_entries: list[Entry], policies: list[Policy], repo: Repo) -> Protected:
    """The entries under Tier 0 or 1 of any parent's policy, and those that move a ratchet the wrong way."""
    found: dict[Entry, None] = {}
    slips: list[ratchets.Slip] = []
    for policy in policies:
        for entry in change_entries:
            if policy.frozen.match(entry.path) and not is_new_record(entry):
                found[entry] = None
        for slip in ratchets.slips(change_entries, policy, repo.blob):
            if slip.entry not in found:
                slips.append(slip)
            found[slip.entry] = None
    return Protected(list(found), slips)


# --- what no record allows ---


def names(paths: list[str]) -> str:
    more = f" (+{len(paths) - 3} more)" if len(paths) > 3 else ""
    return ", ".join(paths[:3]) + more


def refusals(change: Change, repo: Repo) -> list[Finding]:
    """Names and types that pass for something else, broken records, a policy that is gone or broken."""
    found = []
    for entry in change.entries:
        if entry.deleted:
            continue
        for policy in change.policies:
            reason = bad_type(entry.path, entry.new_mode, policy.frozen)
            if not reason and entry.added:
                reason = suspicious(entry.path, policy.frozen)
            if reason:
                shown = show(entry.path)
                found.append(refused(change, shown, reason, f"git rm --cached -- {shown!r}, under a plain name"))
                break
    for entry in change.entries:
        if is_new_record(entry):
            found += record_refusal(change, entry, repo)
        elif entry.path == POLICY.encode():
            found += policy_refusal(change, entry, repo)
    return found


def refused(change: Change, shown: str, reason: str, then: str) -> Finding:
    return Finding("refused", change.where, [shown], f"{shown} in {change.where}", f"{reason}; no approval covers that", then)


def record_refusal(change: Change, entry: Entry, repo: Repo) -> list[Finding]:
    try:
        records.parse(repo.blob(entry.new), entry.path.decode("ascii", "replace"))
    except RecordError as error:
        then = f"{COMMAND} approve (it writes the file; none is written or edited by hand)"
        return [refused(change, show(entry.path), f"not a record: {error}", then)]
    return []


def policy_refusal(change: Change, entry: Entry, repo: Repo) -> list[Finding]:
    if entry.deleted:
        return [refused(change, POLICY, "the policy may change, never go away", f"git checkout HEAD -- {POLICY}")]
    try:
        Policy(repo.blob(entry.new))
    except PolicyError as error:
        return [refused(change, POLICY, str(error), f"{COMMAND} check --working-tree, once it is mended")]
    return []


# --- what a record allows ---


class Ledger:
    """The records that a check may use; each serves one commit."""

    def __init__(self, known: list[Record], branch: str, policy: Policy, signers: bytes | None) -> None:
        self.branch = branch
        self.all = list(known)
        self.policy = policy
        self.signers = signers
        self.used: set[str] = set()

    def add(self, found: list[Record]) -> None:
        known = {record.id for record in self.all}
        self.all += [record for record in found if record.id not in known]

    def standing(self, kind: str, subject: str) -> Record | None:
        """A record made after the fact, judged by the policy and keys of the check's base."""
        for record in self.all:
            if (record.kind, record.subject) == (kind, subject) and not self.doubt(record):
                return record
        return None

    def doubt(self, record: Record) -> str:
        if record.repository != self.policy.repository:
            return f"it is for repository {record.repository!r}"
        if self.policy.approvers and record.principal not in self.policy.approvers:
            return f"{record.principal} is not among the policy's approvers"
        return records.signature_problem(record, self.signers) if self.policy.signed else ""

    def of(self, kind: str, change: str) -> list[Record]:
        found = [r for r in self.all if r.kind == kind and r.change == change]
        return sorted(found, key=lambda r: (r.expires, r.id))


def problem(record: Record, change: Change, branch: str, own_key: bool = False) -> str:
    """Why a record of the right change does not allow it, or nothing."""
    policy = change.policies[0]
    if record.repository != policy.repository:
        return f"it is for repository {record.repository!r}"
    if record.branch != branch:
        return f"it is for branch {record.branch!r}, not {branch!r}"
    if record.policy != policy.digest:
        return "the policy has changed since"
    if records.expired(record, change.day):
        return f"it expired on {record.expires}"
    if change.incoming and not records.expired(record, change.day + datetime.timedelta(days=policy.expiry_days + 2)):
        return f"it holds longer than the policy allows, until {record.expires}"
    if not own_key and policy.approvers and record.principal not in policy.approvers:
        return f"{record.principal} is not among the policy's approvers"
    if not policy.signed:
        return ""
    if not own_key and record.principal.casefold() in change.people:
        return "its approver is the commit's author or committer"
    for signers in change.signers:
        reason = records.signature_problem(record, signers)
        if reason:
            return reason
    return ""


def find_record(kind: str, digest: str, change: Change, ledger: Ledger) -> tuple[Record | None, list[str]]:
    """A record that allows the change and served no other commit; else why each one does not."""
    reasons = []
    for record in ledger.of(kind, digest):
        if record.id in ledger.used:
            reason = "it served an earlier commit"
        else:
            reason = problem(record, change, ledger.branch, own_key=kind == "break-glass")
        if not reason:
            ledger.used.add(record.id)
            return record, []
        reasons.append(f"{kind} record {record.id[:12]}: {reason}")
    return None, reasons


class Outcome(NamedTuple):
    """The verdict on one change."""

    findings: list[Finding]
    record: Record | None = None
    notes: tuple[str, ...] = ()
    digest: str = ""


def judge(change: Change, need: Protected, repo: Repo, ledger: Ledger) -> Outcome:
    findings = refusals(change, repo) + missing_why(change, ledger)
    if not need.entries:
        return Outcome(findings)
    digest = need.digest
    notes = policy_notes(change, repo)
    record, reasons = find_record("path", digest, change, ledger)
    if record:
        return Outcome(findings, record, notes, digest)
    tier_0 = any(policy.tier(entry.path) == 0 for entry in need.entries for policy in change.policies)
    if not tier_0:
        record, more = find_record("break-glass", digest, change, ledger)
        if record:
            note = f"BREAK-GLASS: {change.where} passes on an emergency record of {record.approver}: {record.why.strip()}"
            return Outcome(findings, record, (note, *notes), digest)
        reasons += more
    findings.append(unapproved(change, need, reasons))
    return Outcome(findings, None, notes, digest)


def policy_notes(change: Change, repo: Repo) -> tuple[str, ...]:
    """What a change of policy.toml means, whether it is approved or not."""
    for entry in change.entries:
        if entry.path == POLICY.encode() and not entry.added and not entry.deleted:
            from .semantic import compare

            try:
                new = Policy(repo.blob(entry.new))
            except PolicyError:
                return ()  # refused by itself
            lines = compare(Policy(repo.blob(entry.old)), new, repo.files(change.commit or b"HEAD"))
            return tuple(f"{change.where}: {POLICY}: {line}" for line in lines)
    return ()


def unapproved(change: Change, need: Protected, reasons: list[str]) -> Finding:
    paths = sorted({show(entry.path) for entry in need.entries})
    first = min(need.entries, key=lambda e: (order(change, e), e.path))
    slip = next((s for s in need.slips if s.entry == first), None)
    rule = change.policies[0].rule(first.path)
    if slip is not None:
        why = f"{ratchets.describe(slip)}: {slip.ratchet.why}"
    elif rule is not None:
        why = f"{show(first.path)} is Tier {rule.tier}, {rule.name}: {rule.why}"
    else:
        why = f"{show(first.path)} is protected"
    detail = "; ".join(reasons[:2]) if reasons else "no record approves exactly this change"
    return Finding("approval", change.where, paths, f"{names(paths)} in {change.where}", f"{why}; {detail}", advice(change, need))


def advice(change: Change, need: Protected) -> str:
    """The command to type next."""
    if change.commit:
        return f"{COMMAND} request --commit {change.commit.decode()[:12]}"
    if any(record_path(entry.path) for entry in need.entries):
        return "git restore --source=HEAD --staged --worktree -- policy/ (records stay, even when a change is reverted)"
    return f"{COMMAND} request {'--working-tree' if 'working' in change.where else '--staged'}"


def order(change: Change, entry: Entry) -> int:
    tier = change.policies[0].tier(entry.path)
    return 1 if tier is None else tier


# --- Tier 2 ---


def explains(message: str) -> bool:
    """Whether a message has a `Why:` trailer that says something."""
    for line in message.splitlines():
        if line[:4].lower() == "why:" and len(line[4:].strip()) >= 10:
            return True
    return False


def missing_why(change: Change, ledger: Ledger) -> list[Finding]:
    if change.message is None or explains(change.message):
        return []
    for policy in change.policies:
        paths = sorted({show(e.path) for e in change.entries if policy.tier(e.path) == 2})
        if not paths:
            continue
        if change.commit and ledger.standing("why", change.commit.decode()):
            return []
        rule = policy.rule(next(e.path for e in change.entries if policy.tier(e.path) == 2))
        assert rule is not None
        why = f"Tier 2, {rule.name}: {rule.why}; the message has no `Why:` line"
        then = "git commit --amend, with a last paragraph `Why: REASON`"
        return [Finding("why", change.where, paths, f"{names(paths)} in {change.where}", why, then)]
    return []
