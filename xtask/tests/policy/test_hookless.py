"""Operations of git that run no hook (or not the one that would refuse): the verdict does not depend on hooks.

A hook that refuses everything is installed: whatever gets past it shows that no hook ran. Then the base's
checker and the audit refuse it, and let the same operation pass when a record allows the change.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from .scratch import Scratch

HOT = "kernel/entry/irq.c"
REFUSE = "#!/bin/sh\nexit 1\n"


def arm(repo: Scratch) -> None:
    for name in ("pre-commit", "commit-msg", "pre-merge-commit"):
        repo.write(f".git/hooks/{name}", REFUSE)
        os.chmod(repo.root / ".git/hooks" / name, 0o755)


def edited(repo: Scratch, approve: bool) -> None:
    repo.append(HOT, "int more;\n")
    repo.stage()
    if approve:
        repo.approve()


def side_commit(repo: Scratch, approve: bool) -> str:
    """A commit on a branch of its own that edits a hot file."""
    repo.git("checkout", "-q", "-b", "side")
    edited(repo, approve)
    tip = repo.commit("side")
    repo.git("checkout", "-q", "main")
    return tip


def no_verify(repo: Scratch, approve: bool) -> None:
    edited(repo, approve)
    arm(repo)
    repo.git("commit", "-q", "--no-verify", "-m", "change")


def other_hooks_path(repo: Scratch, approve: bool) -> None:
    edited(repo, approve)
    arm(repo)
    repo.git("-c", "core.hooksPath=/dev/null", "commit", "-q", "-m", "change")


def cherry_pick(repo: Scratch, approve: bool) -> None:
    tip = side_commit(repo, approve)
    repo.commit("so that it is no fast-forward")
    repo.write(".git/hooks/pre-commit", REFUSE)
    os.chmod(repo.root / ".git/hooks/pre-commit", 0o755)
    repo.git("cherry-pick", tip)


def revert(repo: Scratch, approve: bool) -> None:
    edited(repo, True)
    repo.commit("approved")
    repo.base = repo.head()
    repo.write(".git/hooks/pre-commit", REFUSE)
    os.chmod(repo.root / ".git/hooks/pre-commit", 0o755)
    if not approve:
        repo.git("revert", "--no-edit", "HEAD")
        return
    repo.git("revert", "--no-commit", "HEAD")
    repo.git("checkout", "-q", "HEAD", "--", "policy")
    repo.approve()
    repo.git("commit", "-q", "--no-verify", "-m", "revert")


def clean_merge(repo: Scratch, approve: bool) -> None:
    side_commit(repo, approve)
    repo.append("readme", "main\n")
    repo.commit("main")
    repo.write(".git/hooks/pre-commit", REFUSE)
    os.chmod(repo.root / ".git/hooks/pre-commit", 0o755)
    repo.git("merge", "-q", "--no-edit", "side")


def fast_forward(repo: Scratch, approve: bool) -> None:
    side_commit(repo, approve)
    arm(repo)
    repo.git("merge", "-q", "--ff-only", "side")


def mail(repo: Scratch, approve: bool) -> None:
    tip = side_commit(repo, approve)
    patch = repo.git("format-patch", "--stdout", "--binary", "-1", tip)
    repo.write(".git/hooks/pre-commit", REFUSE)
    os.chmod(repo.root / ".git/hooks/pre-commit", 0o755)
    repo.git("am", "-q", data=patch.encode() + b"\n")


def rebase(repo: Scratch, approve: bool) -> None:
    side_commit(repo, approve)
    repo.append("readme", "main\n")
    repo.commit("main")
    repo.git("checkout", "-q", "side")
    repo.write(".git/hooks/pre-commit", REFUSE)
    os.chmod(repo.root / ".git/hooks/pre-commit", 0o755)
    repo.git("rebase", "-q", "main")
    repo.git("branch", "-f", "main", "side")
    repo.git("checkout", "-q", "main")


def commit_tree(repo: Scratch, approve: bool) -> None:
    edited(repo, approve)
    arm(repo)
    tree = repo.git("write-tree")
    repo.git("update-ref", "refs/heads/main", repo.git("commit-tree", tree, "-p", "HEAD", "-m", "plumbing"))


def fetched(repo: Scratch, approve: bool) -> None:
    """What another clone made and this one only took over."""
    tip = side_commit(repo, approve)
    arm(repo)
    repo.git("fetch", "-q", ".", f"{tip}:refs/heads/taken")
    repo.git("update-ref", "refs/heads/main", "refs/heads/taken")


def skipped_by_name(repo: Scratch, approve: bool) -> None:
    """pre-commit's SKIP=id: here the hook is one that obeys it."""
    edited(repo, approve)
    repo.write(".git/hooks/pre-commit", '#!/bin/sh\n[ "$SKIP" = policy ] && exit 0\nexit 1\n')
    os.chmod(repo.root / ".git/hooks/pre-commit", 0o755)
    repo.git("commit", "-q", "-m", "change", SKIP="policy")


WAYS = [
    no_verify, other_hooks_path, cherry_pick, revert, clean_merge, fast_forward, mail, rebase, commit_tree, fetched,
    skipped_by_name,
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS, ids=lambda way: str(way.__name__))
def test_without_a_record(repo: Scratch, way: Callable[[Scratch, bool], None]) -> None:
    way(repo, False)
    repo.refuses(HOT)
    if repo.mode == "recorded":
        repo.judged(1)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: str(way.__name__))
def test_with_a_record(repo: Scratch, way: Callable[[Scratch, bool], None]) -> None:
    way(repo, True)
    repo.passes()
    if repo.mode == "signed":
        repo.judged(0)
