"""Approved exceptions from the gate: records of kind reach and budget, looked up in one place."""

from __future__ import annotations

from pathlib import Path

# Which kind of record waives which findings.
RECORD_KIND = {"reach": "reach", "pointer": "reach", "stack": "budget", "budget": "budget", "growth": "budget"}


def waived(root: Path, kind: str, subject: str) -> str | None:
    """The ID of a valid record for this finding, or None. Findings of other kinds cannot be waived."""
    record_kind = RECORD_KIND.get(kind)
    if record_kind is None:
        return None
    try:
        from ..policy import records
    except ImportError:
        return None
    lookup = getattr(records, "waiver", None)
    found = lookup(root, record_kind, subject) if lookup else None
    return str(found) if found else None
