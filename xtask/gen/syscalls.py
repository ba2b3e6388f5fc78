"""The system-call table: kernel/syscall/syscalls.tbl → syscalls_gen.h.

A row: x86_64_nr generic_nr name(TYPE NAME, ...) coverage flags test
e.g.:  0 63 read(fd fd, buf_out buf, size count) full - file_read_write
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from . import argtypes
from .table import Mistakes, c_string, table_lines

COVERAGE = ("full", "partial", "stub", "none")
ROW = re.compile(r"(\S+)\s+(\S+)\s+([a-z_][a-z0-9_]*)\((.*)\)\s+(\S+)\s+(\S+)\s+(\S+)\Z")
NUMBER_MAX = 2047
ARGS_MAX = 6


@dataclass(frozen=True)
class Arg:
    type: str
    name: str


@dataclass(frozen=True)
class Syscall:
    line: int
    x86_64: int | None
    generic: int | None
    name: str
    args: tuple[Arg, ...]
    coverage: str
    flags: tuple[str, ...]
    test: str

    @property
    def implemented(self) -> bool:
        return self.coverage != "none"

    def number(self, arch: str) -> int | None:
        """Its number in arch's ABI. vkernel runs x86_64 programs."""
        return self.generic if arch == "aarch64" else self.x86_64

    def prototype(self) -> str:
        args = [f"{c_type_of(arg)} {arg.name}" for arg in self.args]
        return f"long sys_{self.name}({', '.join(args) or 'void'});"


def c_type_of(arg: Arg) -> str:
    found = argtypes.lookup(arg.type)
    assert found is not None, arg.type
    return found.c_type


def parse_number(word: str, line: int, mistakes: Mistakes) -> int | None:
    if word == "-":
        return None
    if not word.isdecimal() or int(word) > NUMBER_MAX:
        mistakes.add(line, f"{word!r} is not a system-call number (0..{NUMBER_MAX}, or - for none)")
        return None
    return int(word)


def parse_args(text: str, line: int, mistakes: Mistakes) -> tuple[Arg, ...]:
    text = text.strip()
    if text in ("", "void"):
        return ()
    args: list[Arg] = []
    for part in text.split(","):
        words = part.split()
        if len(words) != 2:
            mistakes.add(line, f"argument {part.strip()!r} is not TYPE NAME")
            continue
        type_name, name = words
        if argtypes.lookup(type_name) is None:
            mistakes.add(line, f"unknown argument type {type_name!r} (see xtask/gen/argtypes.py)")
            continue
        if not name.isidentifier() or name in [arg.name for arg in args]:
            mistakes.add(line, f"argument name {name!r} is no identifier, or is there twice")
        args.append(Arg(type_name, name))
    if len(args) > ARGS_MAX:
        mistakes.add(line, f"{len(args)} arguments, at most {ARGS_MAX}")
    return tuple(args)


def parse(text: str, path: str) -> list[Syscall]:
    """All rows; TableError names every mistake."""
    mistakes = Mistakes(path)
    rows: list[Syscall] = []
    seen: dict[tuple[str, str], int] = {}

    def unique(kind: str, value: object, line: int) -> None:
        key = (kind, str(value))
        if key in seen:
            mistakes.add(line, f"{kind} {value} is already in line {seen[key]}")
        seen.setdefault(key, line)

    for line, row in table_lines(text):
        match = ROW.match(row)
        if match is None:
            mistakes.add(line, "not a row: x86_64_nr generic_nr name(args) coverage flags test")
            continue
        x86_64 = parse_number(match[1], line, mistakes)
        generic = parse_number(match[2], line, mistakes)
        if x86_64 is not None:
            unique("x86_64 number", x86_64, line)
        if generic is not None:
            unique("generic number", generic, line)
        unique("name", match[3], line)
        if match[5] not in COVERAGE:
            mistakes.add(line, f"coverage {match[5]!r} is not one of {', '.join(COVERAGE)}")
        if match[7] != "-" and not match[7].replace(",", "_").isidentifier():
            mistakes.add(line, f"test {match[7]!r} is not the id of a stage (or -)")
        flags = () if match[6] == "-" else tuple(match[6].split(","))
        args = parse_args(match[4], line, mistakes)
        rows.append(Syscall(line, x86_64, generic, match[3], args, match[5], flags, match[7]))
    if not rows and not mistakes.found:
        mistakes.add(1, "no system calls")
    mistakes.raise_if_any()
    return rows


def numbered(rows: list[Syscall], arch: str) -> list[tuple[int, Syscall]]:
    """The rows that have a number on arch, in its order."""
    pairs = [(number, row) for row in rows if (number := row.number(arch)) is not None]
    return sorted(pairs, key=lambda pair: pair[0])


def generate(text: str, path: str, arch: str) -> str:
    rows = parse(text, path)
    here = numbered(rows, arch)
    calls = [f"\tX({nr}, {row.name}, {len(row.args)})" for nr, row in here if row.implemented]
    served = {nr for nr, row in here if row.implemented}
    holes = [f"\tX({nr})" for nr in range(max((nr for nr, _ in here), default=0) + 1) if nr not in served]
    names = [f"\tX({nr}, {c_string(row.name)})" for nr, row in here]
    lines = [
        "/* Generated from the system-call table by xtask gen syscalls: do not edit. */",
        "#pragma once",
        "#include <lib/types.h>",
        "#include <syscall_limit.h>",
        "",
        *(row.prototype() for row in rows if row.implemented),
        "",
        "/* X(nr, name, nargs): those with a function. */",
        " \\\n".join(["#define SYSCALLS(X)", *calls]),
        "",
        "/* X(nr): numbers below the limit without a function. */",
        " \\\n".join(["#define SYSCALL_HOLES(X)", *holes]),
        "",
        "/* X(nr, \"name\"): every number that has a name here. */",
        " \\\n".join(["#define SYSCALL_NAMES(X)", *names]),
    ]
    return "\n".join(lines) + "\n"


def generate_beside(text: str, path: str, arch: str) -> dict[str, str]:
    """syscall_limit.h, which assembly includes too."""
    highest = max((nr for nr, _ in numbered(parse(text, path), arch)), default=0)
    lines = [
        "/* Generated from the system-call table by xtask gen syscalls: do not edit. */",
        "#pragma once",
        "",
        "/* The highest number on this port, and the size of a table indexed by number. */",
        f"#define SYSCALL_MAX {highest}",
        f"#define SYSCALL_TABLE_SIZE {highest + 1}",
    ]
    return {"syscall_limit.h": "\n".join(lines) + "\n"}
