"""What the documents say exists: files, make targets, commands and their options."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from xtask.__main__ import COMMANDS
from xtask.guest.rundir import ROOT

DOCS = [ROOT / "README.md", ROOT / "AGENTS.md", *sorted((ROOT / "docs").rglob("*.md"))]
OURS = ("kernel/", "userspace/", "xtask/", "scripts/", "docs/", ".ci/")
LINK = re.compile(r"\]\(([^)#]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")


def targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def known_options() -> set[str]:
    sources = [*(ROOT / "xtask").rglob("*.py"), ROOT / "scripts" / "setup.sh"]
    return {option for path in sources for option in OPTION.findall(path.read_text())}


@pytest.mark.parametrize("path", DOCS, ids=[str(path.relative_to(ROOT)) for path in DOCS])
def test_what_is_named_exists(path: Path) -> None:
    text = path.read_text()
    for link in LINK.findall(text):
        assert "://" in link or (path.parent / link).exists(), f"{path}: link {link}"
    for code in CODE.findall(text):
        word = code.split()[0].rstrip("/,:")
        if word.startswith(OURS) and not any(char in word for char in "*{<|…") and not word.split("/")[-1].isupper():
            assert (ROOT / word).exists(), f"{path}: {code}"


@pytest.mark.parametrize("path", DOCS, ids=[str(path.relative_to(ROOT)) for path in DOCS])
def test_commands_exist(path: Path) -> None:
    text = path.read_text()
    for target in re.findall(r"\bmake ([a-z][a-z-]+)\b", text):
        if f"`make {target}" in text or f"    make {target}" in text:
            assert target in targets(), f"{path}: make {target}"
    for command in re.findall(r"-m xtask ([a-z-]+)", text):
        assert command in COMMANDS, f"{path}: xtask {command}"
    if "planning" not in path.parts:
        options = set(OPTION.findall(text)) - {"--version"}
        assert options <= known_options(), f"{path}: {options - known_options()}"


def test_agents_page_is_short() -> None:
    assert len((ROOT / "AGENTS.md").read_text().splitlines()) <= 150
    assert (ROOT / "CLAUDE.md").resolve() == (ROOT / "AGENTS.md").resolve()
