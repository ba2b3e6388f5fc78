"""Programs on the second port: static, static-PIE and dynamic ones, threads, and Debian's busybox, whose output
is that of the host's own architecture."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest

from .conftest import AARCH64_BUILD as BUILD, REPO, Result, run_in_guest
from .test_programs import BUSYBOX, PROGRAMS, on_host

LIBRARIES = Path("/usr/aarch64-linux-gnu/lib")
ARM_BUSYBOX = REPO / "build/debian/arm64/bin/busybox"


pytestmark = pytest.mark.usefixtures("aarch64")


def run(program: str, *options: str, args: tuple[str, ...] = (), stdin: bytes = b"") -> Result:
    return run_in_guest([program, *args], *options, stdin=stdin, arch="aarch64")


@pytest.mark.parametrize("name", ["hello-static-pie", "hello-dynamic"])
def test_kinds_of_executables(name: str) -> None:
    options = ["--add", f"{LIBRARIES}:/lib"] if name == "hello-dynamic" else []
    result = run(f"{BUILD}/user/{name}", *options, args=("x",))
    assert result.status == 0, result.explain()
    assert result.out == b"dynamic: constructor=1 argc=2 argv1=x sqrt2=1.414214 page=4096\n"


@pytest.mark.parametrize("smp", ["1", "4"])
def test_64_threads(smp: str) -> None:
    result = run(f"{BUILD}/user/threads64", "--smp", smp)
    assert (result.status, result.out) == (0, b"threads=64 total=403200 own=403200 tls_of_main=0\n"), result.explain()


def test_any_call_with_any_arguments() -> None:
    result = run(f"{BUILD}/user/storm", "--smp", "4")
    assert result.status == 0, result.explain()


def test_busybox_applets_match_the_other_architecture(tmp_path: Path) -> None:
    fetch = [str(REPO / "scripts/foreign_package.sh"), "arm64", "busybox-static"]
    if subprocess.run(fetch, check=False, capture_output=True, timeout=300).returncode != 0:
        pytest.skip("no busybox-static of arm64 (see scripts/foreign_package.sh)")
    script = PROGRAMS / "applets.sh"
    expected = on_host([BUSYBOX, "sh", str(script)], tmp_path)
    adds = ["--add", f"{script}:/applets.sh", "--add", f"{ARM_BUSYBOX}:/bin/busybox"]
    result = run(str(ARM_BUSYBOX), *adds, "--cwd", "/tmp", "--smp", "2", args=("sh", "/applets.sh"))
    assert result.status == 0, result.explain()
    assert result.out.decode().splitlines() == expected.decode().splitlines()
    assert expected.count(b"\n--- ") >= 59


@pytest.mark.parametrize("machine", ["virt-pci", "virt-gic2-pci"])
def test_devices_on_pci_interrupt_by_messages(tmp_path: Path, machine: str) -> None:
    """Nobody has placed their registers but the kernel; their interrupts are the ITS's (GICv3), the frame's (GICv2)."""
    seed = 11
    data = random.Random(seed).randbytes(1 << 20)
    image = tmp_path / "disk.img"
    image.write_bytes(data)
    sources = ("/dev/vda", "/proc/interrupts")
    result = run(
        f"{BUILD}/user/copy", "--machine", machine, "--smp", "2", "--disk", str(image), args=sources, stdin=b"typed\n"
    )
    assert result.status == 0 and result.out.startswith(b"typed\n" + data), f"seed {seed}: {result.err[-500:]!r}"
    lines = [line.split() for line in result.out[len(b"typed\n" + data) :].decode().splitlines()]
    counts = [int(count) for _number, count, name in lines if name == "virtio-pci"]
    assert len(counts) == 2 and min(counts) > 0, lines
