"""What a document names must exist: paths, links, make targets, commands and options, stages, symbols. Pure but
for the file system under `root`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .pages import Page, Span

LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
ROOMS = ("kernel/", "userspace/", "xtask/", "scripts/", "docs/", "gdb/", "skills/", "policy/", ".ci/", ".github/")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
MAKE = re.compile(r"(?:^|[;&|$]\s*)(?:sudo )?make((?: [\w=./\"-]+)*)")
XTASK = re.compile(r"-m xtask ([a-z-]+)|(?:^|\$ )xtask ([a-z-]+)")
STAGE_OPTION = re.compile(r"--(?:only|stage|from)[ =]([a-z][a-z0-9_,]*)")
STAGE_WORD = re.compile(r"\bstages? `([a-z][a-z0-9_]*)`")
CALL = re.compile(r"^([a-z_][a-z0-9_]*)\(\)$")
GDB = re.compile(r"(?:^|\(gdb\) |cmd [\"'])cairn ([a-z][a-z-]*)")
CHOICE = re.compile(r"(?<![\w-])(debug|inject)=([a-z][a-z0-9_,]*(?:\.[a-z][a-z0-9_,]*)*)")


@dataclass(frozen=True)
class Facts:
    """What there is."""

    root: Path
    targets: frozenset[str]
    commands: frozenset[str]
    options: frozenset[str]
    stages: frozenset[str]
    identifiers: frozenset[str]
    gdb: frozenset[str]
    choices: dict[str, frozenset[str]]


def expand(word: str) -> list[str]:
    """{a,b} spelled out; a component in capitals stands for any name."""
    brace = re.search(r"\{([^{}]*)\}", word)
    if brace:
        return [out for part in brace[1].split(",") for out in expand(word[: brace.start()] + part + word[brace.end() :])]
    return ["/".join("*" if re.fullmatch(r"[A-Z_]{2,}", part) else part for part in word.split("/"))]


def path_exists(root: Path, word: str) -> bool:
    return all(any(root.glob(name)) if "*" in name else (root / name).exists() for name in expand(word.rstrip("/")))


def dead_paths(page: Page, facts: Facts) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(page.text.splitlines(), 1):
        for link in LINK.findall(line):
            if "://" not in link and not (page.path.parent / link).exists():
                yield number, f"link {link}"
    for span in page.code():
        for word in span.text.split():
            word = re.sub(r"(:\d+)?[,;:.)]*$", "", word.strip("\"'(")).removeprefix("./")
            if word.startswith(ROOMS) and not any(char in word for char in "<|…$=[") and "..." not in word:
                if not path_exists(facts.root, word):
                    yield span.line, f"path {word}"


def dead_targets(span: Span, facts: Facts) -> Iterator[str]:
    for words in MAKE.findall(span.text):
        for word in words.split():
            if re.fullmatch(r"[a-z][a-z-]*", word) and word not in facts.targets:
                yield f"make target {word}"


def dead_commands(span: Span, facts: Facts) -> Iterator[str]:
    for first, second in XTASK.findall(span.text):
        if (first or second) not in facts.commands:
            yield f"command xtask {first or second}"
    if "xtask" in span.text or span.text.startswith(("scripts/", "--", "$ scripts/")):
        before_program = re.split(r" -- ", span.text)[0]
        for option in OPTION.findall(before_program):
            if option not in facts.options:
                yield f"option {option}"


def dead_names(span: Span, facts: Facts) -> Iterator[str]:
    for listed in [] if "xtask lint" in span.text else STAGE_OPTION.findall(span.text):
        for name in listed.split(","):
            if name and name not in facts.stages:
                yield f"stage {name}"
    call = CALL.match(span.text)
    if call and call[1] not in facts.identifiers:
        yield f"symbol {call[1]}()"
    for name in GDB.findall(span.text):
        if name not in facts.gdb:
            yield f"GDB command cairn {name}"
    for kind, listed in CHOICE.findall(span.text):
        for name in listed.split(","):
            if name and name not in facts.choices[kind]:
                yield f"{kind}={name}"


def dead_stage_words(page: Page, facts: Facts) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(page.text.splitlines(), 1):
        for name in STAGE_WORD.findall(line):
            if name not in facts.stages:
                yield number, f"stage {name}"


CHECKS: tuple[Callable[[Span, Facts], Iterator[str]], ...] = (dead_targets, dead_commands, dead_names)


def dead(page: Page, facts: Facts) -> list[str]:
    """`LINE: WHAT does not exist`, for each reference that leads nowhere, in order."""
    found = [*dead_paths(page, facts), *dead_stage_words(page, facts)]
    found += [(span.line, what) for span in page.code() for check in CHECKS for what in check(span, facts)]
    return [f"{line}: {what} does not exist" for line, what in sorted(set(found))]
