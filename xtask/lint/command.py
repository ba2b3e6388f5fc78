"""`xtask lint [--changed] [--only CHECK]...`: every check of style and structure, each by its name."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .. import exitcodes
from ..build import Build, BuildError
from ..guest.rundir import ROOT
from . import layers, tidy

C_DIRS = ("kernel/", "userspace/")


class Missing(Exception):
    """A tool is not installed: infrastructure, never a silent pass."""


@dataclass(frozen=True)
class Context:
    files: list[str]
    arch: str
    deep: bool = False

    def c_files(self, *suffixes: str) -> list[str]:
        return [f for f in self.files if f.startswith(C_DIRS) and f.endswith(suffixes)]


def git_files(changed: bool) -> list[str]:
    """Files under version control that exist; with changed, those that differ from HEAD."""
    args = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    if changed:
        args = ["git", "diff", "-z", "--name-only", "--diff-filter=ACMR", "HEAD"]
    done = subprocess.run(args, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Missing(f"git: {done.stderr.strip()}")
    return sorted({name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()})


def tool(args: list[str], files: list[str]) -> list[str]:
    """Runs a tool over files; its words when it found something."""
    if not files:
        return []
    if shutil.which(args[0]) is None:
        raise Missing(f"{args[0]} is not installed (scripts/setup.sh test)")
    done = subprocess.run([*args, *files], cwd=ROOT, capture_output=True, text=True, check=False)
    return [done.stdout + done.stderr] if done.returncode else []


def check_format(context: Context) -> list[str]:
    return tool(["clang-format", "--dry-run", "-Werror", "--ferror-limit=3"], context.c_files(".c", ".h"))


def check_layers(context: Context) -> list[str]:
    return [str(finding) for finding in layers.check(ROOT, context.files)]


def is_shell(name: str) -> bool:
    if name.endswith(".sh"):
        return True
    path = ROOT / name
    if path.suffix or not name.startswith((".ci/", "scripts/")):
        return False
    with open(path, "rb") as stream:
        first = stream.readline()
    return first.startswith(b"#!") and (b"bash" in first or first.rstrip().endswith(b"/sh"))


def check_shell(context: Context) -> list[str]:
    scripts = [name for name in context.files if is_shell(name) and not name.startswith("userspace/")]
    return tool(["shellcheck"], scripts)


def check_types(context: Context) -> list[str]:
    if not any(name.endswith(".py") for name in context.files):
        return []
    if not Path("/usr/bin/mypy").exists():
        raise Missing("mypy is not installed (scripts/setup.sh test)")
    scripts = [str(path.relative_to(ROOT)) for path in sorted((ROOT / "scripts").rglob("*")) if is_python(path)]
    complaints = tool(["/usr/bin/mypy", "--strict", "--no-error-summary"], ["xtask"])
    # The directory of the GDB commands has the name of GDB's own module: it brings its own settings.
    commands = ["/usr/bin/mypy", "--no-error-summary", "--config-file", "gdb/mypy.ini"]
    complaints += tool(commands, ["-p", "cairn", "-m", "damage"])
    for name in scripts:  # each is a program of its own, a module named __main__
        complaints += tool(["/usr/bin/mypy", "--strict", "--no-error-summary", "--scripts-are-modules"], [name])
    return complaints


def is_python(path: Path) -> bool:
    if not path.is_file():
        return False
    with open(path, "rb") as stream:
        first = stream.readline()
    return first.startswith(b"#!") and b"python" in first


def check_tidy(context: Context) -> list[str]:
    files = [f for f in context.c_files(".c") if f.startswith("kernel/") and in_image(f, context.arch)]
    if not files:
        return []
    if shutil.which("clang-tidy") is None:
        raise Missing("clang-tidy is not installed (scripts/setup.sh test)")
    build = Build(context.arch)
    try:
        build.make(["kernel"])
    except BuildError as error:
        return [str(error)]
    complaints, looked = tidy.run_tidy(ROOT, build.directory, files, context.deep)
    print(f"  clang-tidy: {looked} of {len(files)} files looked at, the others known", file=sys.stderr)
    return complaints


def in_image(name: str, arch: str) -> bool:
    """Whether the flags of the kernel's build are this file's."""
    if name.startswith("kernel/arch/"):
        port = name.split("/")[2]
        return port in (arch, "common") and "/vdso/" not in name
    return not name.startswith("kernel/tests/host/")


CHECKS: dict[str, Callable[[Context], list[str]]] = {
    "layers": check_layers,
    "format": check_format,
    "shell": check_shell,
    "types": check_types,
    "tidy": check_tidy,
}
QUICK = ("layers", "format", "shell")


def run_check(name: str, context: Context) -> int:
    start = time.monotonic()
    try:
        complaints = CHECKS[name](context)
    except Missing as error:
        print(f"lint {name}: {error}", file=sys.stderr)
        return exitcodes.INFRA
    for text in complaints:
        print(text.rstrip())
    verdict = "failed" if complaints else "ok"
    print(f"lint {name}: {verdict} ({time.monotonic() - start:.1f} s)", file=sys.stderr)
    return exitcodes.FAILED if complaints else exitcodes.OK


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="xtask lint", description=__doc__)
    parser.add_argument("--changed", action="store_true", help="only files that differ from HEAD")
    parser.add_argument("--only", action="append", choices=tuple(CHECKS), help="only this check")
    parser.add_argument("--quick", action="store_true", help=f"only what takes no time: {', '.join(QUICK)}")
    parser.add_argument("--deep", action="store_true", help="let clang's analyzer follow every path to its own limit")
    parser.add_argument("--fix", action="store_true", help="let clang-format change the files, and no more")
    parser.add_argument("--arch", default="x86_64")
    options = parser.parse_args(argv)
    try:
        context = Context(git_files(options.changed), options.arch, options.deep)
    except Missing as error:
        print(f"lint: {error}", file=sys.stderr)
        return exitcodes.INFRA
    if not context.files and not options.changed:
        print("lint: no files to look at", file=sys.stderr)
        return exitcodes.FAILED
    if options.fix:
        complaints = tool(["clang-format", "-i"], context.c_files(".c", ".h"))
        return exitcodes.FAILED if complaints else exitcodes.OK
    statuses = [run_check(name, context) for name in options.only or (QUICK if options.quick else CHECKS)]
    return max(statuses, default=exitcodes.OK)
