"""newc archives for the initramfs: deterministic, and with file data on page boundaries where it can be.

The data of a file starts at a multiple of 4096 in the archive, by NULs after the name (they count in
namesize, which stays within PATH_MAX), so that a kernel may adopt the pages in place. Inodes are numbered
by place, times are zero, owners are root: the same tree gives the same bytes.

`xtask initramfs OUT [--root DIR] [--add HOST:GUEST]...` packs one by hand.
"""

from __future__ import annotations

import argparse
import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

from . import exitcodes

PAGE = 4096
PATH_MAX = 4096
HEADER = 110
ALIGN_FROM = 512  # smaller files are not worth a page of padding


class ArchiveError(Exception):
    """What was to be packed cannot be: exit code 2."""


@dataclass(frozen=True)
class Entry:
    mode: int  # type and permissions
    data: bytes | Path = b""  # a Path is read when it is written
    rdev: tuple[int, int] = (0, 0)


class Initramfs:
    """Entries by path, without a leading slash. Parents appear by themselves."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}

    def put(self, path: str, entry: Entry) -> None:
        name = clean(path)
        if not name:
            return
        parent = os.path.dirname(name)
        if parent and parent not in self.entries:
            self.put(parent, Entry(stat.S_IFDIR | 0o755))
        self.entries[name] = entry

    def directory(self, path: str, mode: int = 0o755) -> None:
        self.put(path, Entry(stat.S_IFDIR | mode))

    def file(self, path: str, data: bytes | Path, mode: int = 0o644) -> None:
        self.put(path, Entry(stat.S_IFREG | mode, data))

    def symlink(self, path: str, target: str) -> None:
        self.put(path, Entry(stat.S_IFLNK | 0o777, target.encode()))

    def device(self, path: str, kind: str, major: int, minor: int, mode: int = 0o600) -> None:
        """kind: c or b."""
        bits = stat.S_IFCHR if kind == "c" else stat.S_IFBLK
        self.put(path, Entry(bits | mode, rdev=(major, minor)))

    def resolve(self, path: str) -> str:
        """path with the symlinks of its directories (as packed here) followed: merged-usr trees need it."""
        done = ""
        parts = clean(path).split("/")
        hops = 0
        while parts:
            step = parts.pop(0)
            here = clean(f"{done}/{step}")
            entry = self.entries.get(here)
            if entry is not None and stat.S_ISLNK(entry.mode) and parts and hops < 40:
                hops += 1
                assert isinstance(entry.data, bytes)
                target = entry.data.decode()
                base = "" if target.startswith("/") else done
                parts = [*clean(f"{base}/{target}").split("/"), *parts]
                done = ""
                continue
            done = here
        return done

    def add_host(self, host: Path, guest: str) -> None:
        """A host file (what a link points to) or a whole tree, at guest."""
        if host.is_dir():
            self.add_tree(host, guest)
        elif host.is_file():
            self.file(self.resolve(guest), host, stat.S_IMODE(host.stat().st_mode))
        else:
            raise ArchiveError(f"no such file or directory: {host}")

    def add_tree(self, root: Path, guest: str = "") -> None:
        for directory, names, files in os.walk(root):
            names.sort()
            for name in sorted(files) + names:
                self.add_node(Path(directory) / name, f"{guest}/{os.path.relpath(directory, root)}/{name}")

    def add_node(self, path: Path, guest: str) -> None:
        info = path.lstat()
        mode = info.st_mode
        if stat.S_ISLNK(mode):
            self.put(guest, Entry(stat.S_IFLNK | 0o777, os.readlink(path).encode()))
        elif stat.S_ISREG(mode):
            self.put(guest, Entry(mode, path))
        elif stat.S_ISDIR(mode):
            self.put(guest, Entry(mode))
        elif stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
            self.put(guest, Entry(mode, rdev=(os.major(info.st_rdev), os.minor(info.st_rdev))))
        elif stat.S_ISFIFO(mode):
            self.put(guest, Entry(mode))

    def pack(self) -> bytes:
        out = bytearray()
        entries = sorted(self.entries.items())  # a directory sorts before what is in it
        for number, (name, entry) in enumerate(entries, start=1):
            write_entry(out, name, entry, number)
        write_record(out, b"TRAILER!!!\0", Entry(0), b"", 0)
        out += bytes(-len(out) % 512)
        return bytes(out)

    def write(self, path: Path) -> None:
        path.write_bytes(self.pack())


def clean(path: str) -> str:
    """path without leading slash, dots and doubled slashes; ArchiveError for one that leaves the root."""
    name = os.path.normpath("/" + path).lstrip("/")
    return "" if name == "." else name


def write_entry(out: bytearray, name: str, entry: Entry, inode: int) -> None:
    try:
        data = entry.data.read_bytes() if isinstance(entry.data, Path) else entry.data
    except OSError as error:
        raise ArchiveError(str(error)) from None
    encoded = name.encode() + b"\0"
    if len(encoded) > PATH_MAX:
        raise ArchiveError(f"the name is too long: {name}")
    if stat.S_ISREG(entry.mode) and len(data) >= ALIGN_FROM:
        encoded = padded_name(out, encoded)
    write_record(out, encoded, entry, data, inode)


def padded_name(out: bytearray, name: bytes) -> bytes:
    """name with NULs after it, so that the data behind it starts a page."""
    room = -(len(out) + HEADER + len(name)) % PAGE
    if len(name) + room > PATH_MAX:  # does not fit: a second entry of the root directory takes up room
        filler = b".\0" + bytes(PAGE // 2)
        write_record(out, filler, Entry(stat.S_IFDIR | 0o755), b"", 0)
        room = -(len(out) + HEADER + len(name)) % PAGE
    return name + bytes(room) if len(name) + room <= PATH_MAX else name


def write_record(out: bytearray, name: bytes, entry: Entry, data: bytes, inode: int) -> None:
    links = 2 if stat.S_ISDIR(entry.mode) else 1
    fields = (inode, entry.mode, 0, 0, links, 0, len(data), 0, 0, *entry.rdev, len(name), 0)
    out += b"070701" + b"".join(b"%08x" % field for field in fields) + name
    out += bytes(-len(out) % 4)
    out += data
    out += bytes(-len(out) % 4)


def parse_add(word: str) -> tuple[Path, str]:
    """HOST:GUEST; without :GUEST the same path."""
    host, colon, guest = word.rpartition(":")
    if not colon:
        host = guest = word
    if not host or not guest:
        raise ArchiveError(f"--add takes HOST:GUEST, not {word!r}")
    return Path(host), guest


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="xtask initramfs", description="pack a newc archive")
    parser.add_argument("out", type=Path)
    parser.add_argument("--root", type=Path, help="directory to start from")
    parser.add_argument("--add", action="append", default=[], metavar="HOST:GUEST")
    options = parser.parse_args(argv)
    archive = Initramfs()
    try:
        if options.root:
            archive.add_host(options.root, "")
        for word in options.add:
            archive.add_host(*parse_add(word))
        archive.write(options.out)
    except (ArchiveError, OSError) as error:
        print(f"xtask initramfs: {error}", file=sys.stderr)
        return exitcodes.USAGE
    return exitcodes.OK
