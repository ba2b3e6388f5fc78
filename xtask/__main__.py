"""python3 -m xtask COMMAND: each command is a module with main(argv) -> exit code, imported when asked for."""

from __future__ import annotations

import importlib
import sys

from . import exitcodes
from .pipe import quietly

# command: (module, one line of help)
COMMANDS: dict[str, tuple[str, str]] = {
    "boot-stages": ("xtask.stages.command", "boot the kernel and check every boot stage"),
    "run": ("xtask.run.command", "run a Linux program in the kernel"),
    "gdb": ("xtask.gdb.command", "GDB sessions (scripts/gdb_session.sh)"),
    "gen": ("xtask.gen", "make C headers from the tables (used by the Makefile)"),
    "docs": ("xtask.docs.command", "documents: what they name exists, what they show happens"),
    "hotpath": ("xtask.hotpath.command", "what the hot paths reach, their stack, their instructions"),
    "trace": ("xtask.debug.trace", "decode the trace rings in a dump of the memory of the kernel"),
    "lint": ("xtask.lint.command", "formatting, static checks, layers"),
    "policy": ("xtask.policy.command", "what is protected, and whether it was approved"),
    "parity": ("xtask.parity.command", "how the ports compare, computed"),
    "setup": ("xtask.setup", "say which Debian packages are missing, or install them"),
    "initramfs": ("xtask.initramfs", "pack a directory as a newc archive"),
}


def usage() -> str:
    lines = ["usage: python3 -m xtask COMMAND [ARGS]", ""]
    lines += [f"  {name:12} {text}" for name, (_, text) in COMMANDS.items()]
    return "\n".join(lines)


def main(argv: list[str]) -> int:
    if not argv:
        print(usage(), file=sys.stderr)
        return exitcodes.USAGE
    if argv[0] in ("-h", "--help", "help"):
        print(usage())
        return exitcodes.OK
    if argv[0] not in COMMANDS:
        print(f"xtask: no command {argv[0]!r}\n{usage()}", file=sys.stderr)
        return exitcodes.USAGE
    try:
        module = importlib.import_module(COMMANDS[argv[0]][0])
    except ModuleNotFoundError as error:
        text = f"{sys.executable} lacks {error.name}; use /usr/bin/python3, and scripts/setup.sh build test"
        print(f"xtask: {text}", file=sys.stderr)
        return exitcodes.INFRA
    status = module.main(argv[1:])
    return int(status)


if __name__ == "__main__":
    sys.exit(quietly(main, sys.argv[1:]))
