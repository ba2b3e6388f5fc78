"""How commands are declared, parsed, completed and run.

A command is a function from parsed arguments and a Report; @command gives its name, its arguments and its
help. All go by `cairn NAME`; each takes --json."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NoReturn

import gdb

from . import target
from .errors import CairnError
from .report import Report


@dataclass(frozen=True)
class Arg:
    """A positional argument. kind: number, addr, name, text. An optional one is None when left out."""

    name: str
    kind: str
    optional: bool = False
    choices: Callable[[], Iterable[str]] | None = None


@dataclass
class Args:
    values: dict[str, int | str | None] = field(default_factory=dict)
    flags: set[str] = field(default_factory=set)

    def number(self, name: str) -> int | None:
        value = self.values.get(name)
        return value if isinstance(value, int) else None

    def need(self, name: str) -> int:
        value = self.values.get(name)
        assert isinstance(value, int)
        return value

    def text(self, name: str) -> str:
        value = self.values.get(name)
        return value if isinstance(value, str) else ""


Body = Callable[[Args, Report], None]


@dataclass(frozen=True)
class Declared:
    name: str
    brief: str
    help: str
    args: tuple[Arg, ...]
    flags: tuple[str, ...]
    body: Body
    needs_kernel: bool = True

    def usage(self) -> str:
        words = [f"cairn {self.name}"]
        words += [f"[{arg.name.upper()}]" if arg.optional else arg.name.upper() for arg in self.args]
        words += [f"[--{flag}]" for flag in (*self.flags, "json")]
        return " ".join(words)


COMMANDS: dict[str, Declared] = {}


def command(
    name: str, brief: str, *args: Arg, flags: tuple[str, ...] = (), needs_kernel: bool = True
) -> Callable[[Body], Body]:
    """Declares a command. The function's docstring is the rest of its help."""

    def declare(body: Body) -> Body:
        COMMANDS[name] = Declared(name, brief, (body.__doc__ or "").strip(), args, flags, body, needs_kernel)
        return body

    return declare


def parse(declared: Declared, words: list[str]) -> tuple[Args, bool]:
    """The arguments and whether --json was given. CairnError for what does not fit."""
    parsed, json = Args(), False
    left = list(declared.args)
    for word in words:
        if word == "--json":
            json = True
        elif word.startswith("--"):
            if word[2:] not in declared.flags:
                raise CairnError(f"unknown option {word}; usage: {declared.usage()}")
            parsed.flags.add(word[2:])
        elif not left:
            raise CairnError(f"one argument too many: {word}; usage: {declared.usage()}")
        else:
            arg = left.pop(0)
            parsed.values[arg.name] = convert(arg, word)
    missing = [arg.name.upper() for arg in left if not arg.optional]
    if missing:
        raise CairnError(f"{' '.join(missing)} missing; usage: {declared.usage()}")
    return parsed, json


def convert(arg: Arg, word: str) -> int | str:
    if arg.kind == "addr":
        return target.evaluate(word)
    if arg.kind == "number":
        try:
            return int(word, 0)
        except ValueError:
            raise CairnError(f"{arg.name.upper()} is a number, not {word}") from None
    return word


def execute(declared: Declared, line: str) -> None:
    report = Report(declared.name)
    json = "--json" in line.split()
    kept = target.Selected.now()
    language = target.choose_language("c")  # stopped in assembly, GDB names no type as C does
    try:
        parsed, json = parse(declared, gdb.string_to_argv(line))
        target.begin()
        if declared.needs_kernel:
            target.require_kernel()
        declared.body(parsed, report)
    except CairnError as error:
        report.problem(str(error))
    except KeyboardInterrupt:
        report.problem("interrupted")
    except RecursionError:
        report.problem("the structure is nested too deeply to be true")
    except gdb.error as error:
        report.problem(str(error))
    except Exception as error:  # noqa: BLE001 - a damaged kernel must not show a traceback
        if os.environ.get("CAIRN_GDB_TRACEBACK"):
            raise
        report.problem(f"internal error: {type(error).__name__}: {error}")
    finally:
        kept.restore()
        target.choose_language(language)
    finish(report, json)


def finish(report: Report, json: bool) -> None:
    if json:
        gdb.write(report.json() + "\n")
        return
    gdb.write(report.text())
    if report.problems:
        fail(report.problem_text())


def fail(text: str) -> NoReturn:
    gdb.flush()
    raise gdb.GdbError(text)


class CairnCommand(gdb.Command):
    def __init__(self, declared: Declared) -> None:
        self.declared = declared
        self.__doc__ = f"{declared.brief}\n\nusage: {declared.usage()}\n\n{declared.help}".rstrip()
        super().__init__(f"cairn {declared.name}", gdb.COMMAND_DATA)

    def invoke(self, line: str, from_tty: bool) -> None:
        del from_tty
        self.dont_repeat()
        execute(self.declared, line)

    def complete(self, text: str, word: str) -> list[str] | int:
        try:
            return completions(self.declared, text, word)
        except Exception:  # noqa: BLE001 - completion offers nothing rather than an error
            return gdb.COMPLETE_NONE


def completions(declared: Declared, text: str, word: str) -> list[str] | int:
    words = text.split()
    if not text or text[-1].isspace():
        words.append("")
    if words[-1].startswith("-"):
        given = words[-1]
        offered = [f"--{flag}" for flag in (*declared.flags, "json")]
        # GDB's word starts behind the dashes.
        return [o[len(given) - len(word) :] for o in offered if o.startswith(given)]
    position = sum(1 for w in words if not w.startswith("--")) - 1
    if position >= len(declared.args):
        return gdb.COMPLETE_NONE
    arg = declared.args[position]
    if arg.choices:
        kept = target.Selected.now()
        try:
            target.begin(2.0)
            target.require_kernel()
            return [choice for choice in arg.choices() if choice.startswith(words[-1])]
        finally:
            kept.restore()
    return gdb.COMPLETE_EXPRESSION if arg.kind == "addr" else gdb.COMPLETE_NONE


class CairnPrefix(gdb.Command):
    """Commands that know the Cairn kernel. `cairn` alone lists them; `help cairn NAME` explains one."""

    def __init__(self) -> None:
        super().__init__("cairn", gdb.COMMAND_USER, gdb.COMPLETE_NONE, True)

    def invoke(self, line: str, from_tty: bool) -> None:
        del from_tty
        words = line.split()
        if words and words[0] not in ("--json", "help"):
            fail(f"cairn: there is no command {words[0]} (cairn alone lists them)")
        report = Report("cairn")
        table = report.table("commands")
        for name in sorted(COMMANDS):
            table.row(command=COMMANDS[name].usage(), what=COMMANDS[name].brief)
        finish(report, "--json" in words)


def register() -> None:
    CairnPrefix()
    for declared in COMMANDS.values():
        CairnCommand(declared)
