"""Merges: what of one is new, and what is only what one side had done already."""

from __future__ import annotations

from .git import Entry, Repo
from .names import suspicious
from .policyfile import Policy


def merged_entries(
    repo: Repo, parents: list[bytes], diffs: list[list[Entry]], policies: list[Policy]
) -> list[Entry]:
    """The entries of a merge that are not just what one side made of the merge base. policies: each parent's.

    Clean: the result is what some parent has, and each parent that has something else still has what was in
    its merge bases with that one. Two sides that both changed a file, and an edit made while merging, are not;
    nor is what comes from a side whose policy does not protect it, while another parent's does.
    """
    values = [{entry.path: entry for entry in entries} for entries in diffs]
    bases: dict[tuple[int, int], list[dict[bytes, Entry]]] = {}

    def unchanged(other: int, taken: int, path: bytes) -> bool:
        """Whether parent `other` has at path what every merge base with parent `taken` has."""
        if (other, taken) not in bases:
            found = repo.merge_bases(parents[other], parents[taken])
            bases[other, taken] = [{e.path: e for e in repo.diff(base, parents[other])} for base in found]
        # Without a common ancestor nothing was there: only what `other` lacks is unchanged.
        if not bases[other, taken]:
            return values[other][path].added
        return all(path not in base for base in bases[other, taken])

    left: list[Entry] = []
    for path in sorted({path for value in values for path in value}):
        differ = [place for place, value in enumerate(values) if path in value]
        guarded = any(policy.frozen.match(path) for policy in policies)
        same = [
            place
            for place in range(len(parents))
            if place not in differ and (not guarded or policies[place].frozen.match(path))
        ]
        if not any(all(unchanged(other, taken, path) for other in differ) for taken in same):
            left += [values[place][path] for place in differ]
    return left


def concerned(diffs: list[list[Entry]], policies: list[Policy]) -> list[list[Entry]]:
    """The entries of a merge that some policy could care about: the rest needs no merge base."""

    def cares(entry: Entry) -> bool:
        for policy in policies:
            frozen = policy.frozen
            if frozen.like(entry.path) or frozen.like_above(entry.path) or policy.tier(entry.path) is not None:
                return True
            if policy.ratcheted.fullmatch(entry.path) or suspicious(entry.path, frozen):
                return True
        return False

    return [[entry for entry in entries if cares(entry)] for entries in diffs]
