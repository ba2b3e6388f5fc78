"""Git plumbing: raw bytes in and out, no replacement objects, no grafts, no attributes, no rename guesses."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Iterator
from typing import NamedTuple

GIT = ("git", "--no-replace-objects", "--literal-pathspecs", "--no-optional-locks", "-c", "core.commitGraph=false")
RAW = ("--raw", "-z", "--no-renames", "--no-abbrev", "--no-ext-diff", "--no-textconv", "--ignore-submodules=none")
# Each of these could make git show other objects than the ones that are there.
UNSAFE = ("GIT_REPLACE_REF_BASE", "GIT_SHALLOW_FILE", "GIT_EXTERNAL_DIFF", "GIT_DIFF_OPTS", "GIT_LITERAL_PATHSPECS")


class GitError(Exception):
    """Git could not answer; the check refuses, it does not pass."""


class Entry(NamedTuple):
    """One changed path: what it was and what it is. Ids are hex, modes octal, as git writes them."""

    path: bytes
    old_mode: bytes
    old: bytes
    new_mode: bytes
    new: bytes

    @property
    def added(self) -> bool:
        return self.old_mode == b"000000"

    @property
    def deleted(self) -> bool:
        return self.new_mode == b"000000"


def parse_raw(data: bytes) -> Iterator[tuple[bytes, list[Entry]]]:
    """`diff-tree --stdin --always -z`: each header (empty when there is none) with its entries."""
    header = b""
    entries: list[Entry] = []
    started = False
    tokens = iter(data.split(b"\0"))
    for token in tokens:
        if token.startswith(b":"):
            old_mode, new_mode, old, new, _status = token[1:].split(b" ")
            entries.append(Entry(next(tokens), old_mode, old, new_mode, new))
            started = True
        elif token:
            if started:
                yield header, entries
            header, entries, started = token.strip(), [], True
    if started:
        yield header, entries


class Repo:
    """One repository, by the directory git is started in."""

    def __init__(self, directory: str = ".") -> None:
        self.directory = directory
        self.environment = {k: v for k, v in os.environ.items() if k not in UNSAFE}
        self.environment.update(GIT_NO_REPLACE_OBJECTS="1", GIT_GRAFT_FILE=os.devnull, LC_ALL="C")
        self._objects: subprocess.Popen[bytes] | None = None
        self._known: dict[bytes, bytes] = {}

    def git(self, *args: str | bytes, data: bytes | None = None, ok: tuple[int, ...] = (0,)) -> bytes:
        done = subprocess.run(
            [*GIT, *args],
            cwd=self.directory,
            env=self.environment,
            input=data,
            stdin=subprocess.DEVNULL if data is None else None,
            capture_output=True,
            check=False,
        )
        if done.returncode not in ok:
            first = done.stderr.decode("utf-8", "replace").strip().splitlines() or [f"status {done.returncode}"]
            raise GitError(f"git {os.fsdecode(args[0])}: {first[0]}")
        return done.stdout

    def try_git(self, *args: str | bytes) -> bytes | None:
        try:
            return self.git(*args)
        except GitError:
            return None

    # --- names ---

    def commit(self, revision: str) -> bytes:
        """The id of a commit; GitError when there is none of that name."""
        found = self.try_git("rev-parse", "--verify", "--quiet", "--end-of-options", revision + "^{commit}")
        if not found:
            raise GitError(f"no commit {revision!r} in this repository")
        return found.strip()

    def head(self) -> bytes | None:
        found = self.try_git("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
        return found.strip() if found else None

    def shallow(self) -> bool:
        return self.git("rev-parse", "--is-shallow-repository").strip() != b"false"

    def merge_bases(self, one: bytes, two: bytes) -> list[bytes]:
        return self.git("merge-base", "--all", one, two, ok=(0, 1)).split()

    # --- objects, through one `cat-file --batch` ---

    def _ask(self, name: bytes) -> bytes | None:
        if b"\n" in name:
            raise GitError("a name with a line feed cannot be asked for")
        if self._objects is None:
            self._objects = subprocess.Popen(
                [*GIT, "cat-file", "--batch"],
                cwd=self.directory,
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        stdin, stdout = self._objects.stdin, self._objects.stdout
        assert stdin is not None and stdout is not None
        stdin.write(name + b"\n")
        stdin.flush()
        line = stdout.readline().split(b" ")
        if len(line) == 3 and line[2].strip().isdigit():
            data = stdout.read(int(line[2]) + 1)[:-1]
            return data
        if not line[0]:
            raise GitError("git cat-file ended")
        return None

    def read(self, name: bytes) -> bytes | None:
        """An object's content by any name; None when there is none. By id it is remembered."""
        if name in self._known:
            return self._known[name]
        data = self._ask(name)
        if data is not None and len(name) == 40 and b":" not in name:
            self._known[name] = data
        return data

    def blob(self, object_id: bytes) -> bytes:
        data = self.read(object_id)
        if data is None:
            raise GitError(f"object {object_id.decode()} is missing")
        return data

    def ids(self, names: Iterable[bytes]) -> list[bytes | None]:
        """Object ids of many names, with one process."""
        text = b"".join(name + b"\n" for name in names)
        out = self.git("cat-file", "--batch-check=%(objectname) %(objecttype)", data=text) if text else b""
        found: list[bytes | None] = []
        for line in out.splitlines():
            words = line.rsplit(b" ", 1)
            found.append(words[0] if words[1] in (b"blob", b"tree", b"commit") else None)
        return found

    # --- trees and differences ---

    def files(self, tree: bytes, *under: str) -> dict[bytes, tuple[bytes, bytes]]:
        """Path → (mode, id) of a tree's files."""
        out = self.git("ls-tree", "-r", "-z", "--full-tree", tree, "--", *under)
        found = {}
        for line in out.split(b"\0"):
            if line:
                meta, path = line.split(b"\t", 1)
                mode, _, object_id = meta.split(b" ")[:3]
                found[path] = (mode, object_id)
        return found

    def index_files(self, *under: str) -> dict[bytes, tuple[bytes, bytes]]:
        out = self.git("ls-files", "-s", "-z", "--full-name", "--", *under)
        found = {}
        for line in out.split(b"\0"):
            if line:
                meta, path = line.split(b"\t", 1)
                mode, object_id, _stage = meta.split(b" ")
                found[path] = (mode, object_id)
        return found

    def index_diff(self, tree: bytes) -> list[Entry]:
        out = self.git("diff-index", "--cached", *RAW, tree, "--")
        return [entry for _, entries in parse_raw(out) for entry in entries]

    def diff(self, old: bytes, new: bytes) -> list[Entry]:
        out = self.git("diff-tree", "-r", *RAW, old, new, "--")
        return [entry for _, entries in parse_raw(out) for entry in entries]

    def diffs(self, pairs: list[tuple[bytes, bytes]]) -> list[list[Entry]]:
        """The difference of each (commit, parent), in order, with one process; no parent: all of it."""
        if not pairs:
            return []
        text = b"".join(commit + (b" " + parent if parent else b"") + b"\n" for commit, parent in pairs)
        out = self.git("diff-tree", "--stdin", "-r", "-m", "--root", "--always", *RAW, data=text)
        found = [(header, entries) for header, entries in parse_raw(out)]
        if [header for header, _ in found] != [commit for commit, _ in pairs]:
            raise GitError("git diff-tree answered for other commits than it was asked about")
        return [entries for _, entries in found]

    def commits(self, head: bytes, *without: bytes) -> list[tuple[bytes, list[bytes]]]:
        """Commits reachable from head and from none of the others, parents first, with their parents."""
        out = self.git("rev-list", "--topo-order", "--reverse", "--parents", head, *[b"^" + w for w in without], "--")
        lines = [line.split() for line in out.splitlines()]
        return [(words[0], words[1:]) for words in lines]

    def close(self) -> None:
        if self._objects is not None:
            assert self._objects.stdin is not None and self._objects.stdout is not None
            self._objects.stdin.close()
            self._objects.stdout.close()
            self._objects.wait()
            self._objects = None
