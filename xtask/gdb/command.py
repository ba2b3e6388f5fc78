"""gdb_session: GDB on a guest, in named sessions that stay until they are stopped.

  start [--stage ID | --break LOC] [-- PROGRAM ARG...]   a new session, stopped at the kernel's start (or there)
  cmd TEXT        a command of GDB's; one that lets the guest run returns when it stops, or at --timeout
  wait            until the guest stops
  interrupt       bring a running guest, or a busy GDB, back
  serial [--new] [--send TEXT]   what the guest printed (since the last --new); type there
  status, list, transcript, stop, attach

Without a verb: a new session and its GDB on this terminal. LOC: `reset` (the CPU in its start state), `entry` (the
kernel's first instruction, before paging), or a location as GDB takes it, of the kernel or of PROGRAM.
Exit codes: 0 ok · 1 GDB refused the command, or nothing to do · 2 usage · 3 GDB, QEMU or the daemon is lost ·
124 the time was up · 125 cannot build · 255 the kernel panicked."""

from __future__ import annotations

import argparse
import json
import socket
import sys
import time
from pathlib import Path
from typing import Any

from .. import exitcodes, options as common
from ..guest.launch import InfraError
from ..guest.machine import UsageError
from . import attach as terminal, files
from .start import start

VERBS = ("start", "cmd", "wait", "interrupt", "serial", "attach", "status", "list", "transcript", "stop")
GRACE_S = 5.0  # of the client, beyond the daemon's own deadline
QUICK_S = 10.0
CODES = {
    "error": exitcodes.FAILED,
    "disconnected": exitcodes.INFRA,
    "running": exitcodes.TIMEOUT,
    "busy": exitcodes.TIMEOUT,
    "gdb-died": exitcodes.INFRA,
    "qemu-died": exitcodes.INFRA,
}
Reply = dict[str, Any]


# --- options ---


def add_common(parser: argparse.ArgumentParser, timeout_s: float) -> None:
    parser.add_argument("--name", help="which session (the only one)")
    parser.add_argument("--json", action="store_true", help="the reply as JSON on stdout")
    parser.add_argument("--timeout", type=float, default=timeout_s, metavar="S", help=f"deadline ({timeout_s:g})")
    parser.add_argument("--max-output", type=int, metavar="BYTES", help="of a reply (65536)")


def start_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gdb_session.sh start", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_common(parser, 60.0)
    common.add_build_options(parser)
    for unused in ("--kvm", "--append"):  # a session is TCG's: it can stop before paging
        hide(parser, unused)
    parser.add_argument("--stage", metavar="ID", help="begin at this boot stage")
    parser.add_argument("--break", dest="location", metavar="LOC", help="begin there (kernel_main)")
    parser.add_argument("--kernel-args", action="append", default=[], metavar="WORDS", help="more words for the kernel")
    parser.add_argument("--root", type=Path, metavar="DIR", help="the program's root tree (a minimal one)")
    parser.add_argument("--add", action="append", default=[], metavar="HOST:GUEST")
    parser.add_argument("--env", action="append", default=[], metavar="K=V")
    parser.add_argument("--cwd", default="/", metavar="DIR")
    parser.add_argument("--random", action="store_true", help="keep the random layout of address spaces")
    parser.add_argument("--no-user-symbols", action="store_true", help="do not follow exec and exit")
    parser.add_argument("--no-panic-stop", action="store_true", help="do not stop at a panic")
    parser.add_argument("--idle", type=float, default=3600.0, metavar="S", help="end when unused for so long (3600)")
    parser.add_argument("--owner", type=int, metavar="PID", help="end when this process ends")
    parser.add_argument("--extra", action="append", default=[], metavar="ARG", help="an argument for QEMU")
    return parser


def hide(parser: argparse.ArgumentParser, option: str) -> None:
    """Takes an option out of a parser that got it with others; its default stays."""
    action = next(a for a in parser._actions if option in a.option_strings)
    parser.set_defaults(**{action.dest: action.default})
    parser._remove_action(action)
    for group in parser._action_groups:
        if action in group._group_actions:
            group._group_actions.remove(action)
    for text in action.option_strings:
        del parser._option_string_actions[text]


def verb_parser(verb: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"gdb_session.sh {verb}")
    add_common(parser, QUICK_S)
    if verb == "cmd":
        parser.add_argument("text", nargs="+", metavar="TEXT", help="GDB's command; lines for a script")
    if verb == "serial":
        parser.add_argument("--new", action="store_true", help="only what came since the last --new")
        parser.add_argument("--send", default="", metavar="TEXT", help="type it; \\n is the return key")
    if verb == "transcript":
        parser.add_argument("--raw", action="store_true", help="the replies themselves (JSON)")
    if verb == "stop":
        parser.add_argument("--all", action="store_true", help="every session")
    return parser


