"""`xtask docs [--check-only] [PAGE...]`: what the documents name exists, and their runnable blocks print what they show."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from .. import exitcodes
from ..build import without_make
from ..guest.rundir import ROOT
from . import facts, references, sessions
from .pages import Block, Page, parse
from .scratch import with_bug

STEP_LIMIT_S = 240
STATE = ROOT / "build" / "docs-state"  # the blocks' own: a run beside them does not become their `latest`
PAGES = ("README.md", "AGENTS.md", "docs/**/*.md", "skills/*/SKILL.md")


def all_pages(root: Path) -> list[Path]:
    return sorted({path for pattern in PAGES for path in root.glob(pattern)})


def run_step(step: sessions.Step, cwd: Path) -> str | None:
    """None when the command did what the document shows, else the difference in words."""
    path = f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}"  # `python3` is this one
    env = {**without_make(os.environ), "PATH": path, "NO_COLOR": "1", "LC_ALL": "C.UTF-8", "COLUMNS": "120"}
    env["PYTHONUNBUFFERED"] = "1"  # stdout and stderr in the order in which a terminal shows them
    env["CAIRN_STATE"] = str(STATE)
    try:
        done = subprocess.run(
            ["bash", "-c", step.command.replace(".cairn/", f"{STATE}/")],
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=STEP_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"did not end within {STEP_LIMIT_S} s"
    printed = done.stdout.decode(errors="replace").splitlines()
    if done.returncode != step.status:
        return "\n".join([f"ended with status {done.returncode}, not {step.status}", *printed[-15:]])
    difference = sessions.matches(step.expected, printed)
    return "\n".join([difference, "all of it:", *printed[-15:]]) if difference else None


def place(page: Page, block: Block) -> AbstractContextManager[Path]:
    """Where a block runs: here, or in the scratch copy with its bug."""
    bug = block.option("bug")
    return with_bug(ROOT, page.path.parent / bug) if bug else nullcontext(ROOT)


def run_block(page: Page, block: Block) -> list[str]:
    try:
        with place(page, block) as cwd:
            for step in sessions.steps(block):
                difference = run_step(step, cwd)
                if difference:
                    return [f"{step.line}: $ {step.command}\n{difference}"]
    except ValueError as error:
        return [f"{block.line}: {error}"]
    return []


def run_page(page: Page) -> list[str]:
    """Runs the page's blocks in order; a block with the bug of the one before it finds it built."""
    found: list[str] = []
    for block in page.blocks:
        if block.runnable:
            found += run_block(page, block)
    return found


def check(paths: Sequence[Path], check_only: bool) -> int:
    known = facts.gather(ROOT)
    failed = blocks = 0
    for path in paths:
        started = time.monotonic()
        name = path.relative_to(ROOT)
        try:
            page = parse(path, path.read_text())
        except ValueError as error:
            print(error)
            failed += 1
            continue
        found = references.dead(page, facts.beside(known, path))
        here = 0 if check_only else sum(block.runnable for block in page.blocks)
        found += run_page(page) if here else []
        blocks += here
        failed += bool(found)
        for text in found:
            print(f"{name}:{text}")
        if here:
            print(f"{name}: {here} blocks run in {time.monotonic() - started:.1f} s", flush=True)
    print(f"docs: {len(paths)} pages, {blocks} blocks run, {failed} pages with mistakes")
    return exitcodes.FAILED if failed else exitcodes.OK


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="xtask docs", description=__doc__)
    parser.add_argument("--check-only", action="store_true", help="look up references, run nothing")
    parser.add_argument("pages", nargs="*", metavar="PAGE", type=Path, help="only these (default: all)")
    args = parser.parse_args(argv)
    paths = [path.resolve() for path in args.pages] or all_pages(ROOT)
    for path in paths:
        if not path.is_file() or not path.is_relative_to(ROOT):
            print(f"xtask docs: no page {path}", file=sys.stderr)
            return exitcodes.USAGE
    return check(paths, args.check_only)
