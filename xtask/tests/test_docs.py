"""The document checker: dead references are found, sessions compared, and our own pages are alive."""

from __future__ import annotations

from pathlib import Path

import pytest

from xtask.docs import command, facts, references, sessions
from xtask.docs.pages import Block, Page, parse
from xtask.docs.references import Facts
from xtask.guest.rundir import ROOT


@pytest.fixture(scope="module")
def known() -> Facts:
    return facts.gather(ROOT)


def page(text: str) -> Page:
    return parse(ROOT / "README.md", text)


@pytest.mark.parametrize("path", command.all_pages(ROOT), ids=lambda path: str(path.relative_to(ROOT)))
def test_what_is_named_exists(path: Path, known: Facts) -> None:
    assert references.dead(parse(path, path.read_text()), facts.beside(known, path)) == []


PLANTED = {
    "see `kernel/lib/no_such.c`": "path kernel/lib/no_such.c",
    "see [this](docs/nowhere.md)": "link docs/nowhere.md",
    "see `kernel/arch/PORT/nothing/`": "path kernel/arch/PORT/nothing/",
    "see `kernel/{lib,nolib}/`": "path kernel/{lib,nolib}/",
    "type `make no-such-target`": "make target no-such-target",
    "    make boot-stages && make nothing": "make target nothing",
    "run `python3 -m xtask bogus`": "command xtask bogus",
    "run `python3 -m xtask run --no-such-option -- ls`": "option --no-such-option",
    "`python3 -m xtask boot-stages --only no_such_stage`": "stage no_such_stage",
    "the stage `no_such_stage` fails": "stage no_such_stage",
    "look at `no_such_function()`": "symbol no_such_function()",
    "`cairn nonsense`": "GDB command cairn nonsense",
    "boot with `inject=nothing_known`": "inject=nothing_known",
    "```\n$ make not-there\n```": "make target not-there",
}


@pytest.mark.parametrize("text", PLANTED, ids=lambda text: PLANTED[text])
def test_a_dead_reference_is_found(text: str, known: Facts) -> None:
    assert [found.split(": ", 1)[1] for found in references.dead(page(text), known)] == [
        f"{PLANTED[text]} does not exist"
    ]


def test_living_references_are_not(known: Facts) -> None:
    text = (
        "`xtask lint --only layers`, `kernel/arch/PORT/cpu/`, `kernel/{lib,mm}/`, `make boot-stages ARGS=\"--smp 4\"`, `schedule()`, "
        "`python3 -m xtask run -- ls --color`, stage `cow_fork`, [x](docs/guide/run.md#anchor), `kernel/mm/…`"
    )
    assert references.dead(page(text), known) == []


def test_what_the_patches_of_a_page_bring_may_be_named(known: Facts, tmp_path: Path) -> None:
    (tmp_path / "new.patch").write_text(
        "--- a/kernel/init/stages.tbl\n+++ b/kernel/init/stages.tbl\n+brand_new | mm | a title\n-gone_old | mm | a title\n"
        "--- a/kernel/mm/x.c\n+++ b/kernel/mm/x.c\n+int brand_new_function(void)\n"
    )
    text = "`boot-stages --only brand_new`, `brand_new_function()`, `boot-stages --only gone_old`, `gone_old()`"
    page = parse(tmp_path / "SKILL.md", text)
    assert references.dead(page, facts.beside(known, page.path)) == [
        "1: stage gone_old does not exist",
        "1: symbol gone_old() does not exist",
    ]


def test_a_block_that_does_not_end_is_refused() -> None:
    with pytest.raises(ValueError, match="does not end"):
        page("text\n```console runnable\n$ true\n")


def test_pages_without_indented_code_in_a_fence() -> None:
    blocks = page("```console runnable bug=x.patch\n$ a\n    b\n```\n").blocks
    assert blocks == [Block(1, ("console", "runnable", "bug=x.patch"), ("$ a", "    b"))]
    assert blocks[0].option("bug") == "x.patch" and blocks[0].option("none") is None


def test_steps_of_a_session() -> None:
    block = Block(1, ("runnable",), ("$ one \\", "  two", "out", "$ three", "[exit status 4]"))
    assert sessions.steps(block) == [
        sessions.Step(2, "one two", ("out",)),
        sessions.Step(5, "three", (), 4),
    ]
    for broken in ((), ("output first",)):
        with pytest.raises(ValueError):
            sessions.steps(Block(1, (), broken))


@pytest.mark.parametrize(
    ("expected", "printed", "same"),
    [
        ((), [], True),
        ((), ["more"], False),
        (("a",), [], False),
        (("a", "b"), ["a", "b"], True),
        (("a", "b"), ["b", "a"], False),
        (("a ... ms",), ["a 12 ms"], True),
        (("a ... ms",), ["b 12 ms"], False),
        (("a.c",), ["abc"], False),
        (("...", "b"), ["x", "y", "b"], True),
        (("...", "b"), ["x", "y"], False),
        (("a", "..."), ["a", "x", "y"], True),
        (("a", "..."), ["a"], True),
        (("a", "...", "c"), ["a", "c", "d"], False),
    ],
)
def test_output_compared(expected: tuple[str, ...], printed: list[str], same: bool) -> None:
    assert (sessions.matches(expected, printed) is None) == same


def run_text(text: str) -> list[str]:
    return command.run_page(page(text))


def test_blocks_are_run() -> None:
    assert run_text("```console runnable\n$ echo hello\nhello\n$ false\n[exit status 1]\n```\n") == []
    assert "printed:  hello" in run_text("```console runnable\n$ echo hello\nbye\n```\n")[0]
    assert "status 3" in run_text("```console runnable\n$ exit 3\n```\n")[0]
    assert run_text("```console\n$ exit 3\n```\n") == []


def test_a_patch_that_does_not_apply_is_a_mistake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xtask.docs.scratch.PLACE", tmp_path / "scratch")
    (tmp_path / "bad.patch").write_text("--- a/README.md\n+++ b/README.md\n@@ -1,1 +1,1 @@\n-not there\n+x\n")
    found = command.run_page(parse(tmp_path / "PAGE.md", "```console runnable bug=bad.patch\n$ true\n```\n"))
    assert "does not apply" in found[0]


def test_agents_page_is_short() -> None:
    assert len((ROOT / "AGENTS.md").read_text().splitlines()) <= 150
    assert (ROOT / "CLAUDE.md").resolve() == (ROOT / "AGENTS.md").resolve()


def test_a_run_beside_does_not_become_a_blocks_latest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "STATE", tmp_path / "own")
    make_run = "python3 -c 'from xtask.guest.rundir import create; print(create())'"
    for text in (make_run, "ls .cairn/runs/latest/.."):
        expected = (f"{tmp_path}/own/runs/...",) if text == make_run else ("...",)
        assert command.run_step(sessions.Step(1, text, expected), ROOT) is None
