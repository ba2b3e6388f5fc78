"""`policy request`: what an approver needs to decide: the change, why it is protected, what it does, and the
command that approves it. Markdown for people, --json for `policy approve --packet`."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys

from .. import exitcodes
from . import generated, semantic, target
from .git import Entry, Repo
from .names import show
from .policyfile import POLICY, Policy
from .records import SIGNERS
from .target import Target
from .verdict import COMMAND

BIDI = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200b\u200c\u200d\u200e\u200f\ufeff"


def content(repo: Repo, mode: bytes, object_id: bytes) -> bytes:
    return repo.blob(object_id) if mode.startswith(b"100") else b""


def entry_diff(repo: Repo, entry: Entry) -> str:
    """The difference of two blobs as text; git's own, by id, so that no attribute has a say."""
    empty = repo.git("hash-object", "-w", "--stdin", data=b"").strip()
    old = empty if entry.added else entry.old
    new = empty if entry.deleted else entry.new
    out = repo.git("diff", "--no-color", "--no-ext-diff", "--no-textconv", "--text", old, new)
    lines = out.decode("utf-8", "replace").splitlines()
    body = "\n".join(line for line in lines if not line.startswith(("diff ", "index ", "--- ", "+++ ")))
    return body + "\n"


def warnings(repo: Repo, entry: Entry) -> list[str]:
    text = content(repo, entry.new_mode, entry.new).decode("utf-8", "ignore")
    if any(char in text for char in BIDI):
        return [f"{show(entry.path)} holds characters that are invisible or change the direction of text"]
    return []


def why_protected(found: Target) -> list[str]:
    lines = []
    for entry in target.reviewed_entries(found):
        rule = found.policy.rule(entry.path)
        slip = next((s for s in found.need.slips if s.entry == entry), None)
        if slip is not None:
            lines.append(f"{target.line(entry)}: ratchet {slip.ratchet.name}: {slip.detail}")
        elif rule is not None:
            lines.append(f"{target.line(entry)}: Tier {rule.tier}, {rule.name}: {rule.why}")
        else:  # under a tier of the other parent's policy
            lines.append(f"{target.line(entry)}: protected on the side it was merged with")
    return lines


def policy_delta(found: Target) -> list[str]:
    for entry in found.need.entries:
        if entry.path == POLICY.encode() and not entry.deleted and not entry.added:
            old, new = Policy(found.repo.blob(entry.old)), Policy(found.repo.blob(entry.new))
            return semantic.compare(old, new, found.repo.files(found.repo.commit("HEAD")))
    return []


def last_boot(root: str) -> str:
    """The verdict of the last run that was kept, or what to run."""
    try:
        with open(os.path.join(root, ".cairn", "runs", "latest", "result.json"), encoding="utf-8") as stream:
            result = json.load(stream)
    except (OSError, ValueError):
        return "none kept: run `make boot-stages ARGS=\"--smp 4\"` and say so"
    keys = ("command", "status", "verdict", "passed", "failed", "skipped")
    return ", ".join(f"{key} {result[key]}" for key in keys if key in result) or "kept, with no summary"


def hot_paths(root: str) -> str:
    """What the binary gate says of the kernel as it is built now."""
    command = [sys.executable, "-m", "xtask", "hotpath"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).strip() or f"exit status {done.returncode}"


class Packet:
    """Everything, before it is formatted."""

    def __init__(self, found: Target, measure: bool) -> None:
        self.found = found
        self.entries = target.reviewed_entries(found)
        self.reasons = why_protected(found)
        self.policy_lines = policy_delta(found)
        self.warnings = [line for entry in self.entries for line in warnings(found.repo, entry)]
        self.boot = last_boot(found.repo.directory)
        self.hotpath = hot_paths(found.repo.directory) if measure else "not measured: run again with --measure"
        self.generated = generated.delta(found.repo, self.entries)

    def command(self) -> str:
        key = " --key FILE" if self.found.policy.signed else ""
        return f"{COMMAND} approve {self.found.option}{key} --why TEXT --debugging TEXT --verified TEXT"

    def as_json(self) -> str:
        policy = self.found.policy
        return json.dumps(
            {
                "change": self.found.need.digest,
                "policy": policy.digest,
                "repository": policy.repository,
                "branch": policy.branch,
                "mode": policy.mode,
                "entries": [[show(e.path), *(field.decode() for field in e[1:])] for e in self.entries],
                "reasons": self.reasons,
                "policy_changes": self.policy_lines,
                "warnings": self.warnings,
                "boot_stages": self.boot,
                "hotpath": self.hotpath,
                "generated": self.generated,
                "approve": self.command(),
            },
            indent=1,
        )

    def as_text(self) -> str:
        policy = self.found.policy
        parts = [
            f"# Request for approval: {self.found.change.where}\n",
            f"Change `{self.found.need.digest}`\nfor branch `{policy.branch}` of `{policy.repository}`, {policy.mode} mode.\n",
            "## What is touched, and why it is protected\n",
            "".join(f"- {line}\n" for line in self.reasons),
        ]
        for title, lines in (("Beware", self.warnings), ("What the policy loses and gains", self.policy_lines)):
            if lines:
                parts += [f"## {title}\n", "".join(f"- {line}\n" for line in lines)]
        parts += ["## Generated files\n", f"{self.generated}\n", "## Last boot\n", f"{self.boot}\n"]
        parts += ["## Hot paths\n", f"{self.hotpath}\n", "## To be answered\n", QUESTIONS]
        if any(entry.path == SIGNERS.encode() for entry in self.entries):
            parts.append("This changes whose approvals count.\n")
        parts += ["## The change\n"]
        parts += [f"### {target.line(e)}\n\n```diff\n{entry_diff(self.found.repo, e)}```\n" for e in self.entries]
        return "\n".join(parts + ["## To approve\n", f"    {self.command()}\n"])


QUESTIONS = """- Why is the change required?
- Why is non-intrusive debugging (trace ring, GDB, events outside the hot path) not enough?
- How was it verified?
"""


def main(name: str, argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog=f"xtask policy {name}", description=__doc__)
    parser.add_argument("--measure", action="store_true", help="run the binary gate on the kernel built now")
    parser.add_argument("--json", action="store_true")
    target.add_options(parser)
    options = parser.parse_args(argv)
    found = target.find(options)
    if not found.need.entries:
        if options.json:
            print(json.dumps({"change": None, "entries": []}))
        print(f"policy: nothing in {found.change.where} needs an approval", file=sys.stderr)
        return exitcodes.OK
    packet = Packet(found, options.measure)
    print(packet.as_json() if options.json else packet.as_text())
    return exitcodes.OK
