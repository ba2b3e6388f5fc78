"""Real programs, unchanged, give in the kernel what they give on the host."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import BUILD, REPO, Runner

BUSYBOX = "/bin/busybox"
PROGRAMS = REPO / "userspace/programs"
Finder = Callable[[str], str]


def on_host(command: list[str], cwd: Path) -> bytes:
    environment = {"PATH": "/sbin:/usr/sbin:/bin:/usr/bin", "HOME": "/root"}
    return subprocess.run(
        command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=False
    ).stdout


def test_busybox_applets_match_the_host(guest: Runner, tmp_path: Path) -> None:
    script = PROGRAMS / "applets.sh"
    expected = on_host([BUSYBOX, "sh", str(script)], tmp_path)
    result = guest([BUSYBOX, "sh", "/applets.sh"], "--add", f"{script}:/applets.sh", "--cwd", "/tmp", "--smp", "2")
    assert result.status == 0, result.explain()
    assert result.out.decode().splitlines() == expected.decode().splitlines()
    assert expected.count(b"\n--- ") >= 59


@pytest.mark.parametrize("name", ["threads64", "threads64-musl"])
@pytest.mark.parametrize("smp", ["1", "4"])
def test_64_threads(guest: Runner, program: Finder, tmp_path: Path, name: str, smp: str) -> None:
    expected = on_host([program(name)], tmp_path)
    result = guest([program(name)], "--smp", smp)
    assert (result.status, result.out) == (0, expected), result.explain()


def debian_root(packages: tuple[str, ...]) -> Path:
    """A directory with the files of Debian packages, made once."""
    root = REPO / BUILD / "debian-root"
    if not (root / ".complete").exists():
        download = REPO / BUILD / "debian-packages"
        download.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "download", *packages], cwd=download, check=True, capture_output=True, timeout=300)
        for package in sorted(download.glob("*.deb")):
            subprocess.run(["dpkg-deb", "-x", str(package), str(root)], check=True, timeout=120)
        (root / ".complete").touch()
    return root


def test_dynamic_program_in_a_debian_root(guest: Runner, program: Finder, tmp_path: Path) -> None:
    root = debian_root(("libc6",))
    expected = on_host([program("hello-dynamic"), "x"], tmp_path)
    result = guest([program("hello-dynamic"), "x"], "--root", str(root))
    assert (result.status, result.out) == (0, expected), result.explain()


@pytest.mark.parametrize("bomb", ["fork", "stack", "alloc"])
def test_bombs_are_contained(guest: Runner, program: Finder, bomb: str) -> None:
    result = guest([program("bombs"), bomb], "--mem", "256M", "--smp", "2")
    assert result.status == 0, result.explain()


def test_storm_of_bad_pointers(guest: Runner, program: Finder) -> None:
    result = guest([program("storm")], "--smp", "2", "--mem", "512M", limit_s=240)
    assert result.status == 0, result.explain()
    assert result.out.splitlines()[-1].startswith(b"storm: 416 calls"), result.explain()
