"""From the options of `start` to a daemon that has the session: build, pack, fork."""

from __future__ import annotations

import argparse
import json
import os
import select
import stat
import sys
import time
from pathlib import Path
from typing import Any

from .. import options as common
from ..build import Build
from ..gen.stages import Stage
from ..guest.launch import InfraError
from ..guest import machine as machines
from ..guest.machine import GuestSpec, UsageError, find_machine
from ..initramfs import Initramfs
from ..run import root
from ..stages.boot import last_lines, new_nonce
from ..stages.command import pack_initramfs, read_table
from . import daemon, files, gdbproc
from .images import Elf, read_elf
from .opening import ENTRY, READY_S, RESET, EarlyCode, Opening

LONGEST_S = 86400.0


def find_stage(arch: str, word: str) -> Stage:
    for stage in read_table(arch):
        if stage.id == word:
            return stage
    raise UsageError(f"no stage {word!r} in the table (python3 -m xtask boot-stages --list shows them)")


def where(options: argparse.Namespace, early: EarlyCode) -> Opening:
    """Where the session begins: a stage, a location, or the kernel's C code."""
    opening = Opening(options.location or "kernel_main", "", early, options.timeout, bool(options.program))
    if options.stage:
        stage = find_stage(options.arch, options.stage)
        user = stage.phase == "user"
        opening.location = "run_user_stage" if user else f"stage_{stage.id}"
        opening.condition = f"s->n == {stage.n}" if user else ""
    return opening


def early_code(build: Build) -> EarlyCode:
    """The code that runs before paging. Where the ELF file says the place, its entry is physical, and in the
    image's first page; else the daemon asks QEMU."""
    elf = kernel_elf(build.kernel)
    port = gdbproc.PORTS[build.arch]
    base = None if port.movable else elf.entry & ~0xFFF
    entry = elf.entry - (elf.low if port.movable else elf.entry & ~0xFFF)
    code = build.directory / port.early_object
    return EarlyCode(quoted(code) if code.is_file() else "", port.early_section, entry, base)


def quoted(path: Path) -> str:
    text = str(path.resolve()).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def kernel_elf(path: Path) -> Elf:
    elf = read_elf(path.read_bytes()[:4096])
    if elf is None:
        raise UsageError(f"{path} is no ELF64 kernel")
    return elf


def pack(options: argparse.Namespace, build: Build, path: Path) -> dict[str, str]:
    """Writes the initramfs. Its programs: guest path to the host's file."""
    if options.stage:
        pack_initramfs(build, path)
        return {"/stages/stagetest": absolute(build.user("stagetest")), "/init": absolute(build.user("init"))}
    build.require(build.user("init"))
    word = options.program[0] if options.program else None
    archive, program = root.compose(build.user("init"), options.root, options.add, word)
    env = root.parse_env(options.env)
    spec = root.Program(program, options.program[1:], env, options.cwd, tty=True)
    archive.file(".cairn/spec", root.spec_bytes(spec), 0o600)
    archive.write(path)
    return programs(archive)


def absolute(path: Path) -> str:
    return str(path.resolve())


def programs(archive: Initramfs) -> dict[str, str]:
    """Every path of the archive that leads to an ELF file of the host."""
    found: dict[str, str] = {}
    known: dict[str, bool] = {}
    for name in archive.entries:
        entry = archive.entries.get(resolved(archive, name))
        if entry is None or not stat.S_ISREG(entry.mode) or not isinstance(entry.data, Path):
            continue
        host = absolute(entry.data)
        if host not in known:
            with open(host, "rb") as stream:
                known[host] = stream.read(4) == b"\x7fELF"
        if known[host]:
            found["/" + name] = host
    return found


def resolved(archive: Initramfs, name: str) -> str:
    """With the links of its last component followed too."""
    for _ in range(40):
        name = archive.resolve(name)
        entry = archive.entries.get(name)
        if entry is None or not stat.S_ISLNK(entry.mode):
            break
        assert isinstance(entry.data, bytes)
        name = os.path.join(os.path.dirname(name), entry.data.decode("utf-8", "replace")).lstrip("/")
    return name


def command_line(options: argparse.Namespace) -> str:
    words = [f"nonce={new_nonce()}"]
    given = " ".join(options.kernel_args)
    if not options.random:
        words.append("norandmaps")  # as GDB does for programs: addresses are the same every time
    if options.stage and "stages=" not in given:
        words.append(f"stages={options.stage}")
    elif not options.stage:
        words.append("run")
    return " ".join([*words, given]).strip()


