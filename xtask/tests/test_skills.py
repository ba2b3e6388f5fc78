"""The playbooks are in the Agent Skills format, and their seeded bugs apply to the tree as it is."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from xtask.docs.pages import Page, parse
from xtask.guest.rundir import ROOT

SKILLS = sorted(path for path in (ROOT / "skills").iterdir() if path.is_dir())
NAMES = [path.name for path in SKILLS]
NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
GIT_APPLY = re.compile(r"^\$ git apply (\S+)$")
MAX_LINES, MAX_NAME, MAX_DESCRIPTION = 500, 64, 1024


def front_matter(text: str) -> dict[str, str]:
    """The `key: value` lines between the first two `---`. Raises ValueError. Pure."""
    match = re.match(r"---\n(.*?)\n---\n", text, re.DOTALL)
    if not match:
        raise ValueError("no front matter")
    fields: dict[str, str] = {}
    for line in match[1].splitlines():
        key, colon, value = line.partition(": ")
        if not colon or not key.isidentifier() or not value.strip() or key in fields:
            raise ValueError(f"front matter: {line!r}")
        fields[key] = value.strip()
    return fields


def mistakes(name: str, text: str) -> list[str]:
    """What a SKILL.md in the directory `name` has wrong. Pure."""
    try:
        fields = front_matter(text)
    except ValueError as error:
        return [str(error)]
    found = []
    description = fields.get("description", "")
    if fields.get("name") != name or not NAME.fullmatch(name) or len(name) > MAX_NAME:
        found.append("name is not the directory's")
    if not re.search(r"[.] Use (it |this )?(when|for|to|before) ", description):
        found.append("description does not say what and then when (Use when ...)")
    if len(description) > MAX_DESCRIPTION or ": " in description or " #" in description:
        found.append("description is too long, or needs quotes in YAML")
    if len(text.splitlines()) >= MAX_LINES:
        found.append(f"{MAX_LINES} lines or more")
    return found


def patches(page: Page) -> set[tuple[Path, ...]]:
    """The patches that its runnable blocks apply, each with those before it in its block."""
    used: set[tuple[Path, ...]] = set()
    for block in page.blocks:
        bug = block.option("bug")
        if not bug:
            continue
        applied = [page.path.parent / bug]
        used.add(tuple(applied))
        for line in block.lines:
            match = GIT_APPLY.match(line)
            if match:
                applied.append(ROOT / match[1])
                used.add(tuple(applied))
    return used


def skill(path: Path) -> Page:
    return parse(path / "SKILL.md", (path / "SKILL.md").read_text())


@pytest.mark.parametrize("path", SKILLS, ids=NAMES)
def test_format(path: Path) -> None:
    assert mistakes(path.name, skill(path).text) == []


@pytest.mark.parametrize("path", SKILLS, ids=NAMES)
def test_patches_apply(path: Path) -> None:
    used = patches(skill(path))
    for series in used:
        done = subprocess.run(
            ["git", "apply", "--check", *map(str, series)], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    there = set(path.glob("*.patch"))
    assert there == {patch for series in used for patch in series}, "a patch that no block applies, or the reverse"


@pytest.mark.parametrize("path", SKILLS, ids=NAMES)
def test_something_is_run(path: Path) -> None:
    assert any(block.runnable for block in skill(path).blocks)


GOOD = "---\nname: a-b\ndescription: Does it. Use when needed.\n---\ntext\n"
BAD = {
    "no front matter": GOOD.replace("---\n", "", 1),
    "name is not the directory's": GOOD.replace("a-b", "other"),
    "description does not say what and then when (Use when ...)": GOOD.replace(" Use when needed.", ""),
    "description is too long, or needs quotes in YAML": GOOD.replace("Does it", "Does: it"),
    "500 lines or more": GOOD + "line\n" * 500,
    "front matter: 'flag'": GOOD.replace("name:", "flag\nname:"),
}


@pytest.mark.parametrize("mistake", BAD)
def test_a_mistake_is_found(mistake: str) -> None:
    assert mistakes("a-b", GOOD) == []
    assert mistakes("a-b", BAD[mistake]) == [mistake]


def test_the_patches_of_a_block(tmp_path: Path) -> None:
    text = "```console runnable bug=one.patch\n$ git apply skills/x/two.patch\n```\n"
    one, two = tmp_path / "one.patch", ROOT / "skills/x/two.patch"
    assert patches(parse(tmp_path / "SKILL.md", text)) == {(one,), (one, two)}
