"""What runs inside a session's GDB: sourced there with $CAIRN_SESSION naming the session's files.json.

- The user programs' symbols come and go with exec and exit, by two breakpoints of its own in the kernel.
- A panic stops, before its report.
- Code of 16 and 32 bits is disassembled as such: to GDB the machine is 64 bits wide from its reset on, since
  registers must not change their size within a connection.
- `quit` at a person's terminal leaves the session alone and ends the attachment."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import gdb

sys.path.insert(0, os.environ["CAIRN_ROOT"])
from xtask.gdb.images import Image, Images  # noqa: E402

G: Any = gdb
CONFIG: dict[str, Any] = json.loads(Path(os.environ["CAIRN_SESSION"]).read_text())
NOTICE_FD = int(os.environ["CAIRN_NOTICE_FD"])
EFER_LMA, PE = 1 << 10, 1


def tell(**fields: object) -> None:
    """A line for the daemon."""
    try:
        os.write(NOTICE_FD, json.dumps(fields).encode() + b"\n")
    except OSError:
        pass  # it is gone, and GDB will be in a moment


def current_pid() -> int:
    """The process that the selected CPU runs."""
    thread = G.selected_thread()
    offset = int(G.parse_and_eval(f"percpu_offset[{thread.num - 1}]"))
    where = int(G.parse_and_eval("(unsigned long)&current_thread")) + offset
    return int(G.parse_and_eval(f"(*(struct thread **){where})->proc->pid"))


class Symbols:
    """Keeps GDB's symbol files to what Images wants."""

    def __init__(self) -> None:
        self.images = Images(CONFIG["files"])
        self.loaded: list[Image] = []

    def sync(self) -> None:
        wanted = self.images.wanted()
        for image in [i for i in self.loaded if i not in wanted]:
            self.loaded.remove(image)
            G.execute(f"remove-symbol-file -a {image.entry:#x}", to_string=True)
        for image in [i for i in wanted if i not in self.loaded]:
            file = image.file.replace("\\", "\\\\").replace('"', '\\"')
            G.execute(f'add-symbol-file "{file}" -o {image.bias:#x}', to_string=True)
            self.loaded.append(image)

    def executed(self) -> None:
        e = G.parse_and_eval("e")
        path = e["path"].string(errors="replace")
        head = G.selected_inferior().read_memory(int(e["head"].address), min(64, int(e["head_len"])))
        pid = current_pid()
        self.images.executed(pid, path, int(e["entry"]), bytes(head))
        self.sync()
        tell(notice="exec", pid=pid, path=path)

    def ended(self) -> None:
        self.images.ended(int(G.parse_and_eval("p->pid")))
        self.sync()


class Hook(G.Breakpoint):  # type: ignore[misc]
    """A breakpoint of the session's own: does its work, and stops only when that says so."""

    def __init__(self, function: str, work: Any, stops: bool = False) -> None:
        super().__init__(f"*{function}", internal=True)
        self.work = work
        self.stops = stops

    def stop(self) -> bool:
        try:
            self.work()
        except KeyboardInterrupt:  # ^C came while this ran: it was meant for the target
            return True
        except Exception as error:  # a damaged kernel must not end the session
            tell(notice="error", text=f"{type(error).__name__}: {error}")
        return self.stops


def hook(function: str, work: Any, stops: bool = False) -> None:
    try:
        Hook(function, work, stops)
    except G.error as error:
        tell(notice="error", text=f"no breakpoint at {function}: {error}")


class Quit(G.Command):  # type: ignore[misc]
    """Leave the session alone (scripts/gdb_session.sh stop ends it)."""

    def invoke(self, argument: str, from_tty: bool) -> None:
        tell(notice="quit")
        print("This is a session's GDB: `gdb_session.sh stop` ends it.")


def register(name: str) -> int:
    """A register's value; those with named bits are no integers to GDB."""
    return int(G.selected_frame().read_register(name).format_string(format="x"), 16)


def code_bits() -> int:
    """Of the code that the selected CPU runs: 16, 32 or 64."""
    if register("efer") & EFER_LMA:
        return 64
    # Flat 32-bit code is all there is between real mode and long mode, but for a few instructions.
    return 32 if register("cr0") & PE else 16


class EarlyDisassembler:
    """GDB's disassembler API, by capstone where GDB would take 16- or 32-bit code for 64-bit code."""

    def __init__(self) -> None:
        import capstone  # type: ignore[import]
        from gdb.disassembler import Disassembler, DisassemblerResult, register_disassembler  # type: ignore

        self.engines = {
            16: capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_16),
            32: capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_32),
        }
        for engine in self.engines.values():
            engine.syntax = capstone.CS_OPT_SYNTAX_ATT
        outer = self

        class Early(Disassembler):  # type: ignore[misc]
            def __call__(self, info: Any) -> Any:
                found = outer.decode(info)
                return None if found is None else DisassemblerResult(*found)

        register_disassembler(Early("cairn_early"))

    def decode(self, info: Any) -> tuple[int, str] | None:
        engine = self.engines.get(code_bits())
        if engine is None or info.address >> 32:
            return None
        for length in range(15, 0, -1):
            try:
                code = bytes(info.read_memory(length))
                break
            except G.error:
                continue
        else:
            return None
        for _, size, name, operands in engine.disasm_lite(code, info.address, 1):
            return size, f"{name}\t{operands}".rstrip()
        return None


def main() -> None:
    symbols = Symbols()
    if CONFIG["user_symbols"]:
        hook("elf_build_stack", symbols.executed)
        hook("itimers_exit", symbols.ended)
    if CONFIG["stop_on_panic"]:
        for function in ("panic", "panic_regs"):
            hook(function, lambda: tell(notice="panic"), stops=True)
    for name in ("quit", "q", "exit"):
        Quit(name, G.COMMAND_SUPPORT)
    if CONFIG["arch"] == "x86_64":
        try:
            EarlyDisassembler()
        except ImportError as error:
            tell(notice="error", text=f"early code is shown as 64-bit code: {error}")


main()