def make_plan(options: argparse.Namespace, argv: list[str], build: Build, directory: Path) -> daemon.Plan:
    opening = where(options, early_code(build))
    initrd = directory / "initramfs.cpio"
    found = pack(options, build, initrd)
    machine = find_machine(options.arch, options.machine)
    spec = GuestSpec(
        machine, build.kernel.resolve(), initrd, command_line(options), options.smp, options.mem,
        options.cpu, extra=options.extra,
    )
    machines.check(spec)
    inside: dict[str, Any] = {
        "arch": options.arch,
        "files": found,
        "user_symbols": not options.no_user_symbols,
        "stop_on_panic": not options.no_panic_stop,
    }
    owner = files.process(options.owner) if options.owner else None
    logs = options.keep_logs.resolve() if options.keep_logs else None
    return daemon.Plan(options.name, argv, spec, opening, directory, logs, options.idle, owner, inside)


def check(options: argparse.Namespace) -> None:
    """What is wrong with the options, before anything is built."""
    gdbproc.find_gdb(options.arch)
    find_machine(options.arch, options.machine)
    if options.stage and options.location:
        raise UsageError("--stage and --break exclude each other")
    if options.stage and options.program:
        raise UsageError("--stage runs the boot stages: there is no program then")
    if options.stage:
        find_stage(options.arch, options.stage)
    if options.location is not None and ("\n" in options.location or not options.location.strip()):
        raise UsageError("--break takes a location, `reset` or `entry`")
    if not 0 < options.timeout <= LONGEST_S or not 0 < options.idle:
        raise UsageError("--timeout and --idle are above zero")
    if options.owner is not None and files.start_time(options.owner) == 0:
        raise UsageError(f"--owner: there is no process {options.owner}")


def free_name() -> str:
    taken = set(files.names())
    return next(f"s{n}" for n in range(1, len(taken) + 2) if f"s{n}" not in taken)


def start(options: argparse.Namespace, argv: list[str]) -> dict[str, Any]:
    """A new session; its first reply. The daemon stays."""
    check(options)
    build = common.make_build(options, ["kernel", "user"])
    options.name = options.name or free_name()
    directory = files.create(options.name)
    try:
        plan = make_plan(options, argv, build, directory)
        reply = first_reply(fork_daemon(plan), options.timeout + READY_S * 3)
        if reply is None:
            raise InfraError("the session's daemon died or hangs" + last_words(directory))
    except BaseException:  # an interrupt too: no half-started session stays
        files.remove(directory)
        raise
    return {"name": options.name, **reply}


def last_words(directory: Path) -> str:
    return "".join(f"; {line}" for line in last_lines(directory / "daemon.log", 1))


def first_reply(ready: int, limit_s: float) -> dict[str, Any] | None:
    deadline = time.monotonic() + limit_s
    data = b""
    with open(ready, "rb", buffering=0) as stream:
        while (left := deadline - time.monotonic()) > 0:
            if select.select([stream], [], [], left)[0]:
                more = stream.read(65536)
                if not more:
                    break
                data += more
    try:
        reply = json.loads(data)
    except ValueError:
        return None
    return reply if isinstance(reply, dict) else None


def fork_daemon(plan: daemon.Plan) -> int:
    """The daemon in a session of its own; a pipe that brings its first reply."""
    sys.stdout.flush()
    sys.stderr.flush()
    read, write = os.pipe()
    if write < 3:  # the caller had closed one of its own three
        raise InfraError("standard input, output and error must be open")
    child = os.fork()
    if child:
        os.close(write)
        os.waitpid(child, 0)
        return read
    try:
        os.setsid()
        if os.fork():
            os._exit(0)
        become_daemon(plan, write)
    except BaseException as error:
        print(f"gdb_session: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(0)


def become_daemon(plan: daemon.Plan, write: int) -> None:
    """In the grandchild: nothing of the caller's stays open, then the daemon's life."""
    null = os.open(os.devnull, os.O_RDONLY)
    log = os.open(plan.directory / "daemon.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for fd, place in ((null, 0), (log, 1), (log, 2)):
        os.dup2(fd, place)
    os.closerange(3, write)
    os.closerange(write + 1, 65536)
    daemon.main(plan, write)
