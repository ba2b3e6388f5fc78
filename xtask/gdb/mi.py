"""GDB's machine interface (MI3), read. Pure: bytes in, records out; nothing that GDB writes raises.

A line is a record: ^ a result, * the target's state, = a notice, ~ @ & text, (gdb) the prompt. What does not
follow the grammar becomes a record of kind "garbage" that holds the line, so that nothing is lost or believed."""

from __future__ import annotations

from dataclasses import dataclass, field

Value = str | list["Value"] | dict[str, "Value"]
LINE_MAX = 16 << 20
DEPTH_MAX = 64
KINDS = {"^": "result", "*": "exec", "+": "progress", "=": "notify", "~": "console", "@": "target", "&": "log"}
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "e": "\x1b"}
OCTAL = "01234567"


class Bad(Exception):
    """The line is not MI. Never leaves this module."""


@dataclass(frozen=True)
class Record:
    kind: str  # of KINDS, or prompt, garbage
    token: int | None = None
    cls: str = ""  # done, running, error, stopped, ...
    fields: dict[str, Value] = field(default_factory=dict)
    text: str = ""  # of the stream kinds and of garbage

    def word(self, *path: str) -> str:
        """The string at the path of names; "" when it is not there."""
        value: Value = self.fields
        for name in path:
            if not isinstance(value, dict):
                return ""
            value = value.get(name, "")
        return value if isinstance(value, str) else ""


class Cursor:
    """A place in a line."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def take(self, wanted: str) -> None:
        if not self.text.startswith(wanted, self.at):
            raise Bad
        self.at += len(wanted)

    def name(self) -> str:
        start = self.at
        while (c := self.peek()) and (c.isalnum() or c in "-_."):
            self.at += 1
        if self.at == start:
            raise Bad
        return self.text[start : self.at]

    def string(self) -> str:
        """A C string. Octal escapes are bytes of UTF-8."""
        self.take('"')
        out = bytearray()
        while True:
            c = self.peek()
            if not c:
                raise Bad
            self.at += 1
            if c == '"':
                return out.decode("utf-8", "replace")
            out += self.escape() if c == "\\" else c.encode("utf-8", "replace")

    def escape(self) -> bytes:
        digits = ""
        while len(digits) < 3 and (c := self.peek()) and c in OCTAL:
            digits += c
            self.at += 1
        if digits:
            return bytes((int(digits, 8) & 0xFF,))
        c = self.peek()
        if not c:
            raise Bad
        self.at += 1
        return ESCAPES.get(c, c).encode("utf-8", "replace")

    def value(self, depth: int) -> Value:
        if depth > DEPTH_MAX:
            raise Bad
        c = self.peek()
        if c == '"':
            return self.string()
        if c == "{":
            self.take("{")
            found = self.results("}", depth + 1)
            self.take("}")
            return found
        if c == "[":
            return self.items(depth + 1)
        raise Bad

    def items(self, depth: int) -> list[Value]:
        """A list: of values, or of results, whose names say nothing that the place does not."""
        self.take("[")
        out: list[Value] = []
        while self.peek() != "]":
            if out:
                self.take(",")
            if self.peek() not in ('"', "{", "["):
                self.name()
                self.take("=")
            out.append(self.value(depth))
        self.take("]")
        return out

    def results(self, end: str, depth: int) -> dict[str, Value]:
        """name=value, ... up to `end` or the end of the line. A name that comes again makes a list."""
        out: dict[str, Value] = {}
        first = True
        while self.at < len(self.text) and self.peek() != end:
            if not first:
                self.take(",")
            first = False
            name = self.name()
            self.take("=")
            value = self.value(depth)
            if name in out:
                known = out[name]
                out[name] = [*known, value] if isinstance(known, list) else [known, value]
            else:
                out[name] = value
        return out


def parse_line(line: bytes) -> Record:
    text = line.rstrip(b"\r\n").decode("utf-8", "replace")
    if text.rstrip() == "(gdb)":
        return Record("prompt")
    try:
        return parse_record(Cursor(text))
    except Bad:
        return Record("garbage", text=text)


def parse_record(at: Cursor) -> Record:
    digits = ""
    while (c := at.peek()) and c in "0123456789" and len(digits) < 18:
        digits += c
        at.at += 1
    token = int(digits) if digits else None
    kind = KINDS.get(at.peek(), "")
    at.at += 1
    if not kind:
        raise Bad
    if kind in ("console", "target", "log"):
        text = at.string()
        if at.peek() or token is not None:
            raise Bad
        return Record(kind, text=text)
    cls = at.name()
    fields: dict[str, Value] = {}
    if at.peek():
        at.take(",")
        fields = at.results("", 0)
    if at.peek():
        raise Bad
    return Record(kind, token, cls, fields)


class MiStream:
    """Bytes as they come, into records."""

    def __init__(self, line_max: int = LINE_MAX) -> None:
        self.buffer = bytearray()
        self.line_max = line_max
        self.skipping = False

    def feed(self, data: bytes) -> list[Record]:
        self.buffer += data
        records: list[Record] = []
        while (end := self.buffer.find(b"\n")) >= 0:
            line = bytes(self.buffer[:end])
            del self.buffer[: end + 1]
            if self.skipping:
                self.skipping = False
            elif line.strip():
                records.append(parse_line(line))
        if len(self.buffer) > self.line_max:
            if not self.skipping:
                records.append(Record("garbage", text=self.buffer[:200].decode("utf-8", "replace")))
            self.skipping = True
            self.buffer.clear()
        return records

    def unfinished(self) -> bytes:
        """What came after the last line's end."""
        return bytes(self.buffer)


def quote(text: str) -> str:
    """A word for an MI command, as a C string on one line."""
    out = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{out}"'
