"""The kernel's own symbol table: the text of `nm -n` → an assembly file for the second link.

Defines, in .ksyms: ksyms_count (u64), ksyms_addrs (u64 each, ascending), ksyms_names_off (u32 each, into
ksyms_names), ksyms_names (NUL-terminated). Functions only, one name for an address (a global one wins).
An empty input gives an empty table, for the first link.
"""

from __future__ import annotations

from .table import Mistakes, c_string

KINDS = "TtWw"  # in order of preference


def parse(text: str, path: str) -> list[tuple[int, str]]:
    """(address, name) of each function, ascending by address."""
    mistakes = Mistakes(path)
    best: dict[int, tuple[int, str]] = {}
    for line, row in enumerate(text.splitlines(), start=1):
        words = row.split()
        if len(words) == 2 and words[0] in ("U", "w", "v"):
            continue  # undefined: no address
        if len(words) != 3 or len(words[1]) != 1:
            if words:
                mistakes.add(line, f"not a line of nm: {row!r}")
            continue
        if words[1] not in KINDS or words[2].startswith((".L", "$")):
            continue
        try:
            address = int(words[0], 16)
        except ValueError:
            mistakes.add(line, f"{words[0]!r} is not an address")
            continue
        candidate = (KINDS.index(words[1]), words[2])
        best[address] = min(best.get(address, candidate), candidate)
    mistakes.raise_if_any()
    return [(address, best[address][1]) for address in sorted(best)]


def generate(text: str, path: str, arch: str) -> str:
    del arch
    symbols = parse(text, path)
    offset = 0
    offsets: list[int] = []
    for _, name in symbols:
        offsets.append(offset)
        offset += len(name.encode()) + 1
    lines = ["/* Generated from nm by xtask gen symbols: do not edit. */", '\t.section .ksyms, "a"']
    tables = (
        ("ksyms_count", 8, [f"\t.quad {len(symbols)}"]),
        ("ksyms_addrs", 8, [f"\t.quad {address:#x}" for address, _ in symbols]),
        ("ksyms_names_off", 4, [f"\t.long {value}" for value in offsets]),
        ("ksyms_names", 1, [f"\t.asciz {c_string(name)}" for _, name in symbols]),
    )
    for label, align, rows in tables:
        lines += [f"\t.balign {align}", f"\t.globl {label}", f"\t.type {label}, %object", f"{label}:"]
        lines += rows
        lines.append(f"\t.size {label}, . - {label}")
    lines.append('\t.section .note.GNU-stack, "", %progbits')
    return "\n".join(lines) + "\n"
