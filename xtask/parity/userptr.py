"""Each place in the kernel where a user address is used, and what checks it: gathered from the sources. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

PRIMITIVES = (
    "copy_from_user", "copy_to_user", "copy_obj_from_user", "copy_obj_to_user", "copy_from_user_partial",
    "copy_to_user_partial", "clear_user", "copy_string_from_user", "user_strnlen", "get_user_u8", "get_user_u32",
    "get_user_u64", "put_user_u8", "put_user_u32", "put_user_u64", "user_cmpxchg_u32", "user_fetch_op_u32",
)  # fmt: skip
CHECKS = ("user_range_ok", "USER_TOP")
CALL = re.compile(rf"\b({'|'.join(PRIMITIVES)})\s*\(")
# A definition at the start of a line, up to the brace that closes it at the start of a line.
FUNCTION = re.compile(r"^(?!#|\}|/|\s)[^;{}=#]*?\b(\w+)\(([^;{}]*)\)\s*\n\{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
MACRO = re.compile(r"^#define (DEFINE_\w+)\((?:.*\\\n)+.*\n", re.MULTILINE)
MADE = re.compile(r"^(DEFINE_\w+)\((\w+),", re.MULTILINE)
USER_ADDRESS = re.compile(r"\buptr_t (\w+)")
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)


@dataclass(frozen=True)
class Use:
    file: str
    function: str
    primitives: tuple[str, ...]


@dataclass(frozen=True)
class Cast:
    """A user address turned into a pointer."""

    file: str
    function: str
    name: str


def functions(text: str) -> Iterator[tuple[str, str, str]]:
    """Name, parameters and body of each function defined in a file."""
    for found in FUNCTION.finditer(COMMENT.sub("", text)):
        yield found[1], found[2], found[3]


def uses(file: str, text: str) -> list[Use]:
    return [
        Use(file, name, tuple(sorted(set(CALL.findall(body)))))
        for name, _, body in functions(text)
        if CALL.search(body) and name not in PRIMITIVES
    ]


def casts(file: str, text: str) -> list[Cast]:
    out = []
    for function, parameters, body in functions(text):
        for name in dict.fromkeys(USER_ADDRESS.findall(parameters + body)):
            if re.search(rf"\*+\)\s*\(?{name}\b", body):
                out.append(Cast(file, function, name))
    return out


def checked_by(text: str) -> dict[str, str]:
    """The primitives that a file defines, and what in each one's body checks the address."""
    plain = COMMENT.sub("", text)
    bodies = {name: body for name, _, body in functions(text)}
    macros = {found[1]: found[0] for found in MACRO.finditer(plain)}
    bodies |= {name: macros[macro] for macro, name in MADE.findall(plain) if macro in macros}
    for alias, target in re.findall(r"^#define (\w+)\(\w+, \w+\) (\w+)\(", plain, re.MULTILINE):
        bodies[alias] = f"{target}("
    out = {}
    for name in PRIMITIVES:
        if name in bodies:
            named = [check for check in CHECKS if check in bodies[name]]
            named = named or [other for other in PRIMITIVES if other != name and f"{other}(" in bodies[name]]
            out[name] = named[0] if named else ""
    return out
