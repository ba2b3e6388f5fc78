"""newc archives: read back by an independent parser, and by the host's cpio where there is one."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from xtask.initramfs import ALIGN_FROM, PAGE, ArchiveError, Initramfs, clean, main, parse_add


def read(data: bytes) -> list[tuple[str, int, int, bytes]]:
    """(name, mode, offset of data, data) of each record before the trailer."""
    found: list[tuple[str, int, int, bytes]] = []
    place = 0
    while True:
        assert data[place : place + 6] == b"070701"
        fields = [int(data[place + 6 + 8 * n : place + 14 + 8 * n], 16) for n in range(13)]
        name_end = place + 110 + fields[11]
        raw = data[place + 110 : name_end]
        assert raw.endswith(b"\0") and fields[11] <= 4096
        name = raw.split(b"\0", 1)[0].decode()
        start = (name_end + 3) & ~3
        if name == "TRAILER!!!":
            return found
        found.append((name, fields[1], start, data[start : start + fields[6]]))
        place = (start + fields[6] + 3) & ~3


def test_tree_reads_back(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "x"
    program.write_bytes(b"\x7fELF" + bytes(range(256)) * 40)
    program.chmod(0o4755)
    (tmp_path / "bin" / "link").symlink_to("x")
    os.mkfifo(tmp_path / "fifo")
    archive = Initramfs()
    archive.add_tree(tmp_path)
    archive.device("dev/console", "c", 5, 1)
    archive.file("a/b/c", b"text")
    found = {name: (mode, data) for name, mode, _, data in read(archive.pack())}
    assert found["bin/x"] == (stat.S_IFREG | 0o4755, program.read_bytes())
    assert found["bin/link"] == (stat.S_IFLNK | 0o777, b"x")
    assert stat.S_ISFIFO(found["fifo"][0]) and stat.S_ISCHR(found["dev/console"][0])
    assert stat.S_ISDIR(found["a"][0]) and stat.S_ISDIR(found["a/b"][0]) and found["a/b/c"][1] == b"text"


def test_parents_come_first() -> None:
    archive = Initramfs()
    archive.file("z/y/x", b"1")
    archive.file("z.file", b"2")
    names = [name for name, *_ in read(archive.pack())]
    assert names.index("z") < names.index("z/y") < names.index("z/y/x")


def test_data_lies_on_pages_and_bytes_are_the_same_each_time() -> None:
    def make() -> bytes:
        archive = Initramfs()
        for size in (ALIGN_FROM, 4095, 4096, 4097, 10000, 3900, 8192 + 3986):
            archive.file(f"dir/file{size}", bytes([size % 251]) * size)
        archive.file("tiny", b"x")
        return archive.pack()

    for name, mode, offset, data in read(make()):
        if stat.S_ISREG(mode) and len(data) >= ALIGN_FROM:
            assert offset % PAGE == 0, name
    assert make() == make()


def test_padding_never_makes_a_name_too_long() -> None:
    for length in range(1, 240, 3):
        archive = Initramfs()
        archive.file("a" * length, bytes(5000))
        archive.file("b" * (length % 7 + 1), bytes(600 + length * 13))
        files = [row for row in read(archive.pack()) if stat.S_ISREG(row[1])]
        assert len(files) == 2 and all(row[2] % PAGE == 0 for row in files)


@pytest.mark.skipif(shutil.which("cpio") is None, reason="no cpio here")
def test_cpio_agrees(tmp_path: Path) -> None:
    archive = Initramfs()
    archive.file("d/f", b"hello" * 1000, 0o640)
    out = tmp_path / "out"
    out.mkdir()
    subprocess.run(["cpio", "-id", "--quiet"], input=archive.pack(), cwd=out, check=True)
    assert (out / "d" / "f").read_bytes() == b"hello" * 1000


def test_symlinked_directories_are_followed() -> None:
    archive = Initramfs()
    archive.directory("usr/bin")
    archive.symlink("bin", "usr/bin")
    archive.symlink("sbin", "/bin")
    assert archive.resolve("/bin/sh") == "usr/bin/sh"
    assert archive.resolve("sbin/init") == "usr/bin/init"
    assert archive.resolve("/a/../b//c") == "b/c"
    archive.symlink("loop", "loop")
    archive.resolve("loop/x")  # ends


def test_names() -> None:
    assert clean("/../../etc") == "etc" and clean("/") == "" and clean("./a/./b") == "a/b"
    assert parse_add("/a:/b") == (Path("/a"), "/b")
    assert parse_add("/a") == (Path("/a"), "/a")
    for bad in (":/b", "/a:"):
        with pytest.raises(ArchiveError):
            parse_add(bad)


def test_missing_file_is_a_usage_error(tmp_path: Path) -> None:
    assert main([str(tmp_path / "o"), "--add", f"{tmp_path}/none:/x"]) == 2
