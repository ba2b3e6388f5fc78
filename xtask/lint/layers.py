"""The layer check: the plan of the house, held to the tree. Pure but for reading the files it is given.

A file may include headers of its own layer and of those to its left; a port (kernel/arch) may include what
it implements and the few layers it calls up into. No arch conditional outside arch/ and the directories named
like a port, programs included; every file in a room that exists, none longer than 600 lines."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

# From left to right; those in one row are equal, but do not include each other (lib and uapi may).
ORDER = (
    ("lib", "uapi"),
    ("arch",),
    ("debug",),
    ("core",),
    ("sched",),
    ("mm",),
    ("dev",),
    ("fs",),
    ("net", "tty"),
    ("proc",),
    ("entry",),
    ("syscall",),
    ("init",),
)
RANK = {name: rank for rank, row in enumerate(ORDER) for name in row}
PORT_MAY = RANK["dev"]  # what code in kernel/arch may include (its own devices are drivers), and entry's
LINES_MAX = 600
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]')
CONDITIONAL = re.compile(r"^\s*#\s*(?:el)?if(?:n?def)?\b(.*)$")
ARCH_WORD = re.compile(
    r"\b(__x86_64__|__i386__|__aarch64__|__arm__|__riscv\w*|CONFIG_ARCH\w*|CONFIG_X86\w*|CONFIG_ARM\w*|"
    r"CONFIG_AARCH64\w*|CONFIG_VKERNEL\w*|ARCH_(?:X86\w*|AARCH64|ARM\w*|VKERNEL)|SYS_\w+)\b"  # calls differ by port
)
CODE = (".c", ".h", ".S")
ROOMS = {*RANK, "tests", "include"}
PORTS = {"x86_64", "aarch64"}
FREESTANDING = ("stdarg.h", "stddef.h", "stdbool.h", "stdatomic.h", "cpuid.h", "immintrin.h")
GENERATED = ("syscall_limit.h",)


@dataclass(frozen=True)
class Finding:
    path: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}" if self.line else f"{self.path}: {self.text}"


def layer_of(path: str) -> str | None:
    """The layer a kernel file belongs to; `port` for kernel/arch, `tests` for tests, None for no room."""
    parts = path.split("/")
    if len(parts) < 3 or parts[0] != "kernel":
        return None
    room = parts[1]
    if room == "arch":
        return "tests" if "ktest" in parts else "port"
    if room == "include":
        return parts[2] if len(parts) > 3 and parts[2] in RANK else None
    return room if room in ROOMS else None


def allowed(layer: str, target: str) -> bool:
    """Whether a file of a layer may include <target/...>."""
    if layer == "tests":
        return True
    if layer == "port":
        return RANK[target] <= PORT_MAY or target == "entry"
    if target == layer or {target, layer} == {"lib", "uapi"}:
        return True
    return RANK[target] < RANK[layer]


def include_finding(path: str, layer: str, quote: str, name: str) -> str | None:
    """What is wrong with one include; None when nothing is."""
    if quote == '"':
        inside = layer_of(os.path.normpath(f"{os.path.dirname(path)}/{name}")) == layer
        return None if ".." not in name or inside or layer == "tests" else "a private header of another layer is included"
    head, slash, _ = name.partition("/")
    if layer == "lib" and path.startswith("kernel/include/lib/") and (not slash or head == "sys"):
        return None  # lib is also compiled for the host's tests
    if not slash:
        known = name in FREESTANDING or name.endswith("_gen.h") or name in GENERATED
        return None if known or layer == "tests" else f"<{name}>: headers of the kernel are <layer/name.h>"
    if head == "asm":
        inside = layer in ("port", "tests", "uapi") or path.startswith("kernel/include/arch/")
        return None if inside else f"<{name}>: only arch code and the contract include a port's headers"
    if head not in RANK:
        return f"<{name}>: there is no layer {head!r}"
    if not allowed(layer, head):
        return f"<{name}>: {layer} may not include {head} (it is to its right)"
    return None


def check_room(path: str) -> str | None:
    """Whether a file is where it belongs."""
    suffix = Path(path).suffix
    if path.startswith("kernel/") and suffix in CODE and layer_of(path) is None:
        return "no such room in kernel/ (see the tree in docs/internals/tree.md)"
    if suffix == ".S" and not path.startswith(("kernel/arch/", "userspace/", "xtask/tests/")):
        return "assembly belongs to kernel/arch"
    if path.startswith("kernel/include/") and suffix != ".h":
        return "only headers in kernel/include"
    if suffix == ".py" and not path.startswith(("xtask/", "scripts/", "gdb/")):
        return "Python belongs to xtask, scripts or gdb"
    return None


def check_text(path: str, text: str) -> list[Finding]:
    """All findings about one file."""
    lines = text.splitlines()
    found: list[Finding] = []
    room = check_room(path)
    if room:
        found.append(Finding(path, 0, f"in the wrong room: {room}"))
    if Path(path).suffix in (*CODE, ".py") and len(lines) > LINES_MAX:
        found.append(Finding(path, LINES_MAX + 1, f"{len(lines)} lines, at most {LINES_MAX}"))
    layer = layer_of(path)
    if Path(path).suffix not in CODE:
        return found
    if path.startswith(("kernel/", "userspace/")) and not of_a_port(path):
        found += conditional_findings(path, lines)
    if layer is None or path.startswith("kernel/tests/host/"):
        return found
    for number, line in enumerate(lines, start=1):
        include = INCLUDE.match(line)
        if include:
            wrong = include_finding(path, layer, include[1], include[2])
            if wrong:
                found.append(Finding(path, number, wrong))
    return found


def of_a_port(path: str) -> bool:
    """kernel/arch, the contract, and the directories elsewhere that have a port's name."""
    return path.startswith(("kernel/arch/", "kernel/include/arch/")) or not PORTS.isdisjoint(path.split("/"))


def conditional_findings(path: str, lines: list[str]) -> list[Finding]:
    found = []
    for number, line in enumerate(lines, start=1):
        conditional = CONDITIONAL.match(line)
        word = ARCH_WORD.search(conditional[1]) if conditional else None
        if word:
            found.append(Finding(path, number, f"arch conditional on {word[1]} outside arch/"))
    return found


def check(root: Path, files: list[str]) -> list[Finding]:
    """Checks files (relative to root) that are text and still there."""
    found: list[Finding] = []
    for name in files:
        path = root / name
        if path.suffix in (*CODE, ".py") and path.is_file():
            found += check_text(name, path.read_text(encoding="utf-8", errors="replace"))
    return found
