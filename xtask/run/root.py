"""The root of a `run`: /init, the program, /.cairn/spec, and what else was asked for. Mostly pure."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from ..guest.machine import UsageError
from ..initramfs import Initramfs, parse_add

BUSYBOX = Path("/bin/busybox")
DIRECTORIES = ("dev", "proc", "sys", "tmp", "root", "etc", "run", "var", "mnt", "bin", "usr/bin")
PASSWD = b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"
GROUP = b"root:x:0:\ntty:x:5:\nnogroup:x:65534:\n"


@dataclass
class Program:
    """What PID 1 is to run."""

    path: str  # in the guest
    args: list[str]  # without the program's own name
    env: dict[str, str] = field(default_factory=dict)
    cwd: str = "/"
    tty: bool = False


def spec_bytes(program: Program) -> bytes:
    """/.cairn/spec: pairs of key and value, each NUL-terminated."""
    pairs = [("cwd", program.cwd)]
    pairs += [("env", f"{name}={value}") for name, value in program.env.items()]
    pairs += [("arg", word) for word in (program.path, *program.args)]
    if program.tty:
        pairs.append(("tty", "1"))
    out = bytearray()
    for key, value in pairs:
        raw = os.fsencode(value)
        if b"\0" in raw:
            raise UsageError(f"a NUL in {key}: {value!r}")
        out += key.encode() + b"\0" + raw + b"\0"
    return bytes(out)


def parse_env(words: list[str]) -> dict[str, str]:
    env = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}
    for word in words:
        name, equals, value = word.partition("=")
        if not name or not equals:
            raise UsageError(f"--env takes K=V, not {word!r}")
        env[name] = value
    return env


def interpreter_of(data: bytes) -> str | None:
    """PT_INTERP of an ELF64 file: what must be in the root for it to start."""
    if data[:5] != b"\x7fELF\x02" or len(data) < 64:
        return None
    offset = int.from_bytes(data[32:40], "little")
    size = int.from_bytes(data[54:56], "little")
    count = int.from_bytes(data[56:58], "little")
    for place in range(offset, offset + size * count, size):
        if int.from_bytes(data[place : place + 4], "little") == 3:
            start = int.from_bytes(data[place + 8 : place + 16], "little")
            length = int.from_bytes(data[place + 32 : place + 40], "little")
            return data[start : start + length].rstrip(b"\0").decode("ascii", "replace")
    return None


def busybox_applets(busybox: Path) -> list[str]:
    """Paths that busybox would install links at, relative to the root."""
    import subprocess

    done = subprocess.run([str(busybox), "--list-full"], capture_output=True, text=True, check=False, timeout=10)
    return done.stdout.split()


def add_busybox(archive: Initramfs) -> None:
    """/bin/busybox and a link for each applet, as Debian's package has them."""
    found = BUSYBOX if BUSYBOX.is_file() else Path(shutil.which("busybox") or "")
    if not found.is_file():
        raise UsageError("busybox is not installed (try scripts/setup.sh run)")
    archive.file("bin/busybox", found.resolve(), 0o755)
    for path in busybox_applets(found):
        if path not in archive.entries:
            archive.symlink(path, "/bin/busybox")


def base_tree(archive: Initramfs) -> None:
    for name in DIRECTORIES:
        if name not in archive.entries:
            archive.directory(archive.resolve(name))
    if "dev/console" not in archive.entries:
        archive.device("dev/console", "c", 5, 1)  # for PID 1, until it has mounted /dev
    for path, data in (("etc/passwd", PASSWD), ("etc/group", GROUP)):
        if archive.resolve(path) not in archive.entries:
            archive.file(archive.resolve(path), data)


def place_program(archive: Initramfs, word: str) -> str:
    """Copies the host's ELF in, and says where. A path that only the root has is taken from there."""
    host = Path(word)
    if not host.is_file():
        inside = archive.resolve(word)
        if word.startswith("/") and inside in archive.entries:
            return word
        raise UsageError(f"no such program: {word}")
    if not os.access(host, os.X_OK):
        raise UsageError(f"not executable: {word}")
    taken = archive.resolve(f"/bin/{host.name}") in archive.entries
    guest = f"/.cairn/{host.name}" if taken else f"/bin/{host.name}"
    archive.file(archive.resolve(guest), host.resolve(), 0o755)
    return guest


def compose(init: Path, root: Path | None, adds: list[str], word: str | None) -> tuple[Initramfs, str]:
    """The archive without its spec, and the program's path in it. Without a word: a busybox shell."""
    archive = Initramfs()
    if root is not None:
        if not root.is_dir():
            raise UsageError(f"--root: no such directory: {root}")
        archive.add_tree(root)
    base_tree(archive)
    for text in adds:
        archive.add_host(*parse_add(text))
    if word is None:
        add_busybox(archive)
        path = "/bin/sh"
    else:
        path = place_program(archive, word)
    archive.file("init", init, 0o755)
    return archive, path
