"""What a change of policy.toml means: above all, what leaves a tier. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from .names import show
from .policyfile import Policy


def tier_name(tier: int | None) -> str:
    return "no tier" if tier is None else f"Tier {tier}"


def rank(tier: int | None) -> int:
    return 3 if tier is None else tier


def compare(old: Policy, new: Policy, files: Iterable[bytes]) -> list[str]:
    """Lines for people; those that begin with LOOSER take protection away."""
    lines = []
    if old.signed and not new.signed:
        lines.append("LOOSER: approvals need no signature any more")
    elif new.signed and not old.signed:
        lines.append("stricter: approvals are signed from now on")
    for path in sorted(files):
        before, after = old.tier(path), new.tier(path)
        if before != after:
            word = "LOOSER" if rank(after) > rank(before) else "stricter"
            lines.append(f"{word}: {show(path)}: {tier_name(before)} -> {tier_name(after)}")
    lines += sets("pattern", patterns(old), patterns(new))
    lines += sets("symbol", symbols(old), symbols(new))
    lines += sets("approver", set(new.approvers), set(old.approvers))
    lines += ratchets(old, new)
    if new.expiry_days > old.expiry_days:
        lines.append(f"LOOSER: approvals hold {new.expiry_days} days, not {old.expiry_days}")
    lines += [f"changed: section {key}" for key in ("repository", "branch", "generator") if differ(old, new, key)]
    lines += hotpath(old, new)
    return sorted(lines, key=lambda line: not line.startswith("LOOSER"))


def differ(old: Policy, new: Policy, key: str) -> bool:
    return bool(old.table.get(key) != new.table.get(key))


def patterns(policy: Policy) -> set[str]:
    return {f"Tier {rule.tier} {pattern}" for rule in policy.rules for pattern in rule.paths + rule.also}


def symbols(policy: Policy) -> set[str]:
    return {f"Tier {rule.tier} {name}" for rule in policy.rules for name in rule.symbols}


def sets(what: str, old: set[str], new: set[str]) -> list[str]:
    gone = [f"LOOSER: {what} {name} {'may approve now' if what == 'approver' else 'leaves'}" for name in sorted(old - new)]
    return gone + [f"stricter: {what} {name}" for name in sorted(new - old)]


def ratchets(old: Policy, new: Policy) -> list[str]:
    before = {ratchet.name: ratchet for ratchet in old.ratchets}
    after = {ratchet.name: ratchet for ratchet in new.ratchets}
    lines = [f"LOOSER: ratchet {name!r} is gone" for name in sorted(before.keys() - after.keys())]
    lines += [f"stricter: ratchet {name!r}" for name in sorted(after.keys() - before.keys())]
    changed = [name for name in sorted(before.keys() & after.keys()) if before[name] != after[name]]
    return lines + [f"changed: ratchet {name!r}" for name in changed]


def hotpath(old: Policy, new: Policy) -> list[str]:
    """The binary gate's tables, by the numbers in them that rose and what was added or went."""
    before, after = flat(old.table.get("hotpath", {})), flat(new.table.get("hotpath", {}))
    lines = [f"hotpath: {key}: {before[key]} -> {after[key]}" for key in before.keys() & after.keys() if before[key] != after[key]]
    lines += [f"hotpath: {key} = {before[key]} is gone" for key in before.keys() - after.keys()]
    return sorted(lines + [f"hotpath: {key} = {after[key]} is new" for key in after.keys() - before.keys()])


def flat(value: object, at: str = "") -> dict[str, str]:
    """A table as dotted keys; rows of lists go by their name, so that inserting one moves none."""
    if isinstance(value, dict):
        found = {}
        for key, item in value.items():
            found.update(flat(item, f"{at}.{key}" if at else str(key)))
        return found
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        found = {}
        for place, item in enumerate(value):
            name = item.get("name", item.get("from", item.get("caller", place)))
            found.update(flat(item, f"{at}[{name}]"))
        return found
    return {at: str(value)}
