"""The verdict over base..head, given by the base revision's checker, policy and keys.

Stands alone, so that the base's copy can be run without a checkout:

    git cat-file blob BASE:xtask/policy/judge.py | python3 -I -S - --base BASE --head HEAD

It takes the checker out of the base's objects (not `git archive`, which attributes can alter), and starts it
with nothing else on Python's path. Where the base has a policy and no checker, the answer is a refusal.
"""

import os
import subprocess
import sys
import tempfile

CHECKER = ("xtask/__init__.py", "xtask/exitcodes.py", "xtask/policy")
START = "import sys; sys.path.insert(0, sys.argv.pop(1)); from xtask.policy.command import main; sys.exit(main(sys.argv[1:]))"
GIT = ["git", "--no-replace-objects", "--literal-pathspecs"]
USAGE = "usage: judge --base REV --head REV [--branch NAME] [--ff-only] [--json]"


def git(*args: str, data: bytes = b"") -> bytes:
    environment = dict(os.environ, GIT_NO_REPLACE_OBJECTS="1", GIT_GRAFT_FILE=os.devnull)
    done = subprocess.run([*GIT, *args], env=environment, input=data, capture_output=True, check=False)
    if done.returncode:
        raise LookupError(done.stderr.decode("utf-8", "replace").strip() or f"git {args[0]} failed")
    return done.stdout


def refuse(touched: str, why: str, then: str) -> int:
    print(f"policy: refused: {touched}\n  why:  {why}\n  next: {then}", file=sys.stderr)
    return 1


def commit_id(revision: str) -> str:
    found = git("rev-parse", "--verify", "--end-of-options", revision + "^{commit}")
    return found.decode("ascii").strip()


def is_ancestor(base: str, head: str) -> bool:
    try:
        git("merge-base", "--is-ancestor", base, head)
    except LookupError:
        return False
    return True


def has_policy(commit: str) -> bool:
    return bool(git("ls-tree", commit, "--", "policy.toml"))


def extract(commit: str, directory: str) -> int:
    """The checker's files of a commit into a directory; how many."""
    listing = git("ls-tree", "-r", "-z", "--full-tree", commit, "--", *CHECKER).decode("utf-8")
    rows = [line.split("\t", 1) for line in listing.split("\0") if line]
    blobs = [meta.split(" ")[2] for meta, _ in rows]
    data = git("cat-file", "--batch", data="".join(blob + "\n" for blob in blobs).encode())
    count = 0
    for meta, path in rows:
        if not meta.startswith("100") or ".." in path.split("/"):
            raise LookupError(f"{path} of the base is not a plain file")
        head, _, data = data.partition(b"\n")
        size = int(head.split()[2])
        target = os.path.join(directory, path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "wb") as stream:
            stream.write(data[:size])
        data = data[size + 1 :]
        count += path.startswith("xtask/policy/")
    return count


def parse(argv: list[str]) -> tuple[dict[str, str], set[str]] | None:
    values: dict[str, str] = {}
    flags: set[str] = set()
    rest = iter(argv)
    for word in rest:
        if word in ("--base", "--head", "--branch"):
            values[word] = next(rest, "")
        elif word in ("--ff-only", "--json"):
            flags.add(word)
        else:
            return None
    return (values, flags) if values.get("--base") and values.get("--head") else None


def main(argv: list[str]) -> int:
    parsed = parse(argv)
    if parsed is None:
        print(USAGE, file=sys.stderr)
        return 2
    values, flags = parsed
    try:
        return verdict(values, flags)
    except (LookupError, OSError) as error:
        return refuse(f"{values['--base']}..{values['--head']}", str(error), "git fetch --unshallow, and name existing commits")


def verdict(values: dict[str, str], flags: set[str]) -> int:
    base, head = commit_id(values["--base"]), commit_id(values["--head"])
    if not has_policy(base):
        print("policy: the base has no policy.toml: nothing is protected yet", file=sys.stderr)
        return 0
    if "--ff-only" in flags and not is_ancestor(base, head):
        return refuse("history of a protected branch", "it may grow, never be rewritten", "git pull --rebase, then push")
    with tempfile.TemporaryDirectory(prefix="cairn-judge-") as directory:
        if not extract(base, directory):
            return refuse(f"base {base[:12]}", "it has a policy and no checker to judge by", "choose a base that has xtask/policy")
        command = [sys.executable, "-I", "-S", "-c", START, directory, "check", "--base", base, "--head", head]
        command += ["--branch", values["--branch"]] if values.get("--branch") else []
        command += ["--json"] if "--json" in flags else []
        return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