def split(argv: list[str]) -> tuple[str, list[str], list[str]]:
    """Verb (or ""), its options, and the program's words behind `--`."""
    verb = argv[0] if argv and argv[0] in VERBS else ""
    rest = argv[1:] if verb else argv
    if not verb and rest and not rest[0].startswith("-"):
        raise UsageError(f"no verb {rest[0]!r} (there are {', '.join(VERBS)})")
    if verb in ("", "start") and "--" in rest:
        place = rest.index("--")
        return verb, rest[:place], rest[place + 1 :]
    return verb, rest, []


def parse(argv: list[str]) -> tuple[str, argparse.Namespace]:
    verb, rest, program = split(argv)
    options = (start_parser() if verb in ("", "start") else verb_parser(verb)).parse_args(rest)
    options.program = program
    if not 0 < options.timeout <= 86400:
        raise UsageError("--timeout is above zero and at most a day")
    return verb, options


def replay_words(argv: list[str]) -> list[str]:
    """The words of `start` that its transcript repeats: all but the name and what concerns this run only."""
    out: list[str] = []
    words = iter(argv)
    for word in words:
        if word == "--":
            return [*out, "--", *words]
        if word in ("--name", "--owner", "--idle"):
            next(words, None)
        elif word != "--json" and not word.startswith(("--name=", "--owner=", "--idle=")):
            out.append(word)
    return out


# --- talking to a daemon ---


def find(options: argparse.Namespace) -> Path:
    """The directory of the session that is meant."""
    known = [name for name in files.names() if files.alive(files.base() / name)]
    if options.name is None:
        if len(known) != 1:
            raise UsageError(f"which session? --name one of: {', '.join(known)}" if known else "there is no session")
        return files.base() / known[0]
    directory = files.base() / files.check_name(options.name)
    if options.name not in known:
        if directory.is_dir():
            files.remove(directory)
            raise InfraError(f"the daemon of session {options.name!r} has died; what it left is removed")
        raise UsageError(f"no session {options.name!r}" + (f" (there are: {', '.join(known)})" if known else ""))
    return directory


def talk(directory: Path, request: dict[str, Any], timeout_s: float) -> tuple[Reply, socket.socket]:
    """A request and its reply; the connection stays open."""
    limit = timeout_s + GRACE_S
    deadline = time.monotonic() + limit
    try:
        sock = files.connect(directory, limit)
        sock.sendall(json.dumps({**request, "timeout_s": timeout_s}).encode() + b"\n")
        data = b""
        while not data.endswith(b"\n"):
            sock.settimeout(max(0.01, deadline - time.monotonic()))
            # Behind an attachment's reply come the console's bytes: not one of them is read here.
            more = sock.recv(1 if request["verb"] == "attach" else 65536)
            if not more:
                raise InfraError(f"session {directory.name} ended meanwhile")
            data += more
        reply = json.loads(data)
    except (OSError, ValueError) as error:
        raise InfraError(f"session {directory.name} does not answer: {error}") from None
    sock.settimeout(None)
    return reply, sock


def ask(directory: Path, request: dict[str, Any], timeout_s: float) -> Reply:
    reply, sock = talk(directory, request, timeout_s)
    sock.close()
    return reply


# --- showing ---


def exit_code(reply: Reply) -> int:
    if reply.get("stop_reason") in ("panic", "guest-panicked"):
        return exitcodes.PANIC
    return CODES.get(str(reply.get("status")), exitcodes.OK)


def show(options: argparse.Namespace, reply: Reply) -> int:
    if options.json:
        print(json.dumps(reply), flush=True)
    else:
        print_plain(reply)
    return exit_code(reply)


def print_plain(reply: Reply) -> None:
    """Output on stdout; everything about it on stderr."""
    output = str(reply.get("earlier", "")) + str(reply.get("output", ""))
    sys.stdout.write(output if not output or output.endswith("\n") else output + "\n")
    sys.stdout.flush()
    serial = str(reply.get("serial_delta", ""))
    for line in serial.splitlines():
        print(f"serial| {line}", file=sys.stderr)
    words = [f"[{reply.get('seq')}]", reply.get("name"), reply.get("status"), reply.get("stop_reason")]
    words += [reply.get("pc"), reply.get("where"), "(truncated)" if reply.get("truncated") else ""]
    print(" ".join(str(word) for word in words if word), file=sys.stderr)
    for note in reply.get("notes", ()):
        print(f"note: {note}", file=sys.stderr)


# --- verbs ---


