"""Scratch repositories: a small tree with a policy, in recorded or in signed mode, and what one does to it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
POLICY = """version = 1
repository = "scratch"
branch = "main"
mode = "{mode}"
expiry_days = 30
approvers = ["otto@example.org", "ann@example.org"]

[[tier]]
tier = 0
name = "the judge"
why = "it judges the rest"
paths = ["policy.toml", "policy/", "xtask/policy/"]
also = [".ci/", ".gitattributes"]

[[tier]]
tier = 1
name = "hot path"
why = "a careless line breaks every boot"
paths = ["kernel/entry/", "kernel/arch/*/entry/", "Makefile", "**/*.mk", "kernel/link.ld", "gen/made.py"]
also = ["GNUmakefile"]
symbols = ["irq_hot"]

[[tier]]
tier = 2
name = "processor"
why = "seen late"
paths = ["kernel/cpu/"]

[[ratchet]]
name = "boot stages"
why = "a stage that is gone proves nothing"
kind = "table"
paths = ["kernel/stages.tbl"]
key = 0
not_up = [2]
not_narrower = [1]

[[ratchet]]
name = "skips"
why = "what is skipped is not shown"
kind = "count"
paths = ["tests/"]
pattern = '\\bSKIP\\('
may = "fall"

[[ratchet]]
name = "tests"
why = "a test that is gone proves nothing"
kind = "count"
paths = ["tests/"]
pattern = '^TEST\\('
may = "grow"
"""
FILES = {
    "readme": "scratch\n",
    "kernel/entry/irq.c": "int irq_hot(int a)\n{\n\treturn a;\n}\n",
    "kernel/entry/hot.h": "#define HOT 1\n",
    "kernel/arch/x86_64/entry/sys.S": "entry:\n\tret\n",
    "kernel/core/other.c": "int other;\n",
    "kernel/cpu/tlb.c": "int tlb;\n",
    "kernel/link.ld": "SECTIONS {}\n",
    "kernel/rules.mk": "X := 1\n",
    "kernel/stages.tbl": "# id | ports | deadline\none | all | 100\ntwo | all | 200\n",
    "tests/a.c": "TEST(a)\nTEST(b)\n",
    "gen/made.py": "print(1)\n",
    "Makefile": "CFLAGS := -O2\n",
    ".ci/run": "make test\n",
    ".gitignore": "__pycache__/\n",
    "xtask/__init__.py": "",
}
PEOPLE = {"ann": "Ann", "otto": "Otto", "mallory": "Mallory"}
WHY = ("--why", "the test needs it so", "--debugging", "there is nothing to debug", "--verified", "by reading it twice")


def clean_environment() -> dict[str, str]:
    """No configuration of the machine's, no hook's variables; Ann writes."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("GIT")}
    return kept | {
        "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "HOME": "/nonexistent", "GIT_EDITOR": "true",
        "GIT_AUTHOR_NAME": "Ann", "GIT_AUTHOR_EMAIL": "ann@example.org", "GIT_COMMITTER_NAME": "Ann",
        "GIT_COMMITTER_EMAIL": "ann@example.org", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(ROOT),
    }  # fmt: skip


