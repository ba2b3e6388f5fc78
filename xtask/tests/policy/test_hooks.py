"""The hooks themselves, as git runs them: installed by setup.sh in a clone, and in a bare repository."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from .scratch import ROOT, Scratch

HOT = "kernel/entry/irq.c"
HOOKS = ("pre-commit", "commit-msg", "pre-merge-commit", "pre-push")


@pytest.fixture
def hooked(repo: Scratch) -> Scratch:
    """The scratch repository with the real hooks; its own xtask has only the checker."""
    shutil.copytree(ROOT / "scripts/hooks", repo.root / "scripts/hooks")
    for name in ("__main__.py", "pipe.py"):
        shutil.copy(ROOT / "xtask" / name, repo.root / "xtask" / name)
    (repo.root / "xtask/lint").mkdir()
    repo.write("xtask/lint/__init__.py", "")
    repo.write("xtask/lint/command.py", "def main(argv):\n    return 0\n")
    repo.stage()
    repo.approve()  # the hooks are Tier 0
    repo.commit("tools")
    repo.base = repo.head()
    for name in HOOKS:
        (repo.root / ".git/hooks" / name).symlink_to(repo.root / "scripts/hooks" / name)
    return repo


def run(repo: Scratch, *args: str) -> tuple[int, str]:
    done = subprocess.run(["git", *args], cwd=repo.root, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_an_ordinary_commit_passes(hooked: Scratch) -> None:
    hooked.append("readme", "more\n")
    hooked.stage()
    assert run(hooked, "commit", "-m", "more")[0] == 0


def test_a_hot_file_is_refused_in_three_lines(hooked: Scratch) -> None:
    hooked.append(HOT, "int more;\n")
    hooked.stage()
    status, said = run(hooked, "commit", "-m", "more")
    refusal = [line for line in said.splitlines() if line.startswith(("policy: refused", "  why:", "  next:"))]
    assert status != 0 and HOT in refusal[0] and len(refusal) == 3, said
    hooked.approve()
    hooked.stage()
    assert run(hooked, "commit", "-m", "more")[0] == 0
    hooked.passes()


def test_tier_2_wants_its_reason_in_the_message(hooked: Scratch) -> None:
    hooked.append("kernel/cpu/tlb.c", "int more;\n")
    hooked.stage()
    assert run(hooked, "commit", "-m", "more")[0] != 0
    assert run(hooked, "commit", "-m", "more", "-m", "Why: a page stayed visible after munmap")[0] == 0


def test_a_merge_that_adds_a_hot_line_of_its_own(hooked: Scratch) -> None:
    hooked.two_sides()
    assert run(hooked, "merge", "-q", "--no-edit", "side")[0] == 0, "a clean merge"
    hooked.git("checkout", "-q", "side")
    hooked.append("readme", "again\n")
    hooked.commit("again")
    hooked.git("checkout", "-q", "main")
    hooked.git("merge", "-q", "--no-commit", "--no-ff", "side")
    hooked.append(HOT, "int evil;\n")
    hooked.stage()
    assert run(hooked, "commit", "--no-edit")[0] != 0


@pytest.fixture
def bare(hooked: Scratch, tmp_path: Path) -> Path:
    """A bare repository that hooked pushes to, with the pre-receive hook."""
    bare = tmp_path / "bare.git"
    subprocess.run(["git", "clone", "-q", "--bare", str(hooked.root), str(bare)], check=True)
    shutil.copy(ROOT / "scripts/hooks/pre-receive", bare / "hooks/pre-receive")
    hooked.git("remote", "add", "origin", str(bare))
    hooked.git("fetch", "-q", "origin")
    return bare


def test_pre_push_refuses_what_no_hook_saw(hooked: Scratch, bare: Path) -> None:
    hooked.append(HOT, "int more;\n")
    hooked.commit("past the hooks")
    status, said = run(hooked, "push", "-q", "origin", "main")
    assert status != 0 and HOT in said
    hooked.git("reset", "-q", "--hard", "HEAD~1")
    hooked.append("readme", "more\n")
    hooked.commit("fine")
    assert run(hooked, "push", "-q", "origin", "main")[0] == 0
    assert run(hooked, "push", "-q", "origin", "main:topic")[0] == 0, "a new branch"


def push_hot(repo: Scratch) -> None:
    repo.append(HOT, "int more;\n")
    repo.commit("past the hooks")


def push_weaker_checker(repo: Scratch) -> None:
    """The change brings its own judge, which finds everything well."""
    repo.write("xtask/policy/judge.py", "import sys\nsys.exit(0)\n")
    push_hot(repo)


def push_without_policy(repo: Scratch) -> None:
    repo.git("rm", "-q", "policy.toml")
    push_hot(repo)


def push_rewritten(repo: Scratch) -> None:
    repo.git("commit", "-q", "--amend", "--no-verify", "-m", "another past")


BAD_PUSHES: tuple[Callable[[Scratch], None], ...] = (push_hot, push_weaker_checker, push_without_policy, push_rewritten)


@pytest.mark.parametrize("push", BAD_PUSHES, ids=[push.__name__ for push in BAD_PUSHES])
def test_the_receiving_side_refuses(hooked: Scratch, bare: Path, push: Callable[[Scratch], None]) -> None:
    push(hooked)
    status, said = run(hooked, "push", "-q", "--no-verify", "--force", "origin", "main")
    assert status != 0 and "policy" in said, said
    kept = subprocess.run(["git", "rev-parse", "main"], cwd=bare, capture_output=True, text=True, check=True)
    assert kept.stdout.strip() == hooked.base


def test_the_receiving_side_takes_what_is_approved(hooked: Scratch, bare: Path) -> None:
    hooked.append_approved(HOT, "int more;\n")
    assert run(hooked, "push", "-q", "origin", "main")[0] == 0
    status, said = run(hooked, "push", "-q", "--no-verify", "origin", ":main")
    assert status != 0


def test_a_base_without_a_judge_is_refused(hooked: Scratch, bare: Path) -> None:
    hooked.git("rm", "-q", "xtask/policy/judge.py")
    hooked.commit("the judge is gone")
    hooked.git("push", "-q", "--no-verify", str(bare), "main:refs/heads/other")
    subprocess.run(["git", "update-ref", "refs/heads/main", "other"], cwd=bare, check=True)
    hooked.append("readme", "more\n")
    hooked.commit("anything")
    status, said = run(hooked, "push", "-q", "--no-verify", "origin", "main")
    assert status != 0 and "no judge" in said, said


def agent(request: object) -> tuple[int, str]:
    text = request if isinstance(request, str) else json.dumps(request)
    done = subprocess.run(
        [str(ROOT / "scripts/hooks/agent-edit")], input=text, capture_output=True, text=True, check=False, cwd="/"
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ({"tool_input": {"file_path": "kernel/entry/return.c"}}, 2),
        ({"tool_input": {"file_path": str(ROOT / "kernel/entry/../entry/return.c")}}, 2),
        ({"tool_input": {"edits": [{"path": "README.md"}, {"path": "policy.toml"}]}}, 2),
        ({"tool_input": {"file_path": "kernel/entry/not_there_yet.c"}}, 2),
        ({"tool_input": {"file_path": "README.md"}}, 0),
        ({"tool_input": {"file_path": "/tmp/elsewhere/kernel/entry/x.c"}}, 0),
        ({"tool_input": {}}, 0),
        ("not json", 2),
    ],
)
def test_an_editor_asks_first(request_: object, status: int) -> None:
    answer, said = agent(request_)
    assert answer == status, said
    assert status == 0 or "policy:" in said


def test_setup_installs_the_hooks_and_keeps_what_is_there(tmp_path: Path) -> None:
    root = tmp_path / "clone"
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    shutil.copytree(ROOT / "scripts", root / "scripts")
    theirs = root / ".git/hooks/pre-push"
    theirs.write_text("#!/bin/sh\nexit 0\n")
    done = subprocess.run([str(root / "scripts/setup.sh"), "hooks"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert theirs.read_text().endswith("exit 0\n") and "is not ours and stays" in done.stderr
    for name in set(HOOKS) - {"pre-push"}:
        hook = root / ".git/hooks" / name
        assert os.access(hook, os.X_OK) and hook.resolve() == (root / "scripts/hooks" / name).resolve()
