"""The port of the debugged kernel: `arch.port()` is arch_x86_64 or arch_aarch64,
modules with the same names."""

from __future__ import annotations

from types import ModuleType

import gdb

from . import arch_aarch64, arch_x86_64
from .errors import CairnError

PORTS: tuple[ModuleType, ...] = (arch_x86_64, arch_aarch64)


def port() -> ModuleType:
    name = gdb.selected_inferior().architecture().name()
    for module in PORTS:
        if name in module.GDB_NAMES:
            return module
    raise CairnError(f"no kernel of this project runs on {name} (is the ELF file loaded?)")
