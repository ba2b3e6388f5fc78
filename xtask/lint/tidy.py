"""clang-tidy over kernel files, with the flags of the last build, and a cache by content.

The analyzer visits at most NODES states of a function, enough for ordinary ones; a deep run (minutes, in CI)
goes to the analyzer's own limit. make writes the compiler's flags to $(O)/flags, and the headers of each file
beside its object; a file is checked again when it, a header of it, the flags or .clang-tidy changed."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

NODES = 40_000
GCC_ONLY = (
    "-fno-tree-loop-distribute-patterns",
    "-fno-allow-store-data-races",
    "-fcallgraph-info=su",
    "-mpreferred-stack-boundary=3",
    "-MMD",
    "-MP",
)


def compile_flags(text: str) -> list[str]:
    """The compiler's part of $(O)/flags, as clang understands it. Pure."""
    compiler, *words = shlex.split(text)
    cross = compiler.removesuffix("-gcc") if compiler.endswith("-gcc") else ""
    target = [f"--target={cross}"] if cross else []
    if "-nostdlib" in words:
        words = words[: words.index("-nostdlib")]
    kept: list[str] = []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word == "-isystem":
            skip = True  # gcc's own headers; clang brings its own
        elif word not in GCC_ONLY and word != "-nostdinc":
            kept.append(word)
    # with CONFIG_DEBUG the analyzer sees what assertions promise
    return ["clang", *target, *kept, "-DCONFIG_DEBUG", "-Wno-unknown-warning-option", "-Qunused-arguments"]


def compile_commands(root: Path, flags: list[str], files: list[str]) -> list[dict[str, object]]:
    return [
        {"directory": str(root), "file": name, "arguments": [*flags, "-c", name]}
        for name in files
        if name.endswith(".c")
    ]


def headers_of(text: str) -> list[str]:
    """The files a .d rule names."""
    rule = text.replace("\\\n", " ").partition("\n")[0]
    return rule.partition(":")[2].split()


def digest(root: Path, name: str, build: Path, salt: bytes) -> str:
    """Of everything that decides what clang-tidy says about a file."""
    state = hashlib.sha256(salt + name.encode())
    rule = build / f"{name}.d"
    names = headers_of(rule.read_text()) if rule.is_file() else [name]
    for dependency in [name, *names]:
        path = root / dependency
        if path.is_file():
            state.update(path.read_bytes())
    return state.hexdigest()


def tidy_one(root: Path, commands: Path, name: str) -> tuple[str, int, str]:
    args = ["clang-tidy", "--quiet", "-p", str(commands), name]
    done = subprocess.run(args, cwd=root, capture_output=True, text=True, check=False, timeout=300)
    wanted = [line for line in done.stdout.splitlines() if line.strip()]
    return name, done.returncode, "\n".join(wanted) if done.returncode == 0 else done.stdout + done.stderr


def run_tidy(root: Path, build: Path, files: list[str], deep: bool) -> tuple[list[str], int]:
    """Findings as text, and how many files were looked at (others were known to be clean)."""
    flags_file = build / "flags"
    flags_text = flags_file.read_text()
    flags = compile_flags(flags_text)
    if not deep:
        flags += ["-Xclang", "-analyzer-config", "-Xclang", f"max-nodes={NODES}"]
    configs = [root / ".clang-tidy", root / "kernel" / "tests" / ".clang-tidy"]
    salt = shlex.join(flags).encode() + b"".join(path.read_bytes() for path in configs)
    directory = root / ".cairn" / "lint"
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "compile_commands.json").write_text(json.dumps(compile_commands(root, flags, files), indent=1))
    cache = directory / "clean"
    cache.mkdir(exist_ok=True)
    keys = {name: digest(root, name, build, salt) for name in files}
    todo = [name for name in files if not (cache / keys[name]).exists()]
    complaints: list[str] = []
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for name, status, text in pool.map(lambda n: tidy_one(root, directory, n), todo):
            if status or text:
                complaints.append(text.strip() or f"{name}: clang-tidy failed")
            else:
                (cache / keys[name]).touch()
    return complaints, len(todo)
