"""The debugged kernel: memory, symbols, types, CPUs. The one place, with command.py, that talks to GDB.

Data is read a whole structure at a time and decoded by its DWARF type (Obj). Every read goes through read(),
which keeps what one command has read, and its deadline."""

from __future__ import annotations

import time
from dataclasses import dataclass

import gdb

from . import arch, elfsyms, pagetable, walk
from .errors import CairnError, Unreadable
from .walk import check_pointer

INT_CODES = (gdb.TYPE_CODE_INT, gdb.TYPE_CODE_ENUM, gdb.TYPE_CODE_BOOL, gdb.TYPE_CODE_CHAR, gdb.TYPE_CODE_PTR)
BY_ADDRESS = (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION, gdb.TYPE_CODE_ARRAY, gdb.TYPE_CODE_FUNC)
LIMIT_S = 20.0
PAGE = 4096
_until = 0.0
_limit_s = LIMIT_S
_selected = 0
_pages: dict[int, bytes] = {}  # empty: cannot be read
_frames: dict[int, bytes] = {}  # the same, by physical address
_root: int | None = None  # physical address of the kernel's top table, when memory is read by a walk from there


def begin(limit_s: float = LIMIT_S) -> None:
    """A command starts: it may take this long, and knows nothing of how memory was before."""
    global _selected, _root
    thread = gdb.selected_thread()
    _selected = cpu_of(thread) if thread else 0
    allow(limit_s)
    _root = None
    _strings.clear()
    _pages.clear()
    _frames.clear()


def allow(limit_s: float) -> None:
    """The command may take so long from now on."""
    global _until, _limit_s
    _limit_s = limit_s
    _until = time.monotonic() + limit_s


def require_kernel() -> None:
    """A stopped kernel or a core must be there: GDB would read the ELF file's own data instead."""
    inferior = gdb.selected_inferior()
    elf_symbols()
    if not inferior.threads():
        raise CairnError("no kernel: attach to one (target remote ...) or load a core (cairn core FILE)")
    core = inferior.connection is not None and inferior.connection.type == "core"
    if core and not _has_run():
        raise CairnError("this core has no kernel addresses: load it with `cairn core FILE`")
    walk.kernel_half = arch.port().KERNEL_HALF
    if not core:
        _choose_view(list(inferior.threads()))


def _choose_view(threads: list[gdb.InferiorThread]) -> None:
    """Live memory is read as the selected CPU sees it: one that has not started yet sees none of it, and with
    some ports neither does one in user mode. When no CPU sees it, physical memory is read."""
    global _root
    register = arch.port().ROOT_REGISTER
    for physical in (False, True) if register else (False,):
        for thread in [None, *threads]:
            if thread:
                if thread.is_running():
                    raise CairnError("the guest is running: interrupt it first")
                thread.switch()
            _pages.clear()
            _root = _kernel_root(register) if physical else None
            try:
                global_num("cpu_online_mask")
                return
            except Unreadable:
                continue
    raise CairnError("the kernel's memory cannot be read: it has not set up its page tables yet")


def _has_run() -> bool:
    """Whether variables are those of a kernel at work: what the core lacks GDB takes from the ELF file."""
    try:
        return global_num("mem_total_pages") != 0
    except Unreadable:
        return False


def read(addr: int, size: int, what: str = "memory") -> bytes:
    """Memory by whole pages, each fetched once a command: nothing moves while it runs, and a question to the
    stub costs half a millisecond."""
    addr &= ~(-1 << 64)
    data = b""
    while len(data) < size:
        at = addr + len(data)
        offset = at % PAGE
        data += page(at - offset, what, at)[offset : offset + size - len(data)]
    return data


def page(base: int, what: str, wanted: int) -> bytes:
    if base not in _pages:
        if time.monotonic() > _until:
            raise CairnError(f"gave up after {_limit_s:.0f} s, reading {what} at {wanted:#x}")
        _pages[base] = _virtual(base) if _root is None else _by_walk(base)
    if not _pages[base]:
        raise Unreadable(wanted, what)
    return _pages[base]


def _virtual(base: int) -> bytes:
    try:
        return bytes(gdb.selected_inferior().read_memory(base, PAGE))
    except (gdb.error, OverflowError):
        return b""


def _kernel_root(register: str) -> int:
    """What the selected CPU has in its root register: 0 before the kernel has set it."""
    return int(gdb.newest_frame().read_register(register)) & int(arch.port().ADDR)


def _by_walk(base: int) -> bytes:
    pa = _physical(base)
    return b"" if pa is None else _frame(pa)


