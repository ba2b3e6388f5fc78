"""The `cairn` commands of GDB: the kernel's structures, read and never written, on a live guest or a memory
core. docs/guide/gdb-commands.md lists them; docs/internals/gdb.md says how they are made."""

from __future__ import annotations

import importlib

# One module per part of the kernel; importing it registers its commands.
SUBSYSTEMS = ("sched", "wait", "mm", "pages", "slab", "fs", "proc", "signal", "irqtime", "debug", "trace", "check")


def register_all() -> None:
    for name in SUBSYSTEMS:
        importlib.import_module(f"{__name__}.{name}")
    importlib.import_module(f"{__name__}.command").register()
