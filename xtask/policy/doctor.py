"""`policy doctor`: whether what should enforce the policy here does. Warnings do not fail; gaps do."""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
from typing import NamedTuple

from .. import exitcodes
from . import records
from .check import open_repo
from .git import GitError, Repo
from .history import check_range, policy_at
from .policyfile import Policy
from .target import today

HOOKS = ("pre-commit", "commit-msg", "pre-merge-commit", "pre-push")
OK, WARN, GAP = "ok", "warning", "gap"


class Answer(NamedTuple):
    """One thing looked at. do: what to type, when it is not well."""

    name: str
    state: str
    text: str
    do: str = ""


def hooks_directory(repo: Repo) -> str:
    path = os.fsdecode(repo.git("rev-parse", "--git-path", "hooks").rstrip(b"\n"))
    return os.path.join(repo.directory, path)


def hooks(repo: Repo) -> list[Answer]:
    """Each hook is there, executable, and calls ours (directly or through pre-commit)."""
    where = hooks_directory(repo)
    answers = []
    for name in HOOKS:
        path = os.path.join(where, name)
        text = ""
        if os.path.isfile(path):
            with open(path, encoding="utf-8", errors="replace") as stream:
                text = stream.read()
        if not text:
            answers.append(Answer(f"hook {name}", GAP, f"not installed in {where}", "make setup"))
        elif not os.access(path, os.X_OK):
            answers.append(Answer(f"hook {name}", GAP, "not executable: git ignores it", f"chmod +x {path}"))
        elif not re.search(r"scripts/hooks|xtask policy|xtask/policy|pre-commit|pre_commit", text):
            answers.append(Answer(f"hook {name}", GAP, f"{path} does not call the policy", "make setup"))
        else:
            answers.append(Answer(f"hook {name}", OK, path))
    return answers


def hooks_path(repo: Repo) -> Answer:
    found = (repo.try_git("config", "--get", "core.hooksPath") or b"").decode().strip()
    if not found:
        return Answer("core.hooksPath", OK, "not set")
    if os.path.realpath(os.path.join(repo.directory, found)) == os.path.realpath(os.path.join(repo.directory, "scripts/hooks")):
        return Answer("core.hooksPath", OK, found)
    return Answer("core.hooksPath", WARN, f"set to {found}: hooks come from there", "git config --unset core.hooksPath")


def attributes(repo: Repo) -> list[Answer]:
    """Attributes outside the repository's files, replacements and grafts: what makes git show something else."""
    answers = []
    info = os.fsdecode(repo.git("rev-parse", "--git-path", "info/attributes").rstrip(b"\n"))
    path = os.path.join(repo.directory, info)
    if os.path.exists(path) and os.path.getsize(path):
        answers.append(Answer("attributes", WARN, f"{path} changes what diffs show here", f"look at {path}"))
    if repo.git("for-each-ref", "--count=1", "refs/replace/").strip():
        answers.append(Answer("replacements", WARN, "refs/replace holds objects: what you see is not what is judged", "git replace -l"))
    common = os.fsdecode(repo.git("rev-parse", "--git-common-dir").rstrip(b"\n"))
    grafts = os.path.join(common, "info", "grafts")
    if os.path.exists(os.path.join(repo.directory, grafts)):
        answers.append(Answer("grafts", WARN, "info/grafts alters what history looks like", f"look at {grafts}"))
    if repo.shallow():
        answers.append(Answer("history", GAP, "this clone is shallow: nothing can be judged", "git fetch --unshallow"))
    return answers or [Answer("attributes, replacements, grafts", OK, "none")]


def pre_commit(repo: Repo) -> Answer:
    config = os.path.join(repo.directory, ".pre-commit-config.yaml")
    if not os.path.exists(config):
        return Answer("pre-commit", OK, "not used")
    with open(config, encoding="utf-8") as stream:
        wanted = re.search(r"^minimum_pre_commit_version:\s*[\"']?([\d.]+)", stream.read(), re.MULTILINE)
    if shutil.which("pre-commit") is None:
        return Answer("pre-commit", GAP, "not installed", "scripts/setup.sh hooks")
    done = subprocess.run(["pre-commit", "--version"], capture_output=True, text=True, check=False)
    have = re.search(r"[\d.]+", done.stdout)
    if have is None or (wanted and numbers(have[0]) < numbers(wanted[1])):
        least = wanted[1] if wanted else "any"
        return Answer("pre-commit", GAP, f"{done.stdout.strip() or 'no version'}, wanted {least}", "scripts/setup.sh hooks")
    return Answer("pre-commit", OK, done.stdout.strip())


def numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.strip(".").split("."))


def approvals(repo: Repo, policy: Policy) -> list[Answer]:
    """Records that will serve nobody any more, and emergencies that are not settled."""
    head = repo.commit("HEAD")
    verdict = check_range(repo, head, None)
    used = {record.id for _, record in verdict.approved}
    stale = []
    for record in records.read_directory(repo.directory):
        dead = records.expired(record, today()) or record.policy != policy.digest
        if record.kind == "path" and record.id not in used and dead:
            stale.append(record.id[:12])
    answers = []
    if stale:
        answers.append(Answer("approvals", WARN, f"stale, used by no commit: {', '.join(stale)}", "ask again: policy request"))
    if verdict.findings:
        first = verdict.findings[0]
        answers.append(Answer("history", GAP, f"{len(verdict.findings)} refusals, first: {first.touched}", "python3 -m xtask policy audit"))
    return answers or [Answer("approvals", OK, f"{verdict.judged} commits judged, {len(used)} records in use")]


def mode(repo: Repo, policy: Policy) -> Answer:
    if not policy.signed:
        text = "recorded: approvals count by name only"
        return Answer("mode", WARN, text, "python3 -m xtask policy trust-key ADDRESS FILE.pub")
    if shutil.which("ssh-keygen") is None:
        return Answer("mode", GAP, "signed, and ssh-keygen is not installed", "apt install openssh-client")
    if repo.read(b"HEAD:" + records.SIGNERS.encode()) is None:
        return Answer("mode", GAP, f"signed, and {records.SIGNERS} lists nobody", "python3 -m xtask policy trust-key")
    return Answer("mode", OK, "signed")


def examine(repo: Repo) -> list[Answer]:
    found = [*hooks(repo), hooks_path(repo), *attributes(repo), pre_commit(repo)]
    head = repo.head()
    try:
        policy = policy_at(repo, head) if head else None
    except GitError:
        policy = None
    if policy is None:
        return [*found, Answer("policy", WARN, "HEAD has no policy.toml: nothing is protected yet")]
    return [*found, mode(repo, policy), *approvals(repo, policy)]


def main(name: str, argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog=f"xtask policy {name}", description=__doc__)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    found = examine(open_repo())
    gap = any(answer.state == GAP for answer in found)
    if options.json:
        print(json.dumps({"ok": not gap, "answers": [answer._asdict() for answer in found]}, indent=1))
        return exitcodes.FAILED if gap else exitcodes.OK
    for answer in found:
        print(f"{answer.state:8} {answer.name}: {answer.text}" + (f"\n         do: {answer.do}" if answer.do else ""))
    return exitcodes.FAILED if gap else exitcodes.OK