def _physical(va: int) -> int | None:
    def word(pa: int) -> int:
        data = _frame(pa & -PAGE)
        if not data:
            raise Unreadable(pa, "page table")
        return int.from_bytes(data[pa % PAGE : pa % PAGE + 8], "little")

    found = pagetable.walk(word, _root, va, arch.port()) if _root else None
    return found.paddr if found and found.mapped else None


def _frame(base: int) -> bytes:
    if base not in _frames:
        with _PhysicalMemory():
            _frames[base] = _virtual(base)
    return _frames[base]


class _PhysicalMemory:
    """QEMU's stub takes addresses for physical ones meanwhile."""

    def __enter__(self) -> None:
        self.say(1)

    def __exit__(self, *error: object) -> None:
        self.say(0)

    @staticmethod
    def say(on: int) -> None:
        connection = gdb.selected_inferior().connection
        if not isinstance(connection, gdb.RemoteTargetConnection) or (
            connection.send_packet(f"Qqemu.PhyMemMode:{on}") != b"OK"
        ):
            raise CairnError("no CPU sees the kernel's memory, and this stub does not read physical memory")


def write(addr: int, data: bytes) -> None:
    """For tests: to the kernel's memory, where the command before this has seen it. Within a page."""
    inferior = gdb.selected_inferior()
    if _root is None:
        inferior.write_memory(addr, data)
    else:
        pa = _physical(addr)
        if pa is None:
            raise Unreadable(addr, "memory")
        with _PhysicalMemory():
            inferior.write_memory(pa, data)
    _pages.clear()
    _frames.clear()


def read_u64(addr: int) -> int:
    return int.from_bytes(read(addr, 8), "little")


def read_u8(addr: int) -> int:
    return read(addr, 1)[0]


# --- types ---------------------------------------------------------------------------------------

_types: dict[str, gdb.Type] = {}
_fields: dict[tuple[str, str], tuple[int, gdb.Type] | None] = {}
_strings: dict[int, str] = {}


def type_of(name: str) -> gdb.Type:
    if name not in _types:
        try:
            _types[name] = gdb.lookup_type(name).strip_typedefs()
        except gdb.error:
            raise CairnError(f"no type {name}: is the kernel's ELF file loaded (file build/ARCH/cairn.elf)?") from None
    return _types[name]


def has_type(name: str) -> bool:
    try:
        type_of(name)
    except CairnError:
        return False
    return True


def _in_struct(kind: gdb.Type, name: str) -> tuple[int, gdb.Type] | None:
    for field in kind.fields():
        if field.name == name:
            return field.bitpos // 8, field.type.strip_typedefs()
        if field.name is None or field.name == "":
            inner = _in_struct(field.type.strip_typedefs(), name)
            if inner:
                return field.bitpos // 8 + inner[0], inner[1]
    return None


def find_field(kind: gdb.Type, path: str) -> tuple[int, gdb.Type] | None:
    """Offset and type of a member: `se.node`, `wait.lock.locked`."""
    key = (str(kind), path)
    if key not in _fields:
        offset, at = 0, kind
        for part in path.split("."):
            name, _, index = part.partition("[")
            found = _in_struct(at, name) if at.code in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION) else None
            if not found:
                _fields[key] = None
                return None
            offset, at = offset + found[0], found[1]
            if index:
                at = at.target().strip_typedefs()
                offset += int(index[:-1]) * at.sizeof
        _fields[key] = (offset, at)
    return _fields[key]


def offset_of(type_name: str, path: str) -> int:
    found = find_field(type_of(type_name), path)
    if not found:
        raise CairnError(f"{type_name} has no member {path}")
    return found[0]