def do_start(options: argparse.Namespace, argv: list[str]) -> int:
    reply = start(options, replay_words(argv))
    if "error" not in reply:
        return show(options, reply)
    print(f"gdb_session: {reply['error']}", file=sys.stderr)
    if options.json:
        print(json.dumps(reply))
    return exit_code(reply)


def do_interactive(options: argparse.Namespace, argv: list[str]) -> int:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("no verb and no terminal (--help shows the verbs)")
    reply = start(options, replay_words(argv))
    if "error" in reply:
        raise InfraError(str(reply["error"]))
    print_plain(reply)
    options.name = reply["name"]
    left = sit_down(files.base() / options.name)
    if left == "left":
        print(f"\r\ngdb_session: {options.name} goes on (attach --name {options.name}, stop --name {options.name})")
        return exitcodes.OK
    return stop_one(files.base() / options.name)


def sit_down(directory: Path) -> str:
    """The session's GDB on this terminal: left (Ctrl-A X) or closed (quit, or the session ended)."""
    reply, sock = talk(directory, {"verb": "attach", **terminal.window()}, QUICK_S)
    if reply["status"] != "attached":
        raise InfraError(str(reply.get("error", reply["status"])))
    print(f"[session {directory.name}: Ctrl-A X leaves it, and it goes on]", file=sys.stderr)
    terminal.on_resize(lambda: tell_size(directory))
    try:
        return terminal.relay(sock)
    except OSError:
        return "closed"
    finally:
        sock.close()


def tell_size(directory: Path) -> None:
    try:
        ask(directory, {"verb": "resize", **terminal.window()}, 1.0)
    except InfraError:
        pass


def do_attach(options: argparse.Namespace) -> int:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("attach needs a terminal (programs use cmd)")
    sit_down(find(options))
    return exitcodes.OK


def do_list(options: argparse.Namespace) -> int:
    rows = []
    for name in files.names():
        directory = files.base() / name
        state = files.read_state(directory)
        if not files.alive(directory):
            files.remove(directory)
        if state is None or not files.alive(directory):
            continue
        try:
            reply = ask(directory, {"verb": "status"}, 2.0)
        except InfraError as error:
            reply = {"status": "silent", "stop_reason": str(error), "pc": "", "where": ""}
        pids = {what: one.pid for what, one in state.processes.items()}
        kept = {key: reply.get(key, "") for key in ("status", "stop_reason", "pc", "where", "attached")}
        rows.append({"name": name, "arch": state.arch, **kept, "pids": pids, "run": state.run})
    if options.json:
        print(json.dumps(rows))
        return exitcodes.OK
    for row in rows:
        print(f"{row['name']:16} {row['arch']:8} {row['status']:10} {row['pc']} {row['where']}".rstrip())
    return exitcodes.OK


def do_stop(options: argparse.Namespace) -> int:
    if options.all:
        return max([stop_one(files.base() / name) for name in files.names()], default=exitcodes.OK)
    return stop_one(find(options))


def stop_one(directory: Path) -> int:
    """Asks the daemon; one that does not end in time is ended, with what it has."""
    state = files.read_state(directory)
    deadline = time.monotonic() + 6.0
    try:
        ask(directory, {"verb": "stop"}, 0.0)
    except InfraError as error:
        deadline = 0.0
        if state is not None and state.processes["daemon"].alive():
            print(f"gdb_session: {error}: ending it", file=sys.stderr)
    while state and any(p.alive() for p in state.processes.values()) and time.monotonic() < deadline:
        time.sleep(0.02)
    files.remove(directory)
    return exitcodes.OK


def do_verb(verb: str, options: argparse.Namespace) -> int:
    request: dict[str, Any] = {"verb": verb, "max_output": options.max_output}
    if verb == "cmd":
        request["text"] = " ".join(options.text)
    elif verb == "serial":
        request |= {"new": options.new, "send": options.send.replace("\\n", "\n")}
    elif verb == "transcript":
        request["raw"] = options.raw
    reply = ask(find(options), request, options.timeout)
    if verb == "transcript" and options.raw:
        print(json.dumps(reply["entries"]))
        return exitcodes.OK
    if verb in ("serial", "transcript") and not options.json:
        sys.stdout.write(str(reply.get("output", "")))
        return exitcodes.OK
    code = show(options, reply)
    return exitcodes.OK if verb in ("status", "serial", "transcript") else code


def run(argv: list[str]) -> int:
    verb, options = parse(argv)
    if verb == "start":
        return do_start(options, argv[1:])
    if verb == "":
        return do_interactive(options, argv)
    special = {"attach": do_attach, "list": do_list, "stop": do_stop}
    return special[verb](options) if verb in special else do_verb(verb, options)


def main(argv: list[str]) -> int:
    return common.guarded("gdb_session", lambda: run(argv))
