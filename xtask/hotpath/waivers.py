"""Approved exceptions from the gate: records of kind reach and budget, looked up in one place."""

from __future__ import annotations

from pathlib import Path

# Which kind of record waives which findings.
RECORD_KIND = {"reach": "reach", "pointer": "reach", "stack": "budget", "budget": "budget", "growth": "budget"}


def waived(root: Path, kind: str, subject: str) -> str | None:
    """The ID of a valid record for this finding, or None. Findings of other kinds cannot be waived, and
    nothing is where the records or the policy cannot be read."""
    record_kind = RECORD_KIND.get(kind)
    if record_kind is None:
        return None
    from ..policy import git, policyfile, records  # needed only when something is wrong

    try:
        found = records.waived(record_kind, subject, str(root))
    except (OSError, git.GitError, policyfile.PolicyError, records.RecordError):
        return None
    return found.id if found else None
