"""`policy symbols`: the tiers' symbols are defined where the policy says, in the sources and in the link map.

A function moved to a file of no tier, a second definition that wins by being weak or renamed by a -D, or a
name that the policy lists and nobody defines: each is a failure.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Callable, Iterable

from .. import exitcodes
from .check import open_repo
from .errors import UsageError
from .names import any_of
from .policyfile import Policy, Rule, load_file

SOURCES = (b".c", b".S", b".h")


def definition(symbol: str) -> re.Pattern[str]:
    """A definition in C (a head at the line's start, no semicolon; or a table) or a label in assembly."""
    name = re.escape(symbol)
    c_head = rf"^(?!\s|#|return\b|else\b)[\w\s*()]*\b{name}\s*(\([^;{{}}]*\)\s*\{{|(\[[^\]]*\])+\s*=)"
    label = rf"^\s*{name}:|^\s*(ENTRY|FUNC|SYM_FUNC|FUNCTION)\w*\s*\(?\s*{name}\b"
    return re.compile(f"{c_head}|{label}", re.MULTILINE)


def in_sources(policy: Policy, names: Iterable[bytes], read: Callable[[bytes], bytes]) -> list[str]:
    """Symbols that no file of their rule defines."""
    wrong = []
    files = [name for name in names if name.endswith(SOURCES)]
    for rule in policy.rules:
        own = any_of(rule.paths + rule.also)
        data = b"\n".join(read(name) for name in files if rule.symbols and own.fullmatch(name))
        text = data.decode("utf-8", "replace")
        for symbol in rule.symbols:
            if not definition(symbol).search(text):
                wrong.append(f"{symbol}: no file of Tier {rule.tier}, {rule.name}, defines it")
    return wrong


MAP_LINE = re.compile(r"^ \.(?:text|rodata|data)\S*\.(\w+)\s+0x[0-9a-f]+\s+0x[0-9a-f]+\s+(\S+)", re.MULTILINE)
SECTION = re.compile(r"^ (\.\S+)\s+0x[0-9a-f]+\s+0x([0-9a-f]+)\s+(\S+\.o)")
SYMBOL = re.compile(r"^\s+0x[0-9a-f]+\s+([A-Za-z_]\w*)$")


def objects(text: str) -> dict[str, str]:
    """Global symbol (or the function a section is named for) → object, from a linker's map."""
    found: dict[str, str] = {}
    for match in MAP_LINE.finditer(text.replace("\n                0x", " 0x")):
        found.setdefault(match[1], match[2])
    current = ""
    for line in re.sub(r"^( \.\S+)\n\s+(0x)", r"\1 \2", text, flags=re.MULTILINE).splitlines():
        section = SECTION.match(line)
        symbol = SYMBOL.match(line)
        if section:
            current = section[3]
        elif symbol and current:
            found[symbol[1]] = current
    return found


def source_of(name: str) -> str:
    """build/…/kernel/entry/return.c.o → kernel/entry/return.c"""
    at = name.find("kernel/")
    return name[at:].removesuffix(".o") if at >= 0 else name


def in_map(policy: Policy, text: str, port: str) -> list[str]:
    found = objects(text)
    wrong = []
    for rule in policy.rules:
        own = any_of(rule.paths + rule.also)
        for symbol in rule.symbols:
            home = found.get(symbol)
            if home is None:
                wrong.append(f"{symbol}: the {port} kernel's link map does not have it")
            elif not own.fullmatch(os.fsencode(source_of(home))):
                wrong.append(f"{symbol}: comes from {source_of(home)}, not from Tier {rule.tier}, {rule.name}")
    return wrong


def listed(rules: list[Rule]) -> int:
    return sum(len(rule.symbols) for rule in rules)


def main(name: str, argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog=f"xtask policy {name}", description=__doc__)
    parser.add_argument("--map", action="append", default=[], metavar="FILE", help="a link map (build/…/cairn.map)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    repo = open_repo()
    policy = load_file(repo.directory)

    def where(path: bytes) -> str:
        return os.path.join(repo.directory, os.fsdecode(path))

    def read(path: bytes) -> bytes:
        with open(where(path), "rb") as stream:
            return stream.read()

    wrong = in_sources(policy, [path for path in repo.index_files() if os.path.isfile(where(path))], read)
    for path in options.map:
        try:
            with open(path, encoding="utf-8", errors="replace") as stream:
                wrong += in_map(policy, stream.read(), os.path.dirname(path) or path)
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror}") from None
    if options.json:
        print(json.dumps({"ok": not wrong, "symbols": listed(policy.rules), "wrong": wrong}, indent=1))
    for line in wrong:
        print(f"policy: refused: symbol {line}", file=sys.stderr)
        print("  why:  a hot function outside its tier can be edited unseen", file=sys.stderr)
        print("  next: move it back, or correct `symbols` in policy.toml (an approval)", file=sys.stderr)
    if not wrong and not options.json:
        print(f"policy: {listed(policy.rules)} symbols are where their tiers say")
    return exitcodes.FAILED if wrong else exitcodes.OK
