"""Ratchets: what may move one way only without an approval. Pure: old and new content in, complaints out.

`table`: rows of fields between `|`, found by the field `key`. No row goes away; a number in `not_up` does not
rise; a list of words in `not_narrower` loses none (`all` is every word).
`count`: how often `pattern` occurs, over all changed files of the ratchet together, so that moving a test is
nothing; it `may` only fall or only grow.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from .git import Entry
from .names import any_of, show
from .policyfile import Policy, Ratchet


class Slip(NamedTuple):
    """An entry that moves a ratchet the wrong way, and how."""

    entry: Entry
    ratchet: Ratchet
    detail: str


def table_rows(data: bytes, key: int) -> dict[str, list[str]]:
    rows = {}
    for line in data.decode("utf-8", "replace").splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            fields = [field.strip() for field in line.split("|")]
            if len(fields) > key:
                rows[fields[key]] = fields
    return rows


def field(row: list[str], place: int) -> str:
    return row[place] if place < len(row) else ""


def rose(old: str, new: str) -> bool:
    if not new.isdecimal():
        return old != new
    return old.isdecimal() and int(new) > int(old)


def narrowed(old: str, new: str) -> bool:
    if new == "all":
        return False
    before, after = ({word.strip() for word in text.split(",")} for text in (old, new))
    return old == "all" or not before <= after


def table_slips(old: bytes, new: bytes, ratchet: Ratchet) -> list[str]:
    """What became less from old to new."""
    key = int(ratchet.options.get("key", 0))
    before, after = table_rows(old, key), table_rows(new, key)
    found = []
    for name, row in before.items():
        now = after.get(name)
        if now is None:
            found.append(f"row {name} is gone")
            continue
        for places, worse, verb in (("not_up", rose, "rises"), ("not_narrower", narrowed, "narrows")):
            for place in ratchet.options.get(places, []):
                was, is_ = field(row, place), field(now, place)
                if worse(was, is_):
                    found.append(f"row {name}: field {place + 1} {verb}: {was} -> {is_}")
    return found


def count_slips(pairs: list[tuple[Entry, bytes, bytes]], ratchet: Ratchet) -> list[tuple[Entry, str]]:
    """The entries that moved the count the wrong way, when the sum of all did."""
    pattern = re.compile(ratchet.options["pattern"].encode(), re.MULTILINE)
    wrong = 1 if ratchet.options["may"] == "fall" else -1
    moves = [(entry, len(pattern.findall(new)) - len(pattern.findall(old))) for entry, old, new in pairs]
    if sum(move for _, move in moves) * wrong <= 0:
        return []
    return [(entry, f"{move:+d}") for entry, move in moves if move * wrong > 0]


def slips(entries: list[Entry], policy: Policy, blob: Callable[[bytes], bytes]) -> list[Slip]:
    """Every entry of a change that moves a ratchet the wrong way."""

    def content(mode: bytes, object_id: bytes) -> bytes:
        return blob(object_id) if mode.startswith(b"100") else b""

    found = []
    for ratchet in policy.ratchets:
        patterns = any_of(ratchet.paths)
        pairs = [
            (entry, content(entry.old_mode, entry.old), content(entry.new_mode, entry.new))
            for entry in entries
            if patterns.fullmatch(entry.path)
        ]
        if not pairs:
            continue
        if ratchet.kind == "count":
            found += [Slip(entry, ratchet, detail) for entry, detail in count_slips(pairs, ratchet)]
            continue
        for entry, old, new in pairs:
            details = table_slips(old, new, ratchet)
            if details:
                more = f" (+{len(details) - 2} more)" if len(details) > 2 else ""
                found.append(Slip(entry, ratchet, "; ".join(details[:2]) + more))
    return found


def describe(slip: Slip) -> str:
    return f"{show(slip.entry.path)}: {slip.ratchet.name}: {slip.detail}"
