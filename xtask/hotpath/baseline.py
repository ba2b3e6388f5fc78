"""The committed baseline: what the hot paths were, and how they differ now."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .check import Checker, EntryResult
from .graph import Graph
from .image import Image
from .measure import Count
from .policy import HotPolicy, is_pattern

Record = dict[str, Any]


class BaselineError(Exception):
    """The baseline cannot be read."""


def path_for(root: Path, arch: str) -> Path:
    return root / "policy" / f"hotpath-{arch}.json"


def read(path: Path) -> Record | None:
    try:
        found = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise BaselineError(f"{path}: {error}") from None
    if not isinstance(found, dict) or not all(
        isinstance(found.get(key), dict) for key in ("entries", "measures", "symbols")
    ):
        raise BaselineError(f"{path}: not a baseline")
    return found


def tier_symbols(image: Image, policy: HotPolicy) -> dict[str, Record]:
    """Where each symbol of the tier comes from: what its files define for others, and what the policy names."""
    roots = [name for entry in policy.entries for name in entry.roots if not is_pattern(name)]
    places = [name for m in policy.measures for name in (*m.start, *m.via, *m.stop)]
    named = {re.split("[:+]", name)[0] for name in roots + places}
    found = {}
    for function in image.functions:
        own = function.source.startswith(policy.tier) and function.bind != "local"
        for name in sorted(function.names):
            if own or name in named:
                others = sorted(function.names - {name})
                found[name] = {"source": function.source, "bind": image.bind(name), "aliases": others}
    return found


def make(
    graph: Graph, policy: HotPolicy, results: list[EntryResult], counts: dict[str, Count], compiler: str
) -> Record:
    return {
        "arch": policy.arch,
        "compiler": compiler,
        "entries": {r.name: {"stack": r.stack, "functions": r.functions} for r in results},
        "measures": {name: asdict(count) for name, count in counts.items()},
        "symbols": tier_symbols(graph.image, policy),
    }


def text(record: Record) -> str:
    return json.dumps(record, indent=1, sort_keys=True) + "\n"


def grown(old: int, new: int, percent: float) -> bool:
    return new > old * (1 + percent / 100)


def compare(checker: Checker, old: Record, new: Record, percent: float, measured: bool) -> list[str]:
    """Lines of the delta; what is worse than the baseline allows becomes findings."""
    lines: list[str] = []
    if old.get("compiler") != new["compiler"]:
        lines.append(f"compiler: {old.get('compiler')} -> {new['compiler']}")
    for name, entry in new["entries"].items():
        before = old["entries"].get(name)
        if before is None:
            checker.report("baseline", name, f"the baseline does not know the entry {name}")
            continue
        lines += figure(checker, f"{name}.stack", before["stack"], entry["stack"], percent, "bytes")
        for sign, names in (
            ("+", sorted(set(entry["functions"]) - set(before["functions"]))),
            ("-", sorted(set(before["functions"]) - set(entry["functions"]))),
        ):
            lines += [f"{name}: {sign} {function}" for function in names]
    if measured:
        lines += compare_measures(checker, old["measures"], new["measures"], percent)
    return lines + compare_symbols(checker, old["symbols"], new["symbols"])


def compare_measures(checker: Checker, old: Record, new: Record, percent: float) -> list[str]:
    lines = []
    for name in sorted(old.keys() | new.keys()):
        if name not in new:
            checker.report("unmeasured", name, f"{name} is in the baseline and was not measured")
        elif name not in old:
            checker.report("baseline", name, f"the baseline does not know the measure {name}")
        else:
            lines += figure(checker, name, old[name]["median"], new[name]["median"], percent, "instructions")
    return lines


def figure(checker: Checker, name: str, old: int, new: int, percent: float, unit: str) -> list[str]:
    if old == new:
        return []
    if grown(old, new, percent):
        limit = f"more than {percent:g} % over the baseline"
        checker.report("growth", f"{name} +{new - old}", f"{name}: {old} -> {new} {unit}, {limit}")
    return [f"{name}: {old} -> {new} {unit} ({(new - old) / old * 100:+.1f} %)"]


def compare_symbols(checker: Checker, old: Record, new: Record) -> list[str]:
    """A symbol of the tier that is made elsewhere, otherwise, or no longer."""
    lines = []
    for name in sorted(old.keys() | new.keys()):
        before, now = old.get(name), new.get(name)
        if before == now:
            continue
        if now is None:
            checker.report("symbol", name, f"{name} of {old[name]['source']} is no symbol of the tier any longer")
        elif before is None:
            lines.append(f"symbol {name}: new, from {now['source']}")
        else:
            keys = [key for key in ("source", "bind", "aliases") if before.get(key) != now.get(key)]
            changes = [f"{key} {before.get(key)} -> {now.get(key)}" for key in keys]
            checker.report("symbol", name, f"{name}: {', '.join(changes)}")
    return lines
