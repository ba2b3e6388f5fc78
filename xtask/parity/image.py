"""What a port's image is made of: which object each symbol comes from, by the linker's map. Pure."""

from __future__ import annotations

import re

SECTION = re.compile(r"^ \.(?:text|rodata|data|bss|entry\.text)\S*\s*(?:0x([0-9a-f]+)\s+0x[0-9a-f]+ (\S+))?$")
PLACE = re.compile(r"^ +0x[0-9a-f]+ +0x[0-9a-f]+ (\S+\.o)$")
SYMBOL = re.compile(r"^ +0x[0-9a-f]+ {3,}([A-Za-z_]\w*)$")
SOURCE = re.compile(r"(?:^|/)((?:kernel|xtask)/\S+?)\.o$")


def source_of(name: str) -> str:
    """kernel/x/y.c of BUILD/kernel/x/y.c.o."""
    found = SOURCE.search(name)
    return found[1] if found else name


def symbols(text: str) -> dict[str, str]:
    """Global symbols of a link map and the source file of each; those of garbage-collected sections are not there."""
    out: dict[str, str] = {}
    current = ""
    for line in text[text.find("Linker script and memory map") :].splitlines():
        section = SECTION.match(line)
        if section:
            current = source_of(section[2]) if section[2] else ""
            continue
        place = PLACE.match(line)
        if place:
            current = source_of(place[1])
            continue
        symbol = SYMBOL.match(line)
        if symbol and current:
            out[symbol[1]] = current
    return out


PROTOTYPE = re.compile(r"^(?!static|typedef|struct \w+ \{|#|/|\s|\*)[A-Za-z_][\w \*]*?\b(\w+)\([^;{]*\)[^;{]*;", re.MULTILINE)


def declared(header: str) -> list[str]:
    """Functions that a header declares and does not define."""
    plain = re.sub(r"/\*.*?\*/", "", header, flags=re.DOTALL)
    plain = re.sub(r"^(__\w+(\([^)]*\))? )+", "", plain, flags=re.MULTILINE)
    return PROTOTYPE.findall(plain)