class Scratch:
    """One repository. `base` is the commit the policy came in with."""

    def __init__(self, root: Path, mode: str, keys: Path) -> None:
        self.root, self.mode, self.keys = root, mode, keys
        self.base = ""

    # --- git ---

    def git(self, *args: str, data: bytes | None = None, fails: bool = False, **environment: str) -> str:
        done = subprocess.run(
            ["git", *args], cwd=self.root, env=os.environ | environment, input=data, capture_output=True, check=False
        )
        assert (done.returncode != 0) == fails, done.stderr.decode()
        return done.stdout.decode("utf-8", "surrogateescape").strip()

    def write(self, path: str | bytes, text: str) -> None:
        where = os.path.join(os.fsencode(self.root), os.fsencode(path))
        os.makedirs(os.path.dirname(where), exist_ok=True)
        with open(where, "w", encoding="utf-8") as stream:
            stream.write(text)

    def read(self, path: str) -> str:
        return (self.root / path).read_text()

    def append(self, path: str, text: str) -> None:
        self.write(path, self.read(path) + text)

    def stage(self) -> None:
        self.git("add", "-A")

    def commit(self, message: str = "change", *extra: str) -> str:
        """Past every hook."""
        self.stage()
        self.git("commit", "-q", "--no-verify", "--allow-empty", "-m", message, *extra)
        return self.head()

    def two_sides(self) -> None:
        """A commit on `side` and one on `main`, of files that nothing protects."""
        self.git("checkout", "-q", "-b", "side")
        self.append("readme", "side\n")
        self.commit("side")
        self.git("checkout", "-q", "main")
        self.append("kernel/core/other.c", "int more;\n")
        self.commit("main")

    def head(self) -> str:
        return self.git("rev-parse", "HEAD")

    # --- the policy ---

    def policy(self, *args: str) -> tuple[int, str, str]:
        """The command in this process, started in the repository."""
        from xtask.policy.command import main

        out, err = io.StringIO(), io.StringIO()
        before = os.getcwd()
        os.chdir(self.root)
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                try:
                    status = main(list(args))
                except SystemExit as stop:  # argparse
                    status = int(stop.code or 0)
        finally:
            os.chdir(before)
        return status, out.getvalue(), err.getvalue()

    def append_approved(self, path: str, text: str, message: str = "approved") -> None:
        """A change and its record, committed."""
        self.append(path, text)
        self.stage()
        self.approve()
        self.commit(message)

    def verdict(self, *args: str) -> dict[str, Any]:
        status, out, err = self.policy(*args, "--json")
        found: dict[str, Any] = json.loads(out)
        assert found["ok"] == (status == 0), (out, err)
        return found

    def staged(self) -> dict[str, Any]:
        return self.verdict("check", "--staged")

    def range(self, base: str = "", head: str = "HEAD") -> dict[str, Any]:
        return self.verdict("check", "--base", base or self.base, "--head", head)

    def judge(self, base: str = "", head: str = "HEAD", *more: str) -> tuple[int, str]:
        """The base's own checker, in a process of its own, fed to Python as CI does."""
        base = base or self.base
        script = subprocess.run(
            ["git", "cat-file", "blob", f"{base}:xtask/policy/judge.py"], cwd=self.root, capture_output=True, check=False
        )
        assert script.returncode == 0 and script.stdout
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-", "--base", base, "--head", head, *more],
            cwd=self.root, input=script.stdout, capture_output=True, check=False,
        )  # fmt: skip
        return done.returncode, done.stderr.decode("utf-8", "replace")

    def key(self, who: str) -> str:
        return str(self.keys / who)

    def approve(self, *option: str, who: str = "otto", command: str = "approve") -> str:
        """The record's path."""
        words = [command, *(option or ("--staged",)), "--approver", f"{PEOPLE[who]} <{who}@example.org>"]
        words += WHY if command == "approve" else WHY[:2]
        if self.mode == "signed":
            words += ["--key", self.key(who)]
        status, out, err = self.policy(*words)
        assert status == 0, err
        return out.strip()

    # --- what tests say ---

    def refuses_staged(self, *words: str) -> None:
        self.stage()
        found = self.staged()
        assert not found["ok"], "the staged change was let through"
        self.has(found, words)

    def refuses(self, *words: str, base: str = "", audit: bool = True) -> None:
        """The verdict on base..HEAD and the audit of the history both refuse."""
        found = self.range(base)
        assert not found["ok"], "the range was let through"
        self.has(found, words)
        assert not audit or not self.verdict("audit")["ok"], "the audit let it through"

    def judged(self, status: int, base: str = "") -> None:
        """And the base's own checker says the same, from its own process."""
        found, err = self.judge(base)
        assert found == status and ("policy: refused:" in err) == (status == 1), err

    def each(self, changes: dict[str, Callable[[], None]], *words: str) -> None:
        """Several changes, each by itself on top of the base: staged and committed, all refused."""
        for name, change in changes.items():
            self.git("checkout", "-q", "-f", "--detach", self.base)
            self.git("clean", "-q", "-f", "-d")
            change()
            self.refuses_staged(*words)
            self.commit(name)
            found = self.range()
            assert not found["ok"], f"{name} was let through"
            self.has(found, words)

    def bypassed_by(self, *words: str) -> None:
        """Staged, then committed past the hooks: refused both times."""
        self.refuses_staged(*words)
        self.commit()
        self.refuses(*words)

    def passes(self, base: str = "") -> None:
        assert self.range(base)["findings"] == []
        assert self.verdict("audit")["findings"] == []

    @staticmethod
    def has(found: dict[str, Any], words: tuple[str, ...]) -> None:
        text = json.dumps(found["findings"], ensure_ascii=False)
        for word in words:
            assert word in text, f"{word!r} not in {text}"


def make_keys(directory: Path) -> Path:
    for who in PEOPLE:
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", who, "-f", str(directory / who)]
        subprocess.run(command, check=True)
    return directory


def make_scratch(root: Path, mode: str, keys: Path) -> Scratch:
    scratch = Scratch(root, mode, keys)
    for path, text in FILES.items():
        scratch.write(path, text)
    scratch.write("policy/readme", "records\n")
    scratch.write("policy.toml", POLICY.format(mode=mode))
    if mode == "signed":
        lines = []
        for who in ("otto", "ann"):
            kind, key = (keys / f"{who}.pub").read_text().split()[:2]
            lines.append(f'{who}@example.org namespaces="policy@cairn" {kind} {key}\n')
        scratch.write("policy/allowed_signers", "".join(lines))
    shutil.copytree(ROOT / "xtask/policy", root / "xtask/policy", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "xtask/exitcodes.py", root / "xtask/exitcodes.py")
    subprocess.run(["git", "init", "-q", "--template=", "-b", "main", str(root)], check=True)
    for name in ("info", "hooks"):
        (root / ".git" / name).mkdir(exist_ok=True)
    policy = root / "policy.toml"
    text = policy.read_text()
    policy.unlink()
    scratch.commit("before the policy")
    policy.write_text(text)
    scratch.base = scratch.commit("policy")
    scratch.git("repack", "-a", "-d", "-q")  # few files: it is copied often
    return scratch
