"""`policy generated`: files the policy says are made by a command are made again and compared.

This runs the working tree's own code, so it belongs to local checks and CI, not to a server's hook; there the
generators themselves are protected files.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile

from .. import exitcodes
from .check import open_repo
from .git import Entry, Repo
from .names import any_of, show
from .policyfile import Generator, load_file
from .verdict import COMMAND

BUILT = (("stages", "kernel/init/stages.tbl"), ("syscalls", "kernel/syscall/syscalls.tbl"))


def regenerate(root: str, generator: Generator) -> str:
    """What is wrong with a committed output, or nothing: the command prints what the file should be."""
    try:
        with open(os.path.join(root, generator.output), "rb") as stream:
            before = stream.read()
    except OSError as error:
        return f"{generator.output}: {error.strerror}"
    command = [sys.executable, "-m", "xtask", *generator.command]
    done = subprocess.run(command, cwd=root, capture_output=True, check=False)
    words = " ".join(generator.command)
    if done.returncode:
        return f"{words} ended with {done.returncode}: {done.stderr.decode('utf-8', 'replace').strip()}"
    if done.stdout != before:
        return f"it is not what {words} makes of {' '.join(generator.inputs)}"
    return ""


def built(code_root: str, table_root: str, kind: str, table: str) -> bytes | None:
    """One generated header, by the generator in one tree from the table in another."""
    with tempfile.TemporaryDirectory(prefix="cairn-policy-") as directory:
        out = os.path.join(directory, "out.h")
        command = [sys.executable, "-m", "xtask", "gen", kind, os.path.join(table_root, table), out]
        done = subprocess.run(command, cwd=code_root, capture_output=True, check=False)
        if done.returncode:
            return None
        with open(out, "rb") as stream:
            return stream.read()


def delta(repo: Repo, entries: list[Entry]) -> str:
    """For an approver: whether a changed generator writes something else from the same tables."""
    changed = [entry for entry in entries if any_of(["xtask/gen/"]).fullmatch(entry.path)]
    if not changed:
        return "no generator is touched"
    words = []
    with tempfile.TemporaryDirectory(prefix="cairn-policy-") as old:
        for path, (_, blob) in repo.files(repo.commit("HEAD"), "xtask").items():
            target = os.path.join(old, os.fsdecode(path))
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "wb") as stream:
                stream.write(repo.blob(blob))
        for kind, table in BUILT:
            before = built(old, repo.directory, kind, table)
            after = built(repo.directory, repo.directory, kind, table)
            words.append(f"{table}: " + ("the same header" if before == after and after else "ANOTHER header"))
    return ", ".join(show(entry.path) for entry in changed) + " changed; made from " + "; ".join(words)


def main(name: str, argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog=f"xtask policy {name}", description=__doc__)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    root = open_repo().directory
    policy = load_file(root)
    wrong = {g.output: regenerate(root, g) for g in policy.generators}
    bad = {output: text for output, text in wrong.items() if text}
    if options.json:
        print(json.dumps({"ok": not bad, "checked": sorted(wrong), "wrong": bad}))
    for generator in policy.generators:
        if wrong[generator.output]:
            print(f"policy: refused: {generator.output}", file=sys.stderr)
            print(f"  why:  {wrong[generator.output]}", file=sys.stderr)
            made = f"python3 -m xtask {' '.join(generator.command)}"
            print(f"  next: {made} >NEW && mv NEW {generator.output}", file=sys.stderr)
    if not bad and not options.json:
        print(f"policy: {len(wrong)} generated files are what their generators make ({COMMAND} generated)")
    return exitcodes.FAILED if bad else exitcodes.OK
