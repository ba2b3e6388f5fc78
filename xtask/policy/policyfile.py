"""policy.toml, its general sections: who may approve, and what is protected how.

The `hotpath` tables belong to the binary gate and are not looked at here.
"""

from __future__ import annotations

import os
import re
import tomllib
from typing import Any, NamedTuple

from .digest import text_digest
from .names import Patterns, any_of

POLICY = "policy.toml"
# Protected whatever the policy says: whoever edits these edits the judge.
ALWAYS = [
    "policy.toml",
    "policy/",
    "xtask/__init__.py",
    "xtask/exitcodes.py",
    "xtask/policy/",
    "scripts/hooks/",
    ".pre-commit-config.yaml",
    ".ci/",
    ".github/",
    ".gitlab-ci.yml",
    ".gitattributes",
    "**/.gitattributes",
    ".gitmodules",
]
GENERAL = {"version", "repository", "branch", "mode", "expiry_days", "approvers", "tier", "ratchet", "generator"}
TOP_LEVEL = GENERAL | {"hotpath"}


class PolicyError(Exception):
    """policy.toml cannot be used; everything is refused until it can."""


class Rule(NamedTuple):
    """A group of files with one tier and one reason. `paths` must each exist, `also` need not."""

    tier: int
    name: str
    why: str
    paths: list[str]
    also: list[str]
    symbols: list[str]


class Ratchet(NamedTuple):
    """Something that may move one way only without an approval; see ratchets.py."""

    name: str
    why: str
    kind: str  # table | count
    paths: list[str]
    options: dict[str, Any]


class Generator(NamedTuple):
    """A file in the repository that is made from others by a command (words after `python3 -m xtask`)."""

    output: str
    inputs: list[str]
    command: list[str]


class Policy:
    """The parsed file."""

    def __init__(self, data: bytes) -> None:
        self.digest = text_digest(data)
        try:
            table = tomllib.loads(data.decode("utf-8"))
        except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise PolicyError(f"{POLICY}: {error}") from None
        self.table = table
        unknown = sorted(set(table) - TOP_LEVEL)
        if unknown:
            raise PolicyError(f"{POLICY}: unknown section {unknown[0]!r}")
        if table.get("version") != 1:
            raise PolicyError(f"{POLICY}: version must be 1")
        self.repository = word(table, "repository")
        self.branch = word(table, "branch")
        self.mode = word(table, "mode")
        if self.mode not in ("recorded", "signed"):
            raise PolicyError(f"{POLICY}: mode is recorded or signed, not {self.mode!r}")
        self.expiry_days = table.get("expiry_days", 30)
        if not isinstance(self.expiry_days, int) or not 1 <= self.expiry_days <= 366:
            raise PolicyError(f"{POLICY}: expiry_days is a number from 1 to 366")
        self.approvers = words(table, "approvers", POLICY)
        self.rules = [make_rule(row) for row in rows(table, "tier")]
        self.ratchets = [make_ratchet(row) for row in rows(table, "ratchet")]
        self.generators = [make_generator(row) for row in rows(table, "generator")]
        self._compile()

    @property
    def signed(self) -> bool:
        return self.mode == "signed"

    def _compile(self) -> None:
        frozen = [p for rule in self.rules if rule.tier < 2 for p in rule.paths + rule.also]
        self.frozen = Patterns(ALWAYS + frozen)
        self.ratcheted = any_of([p for ratchet in self.ratchets for p in ratchet.paths])
        self._rules = [(any_of(rule.paths + rule.also), rule) for rule in self.rules]
        self._always = any_of(ALWAYS)

    def rule(self, path: bytes) -> Rule | None:
        """The strictest rule a path is under."""
        found = [rule for regex, rule in self._rules if regex.fullmatch(path)]
        if self._always.fullmatch(path):
            found.append(BUILT_IN)
        return min(found, key=lambda rule: rule.tier) if found else None

    def tier(self, path: bytes) -> int | None:
        found = self.rule(path)
        return found.tier if found else None


BUILT_IN = Rule(0, "the judge", "whoever edits this edits the judge itself", ALWAYS, [], [])


def word(table: dict[str, Any], key: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value.strip():
        raise PolicyError(f"{POLICY}: {key} is missing or not a string")
    return value


def words(table: dict[str, Any], key: str, where: str, needed: bool = False) -> list[str]:
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise PolicyError(f"{POLICY}: {where}: {key} is not a list of strings")
    if needed and not value:
        raise PolicyError(f"{POLICY}: {where}: {key} is missing")
    return list(value)


def rows(table: dict[str, Any], key: str) -> list[dict[str, Any]]:
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise PolicyError(f"{POLICY}: {key} is not a list of tables ([[{key}]])")
    return value


def keys_known(row: dict[str, Any], known: set[str], where: str) -> None:
    unknown = sorted(set(row) - known)
    if unknown:
        raise PolicyError(f"{POLICY}: {where}: unknown key {unknown[0]!r}")


def make_rule(row: dict[str, Any]) -> Rule:
    name = word(row, "name")
    keys_known(row, {"tier", "name", "why", "paths", "also", "symbols"}, name)
    tier = row.get("tier")
    if tier not in (0, 1, 2):
        raise PolicyError(f"{POLICY}: {name}: tier is 0, 1 or 2")
    rule = Rule(
        tier, name, word(row, "why"), words(row, "paths", name), words(row, "also", name), words(row, "symbols", name)
    )
    for pattern in rule.paths + rule.also:
        if pattern.startswith("/") or "//" in pattern or ".." in pattern.split("/"):
            raise PolicyError(f"{POLICY}: {name}: {pattern!r} is not a path from the top of the repository")
    if not rule.paths and not rule.also:
        raise PolicyError(f"{POLICY}: {name}: no paths")
    return rule


def make_ratchet(row: dict[str, Any]) -> Ratchet:
    name = word(row, "name")
    kind = word(row, "kind")
    known = {"table": {"key", "not_up", "not_narrower"}, "count": {"pattern", "may"}}
    if kind not in known:
        raise PolicyError(f"{POLICY}: ratchet {name}: kind is table or count")
    keys_known(row, {"name", "why", "kind", "paths"} | known[kind], name)
    options = {key: row[key] for key in known[kind] if key in row}
    if kind == "count":
        if options.get("may") not in ("fall", "grow"):
            raise PolicyError(f"{POLICY}: ratchet {name}: may is fall or grow")
        try:
            re.compile(word(row, "pattern").encode())
        except re.error as error:
            raise PolicyError(f"{POLICY}: ratchet {name}: pattern: {error}") from None
    return Ratchet(name, word(row, "why"), kind, words(row, "paths", name, needed=True), options)


def make_generator(row: dict[str, Any]) -> Generator:
    output = word(row, "output")
    keys_known(row, {"output", "inputs", "command"}, output)
    return Generator(output, words(row, "inputs", output, needed=True), words(row, "command", output, needed=True))


def load_file(root: str) -> Policy:
    """The policy of a working tree."""
    try:
        with open(os.path.join(root, POLICY), "rb") as stream:
            return Policy(stream.read())
    except OSError as error:
        raise PolicyError(f"{POLICY}: {error.strerror}") from None