class Obj:
    """A structure in the kernel's memory, read whole when first looked at."""

    def __init__(self, addr: int, type_name: str | gdb.Type, what: str = "", checked: bool = True) -> None:
        self.kind = type_of(type_name) if isinstance(type_name, str) else type_name.strip_typedefs()
        self.what = what or str(self.kind)
        self.addr = check_pointer(addr, self.what, 1) if checked else addr
        self.size = self.kind.sizeof
        self._data: bytes | None = None

    @property
    def data(self) -> bytes:
        if self._data is None:
            self._data = read(self.addr, self.size, self.what)
        return self._data

    def _find(self, path: str) -> tuple[int, gdb.Type]:
        found = find_field(self.kind, path)
        if not found:
            raise CairnError(f"{self.kind} has no member {path}: do the ELF file and the kernel belong together?")
        return found

    def has(self, path: str) -> bool:
        return find_field(self.kind, path) is not None

    def at(self, path: str) -> int:
        return self.addr + self._find(path)[0]

    def num(self, path: str) -> int:
        offset, kind = self._find(path)
        if kind.code not in INT_CODES:
            raise CairnError(f"{self.kind}.{path} is no number")
        signed = kind.code == gdb.TYPE_CODE_INT and kind.is_signed
        return int.from_bytes(self.data[offset : offset + kind.sizeof], "little", signed=signed)

    def raw(self, path: str) -> bytes:
        offset, kind = self._find(path)
        return self.data[offset : offset + kind.sizeof]

    def text(self, path: str) -> str:
        return self.raw(path).split(b"\0")[0].decode("utf-8", "replace")

    def sub(self, path: str) -> Obj:
        """A structure inside this one."""
        offset, kind = self._find(path)
        inner = Obj(self.addr + offset, kind, f"{path} of {self.what}", checked=False)
        inner._data = self.data[offset : offset + kind.sizeof]
        return inner

    def items(self, path: str) -> list[Obj]:
        """The elements of an array of structures."""
        offset, kind = self._find(path)
        element = kind.target().strip_typedefs()
        found = []
        for i in range(kind.sizeof // element.sizeof):
            at = offset + i * element.sizeof
            inner = Obj(self.addr + at, element, f"{path}[{i}] of {self.what}", checked=False)
            inner._data = self.data[at : at + element.sizeof]
            found.append(inner)
        return found

    def follow(self, path: str, what: str = "", align: int = 8) -> Obj | None:
        """What a pointer member points to; None when it is null."""
        _, kind = self._find(path)
        addr = self.num(path)
        if not addr:
            return None
        name = what or f"{path} of {self.what}"
        check_pointer(addr, name, align)
        return Obj(addr, kind.target(), name)

    def string(self, path: str) -> str:
        """The text that a char pointer points to."""
        return c_string(self.num(path), f"{path} of {self.what}")


def container(addr: int, type_name: str, member: str, what: str = "") -> Obj:
    return Obj(addr - offset_of(type_name, member), type_name, what)


def c_string(addr: int, what: str, limit: int = 256) -> str:
    """A string of the kernel's, at most limit bytes of it."""
    if addr == 0:
        return ""
    if addr not in _strings:
        check_pointer(addr, what, 1)
        data = b""
        while len(data) < limit and b"\0" not in data:
            # Not past the page: the next one may not be there.
            room = min(64, 4096 - (addr + len(data)) % 4096)
            data += read(addr + len(data), room, what)
        _strings[addr] = data.split(b"\0")[0][:limit].decode("utf-8", "replace")
    return _strings[addr]


# --- symbols -------------------------------------------------------------------------------------

_elf: tuple[str, elfsyms.Symbols] | None = None
_variables: dict[tuple[str, str], tuple[int, gdb.Type]] = {}


def elf_symbols() -> elfsyms.Symbols:
    """The kernel's symbols, from the ELF file that GDB was given."""
    global _elf
    for objfile in gdb.objfiles():
        if _elf and _elf[0] == objfile.filename:
            return _elf[1]
        try:
            symbols = elfsyms.load(objfile.filename)
        except (OSError, ValueError):
            continue
        if "kernel_main" in symbols.by_name or "syscall_entry" in symbols.by_name:
            _elf = (objfile.filename, symbols)
            return symbols
    raise CairnError("no kernel symbols: load the kernel's ELF file first (file build/ARCH/cairn.elf)")


def symbol_addr(name: str) -> int | None:
    symbol = elf_symbols().by_name.get(name)
    return symbol.addr if symbol else None


def place(pc: int) -> str:
    """An address in words: function+offset, or the number."""
    found = elf_symbols().find(pc) if pc >= 0xFFFFFFFF80000000 else None
    return f"{found[0]}+{found[1]:#x}" if found else f"{pc:#x}"


def place_of_return(pc: int) -> str:
    """The same for a return address: the call before it, which may be the last instruction of a function."""
    found = elf_symbols().find(pc - 1) if pc > 0xFFFFFFFF80000000 else None
    return f"{found[0]}+{found[1] + 1:#x}" if found else f"{pc:#x}"


def source_line(pc: int) -> str:
    try:
        where = gdb.find_pc_line(pc)
    except gdb.error:
        return ""
    return f"{where.symtab.filename}:{where.line}" if where.symtab and where.line else ""


def variable(name: str, file: str = "") -> tuple[int, gdb.Type]:
    """Address and type of a variable; file: the end of its file's name, for static ones."""
    key = (name, file)
    if key not in _variables:
        symbol = gdb.lookup_global_symbol(name) if not file else None
        for candidate in [] if symbol else gdb.lookup_static_symbols(name):
            if candidate.symtab.filename.endswith(file):
                symbol = candidate
                break
        address = symbol.value().address if symbol else None
        if symbol is None or address is None:
            raise CairnError(f"the kernel has no variable {name}{f' in {file}' if file else ''} (symbols loaded?)")
        _variables[key] = (int(address), symbol.type.strip_typedefs())
    return _variables[key]


def has_variable(name: str, file: str = "") -> bool:
    try:
        variable(name, file)
    except CairnError:
        return False
    return True


def global_num(name: str, file: str = "") -> int:
    addr, kind = variable(name, file)
    signed = kind.code == gdb.TYPE_CODE_INT and kind.is_signed
    return int.from_bytes(read(addr, kind.sizeof, name), "little", signed=signed)


def global_obj(name: str, file: str = "") -> Obj:
    addr, kind = variable(name, file)
    return Obj(addr, kind, name)


def global_array(name: str, file: str = "") -> list[Obj]:
    """The elements of an array of structures, each read when it is looked at."""
    addr, kind = variable(name, file)
    element = kind.target().strip_typedefs()
    size = kind.sizeof
    if not size:  # only its declaration was found, which leaves the length out
        symbol = elf_symbols().by_name.get(name)
        size = symbol.size if symbol else 0
    return [Obj(addr + i * element.sizeof, element, f"{name}[{i}]") for i in range(size // element.sizeof)]


def cpus_max() -> int:
    return elf_symbols().by_name["percpu_offset"].size // 8


def enum_names(type_name: str) -> dict[int, str]:
    return {field.enumval: field.name or "" for field in type_of(type_name).fields()}


def evaluate(text: str) -> int:
    """An address or number that the user wrote, as GDB understands it."""
    try:
        value = gdb.parse_and_eval(text)
        if value.type.strip_typedefs().code in BY_ADDRESS:
            if value.address is None:
                raise CairnError(f"{text} has no address")
            return int(value.address) & ~(-1 << 64)
        return int(value) & ~(-1 << 64)
    except (gdb.error, gdb.MemoryError) as error:
        raise CairnError(f"{text}: {error}") from None


# --- CPUs ----------------------------------------------------------------------------------------


def cpus() -> list[int]:
    """The CPUs that are online."""
    mask = global_num("cpu_online_mask")
    found = [cpu for cpu in range(64) if mask >> cpu & 1]
    limit = cpus_max()
    if not found or found[-1] >= limit:
        raise CairnError(f"cpu_online_mask is {mask:#x}: this kernel has CPUs 0 to {limit - 1}")
    return found


def percpu_offset(cpu: int) -> int:
    if not 0 <= cpu < cpus_max():
        raise CairnError(f"no cpu {cpu}")
    return read_u64(variable("percpu_offset")[0] + 8 * cpu)


def percpu_addr(cpu: int, name: str, file: str = "") -> int:
    return (variable(name, file)[0] + percpu_offset(cpu)) & ~(-1 << 64)


def percpu_num(cpu: int, name: str, file: str = "") -> int:
    kind = variable(name, file)[1]
    return int.from_bytes(read(percpu_addr(cpu, name, file), kind.sizeof, f"{name} of cpu {cpu}"), "little")


@dataclass(frozen=True)
class Selected:
    """What the user has selected in GDB, put back after a look at other CPUs."""

    thread: gdb.InferiorThread | None
    frame: gdb.Frame | None

    @classmethod
    def now(cls) -> Selected:
        thread = gdb.selected_thread()
        try:
            return cls(thread, gdb.selected_frame())
        except gdb.error:
            return cls(thread, None)

    def restore(self) -> None:
        try:
            if self.thread:
                self.thread.switch()
            if self.frame:
                self.frame.select()
        except RuntimeError:  # gdb.error is one; so is what a thread or frame says that is gone
            pass


def choose_language(name: str) -> str:
    """For expressions and types; what it was before."""
    before = str(gdb.parameter("language"))
    if name != before:
        gdb.execute(f"set language {name}", to_string=True)
    return before


def cpu_of(thread: gdb.InferiorThread) -> int:
    """QEMU numbers the CPUs from 1, in its stub as in its cores."""
    return max(thread.ptid[1], 1) - 1


def selected_cpu() -> int:
    """The one that was selected when the command began."""
    return _selected


def cpu_registers(cpu: int, names: tuple[str, ...]) -> dict[str, int]:
    """Registers of a CPU as the stub or the core has them."""
    kept = Selected.now()
    try:
        for thread in gdb.selected_inferior().threads():
            if cpu_of(thread) == cpu:
                if thread.is_running():
                    raise CairnError("the guest is running: interrupt it first")
                thread.switch()
                frame = gdb.newest_frame()
                return {name: int(frame.read_register(name)) & ~(-1 << 64) for name in names}
    except (gdb.error, ValueError) as error:
        raise CairnError(f"registers of cpu {cpu}: {error}") from None
    finally:
        kept.restore()
    raise CairnError(f"registers of cpu {cpu}: GDB knows no such CPU")
