"""The call graph, made where it is walked: disassembly united with what the compiler wrote.

A C function is taken whole: every instruction of it counts, reachable or not, and its frame is the
compiler's. Assembly is followed instruction by instruction from where it is entered, with the stack pointer,
since its labels are no functions. A jump out of a function is a call that does not come back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from .callinfo import INDIRECT, Compiled, parse
from .image import Function, Image, ImageError, base_name
from .isa import Insn, Kind, Port

TABLE_MAX = 1024
REVISITS = 64


@dataclass(frozen=True)
class Site:
    """A way out of a node. target None: through a pointer. depth: bytes of stack in use there, from the
    node's entry on, or from the top of a new stack."""

    target: int | None
    address: int | None  # of the instruction; None: only the compiler saw it
    depth: int
    new_stack: bool = False
    place: str = ""
    table: int | None = None


@dataclass
class Node:
    """A C function, or assembly from one entry on."""

    key: int
    function: Function
    compiled: Compiled | None
    depth: int = 0  # the deepest point inside
    sites: list[Site] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class Graph:
    def __init__(self, image: Image, port: Port, root: Path) -> None:
        """root: the directory that the link map's names start from."""
        self.image, self.port, self.root = image, port, root
        self.nodes: dict[int, Node] = {}
        self.files: dict[str, dict[str, Compiled]] = {}

    def compiled_file(self, object_file: str) -> dict[str, Compiled]:
        """What the compiler wrote about an object; empty for assembly."""
        if object_file not in self.files:
            path = self.root / (object_file.removesuffix(".o") + ".ci")
            if object_file.endswith(".c.o") and not path.is_file():
                raise ImageError(f"{path} is not there: a kernel built by gcc with -fcallgraph-info=su is needed")
            self.files[object_file] = parse(path.read_text()) if path.is_file() else {}
        return self.files[object_file]

    def compiled(self, function: Function) -> Compiled | None:
        known = self.compiled_file(function.object) if function.object != "?" else {}
        for name in sorted(function.names):
            if name in known:
                return known[name]
        return None

    def node(self, address: int) -> Node | None:
        """The node entered at address; None where there is no code."""
        if address in self.nodes:
            return self.nodes[address]
        function = self.image.at(address)
        if function is None:
            return None
        compiled = self.compiled(function)
        key = function.start if compiled else address
        if key not in self.nodes:
            node = Node(key, function, compiled)
            self.nodes[key] = node
            if compiled:
                self.expand_compiled(node, compiled)
            else:
                self.expand_assembly(node)
        return self.nodes[key]

    def instructions(self, function: Function) -> list[Insn]:
        found: list[Insn] = []
        for low, high in function.ranges:
            found += self.port.decode(self.image.read(low, high - low), low)
        return found

    # --- C ---------------------------------------------------------------------------------------
    def expand_compiled(self, node: Node, compiled: Compiled) -> None:
        frame = max(compiled.frame - self.port.call_push, 0)
        node.depth = frame
        if not compiled.bounded:
            node.problems.append("its stack frame has no bound (a variable-length array or alloca)")
        insns = self.instructions(node.function)
        for place, insn in enumerate(insns):
            if insn.kind is Kind.BAD:
                node.problems.append(f"not decodable at {insn.address:#x}: {insn.operands}")
            elif insn.kind is Kind.CALL:
                node.sites.append(Site(insn.target, insn.address, frame + self.port.call_push))
            elif insn.kind in (Kind.JUMP, Kind.BRANCH):
                if insn.target is not None and not node.function.holds(insn.target):
                    node.sites.append(Site(insn.target, insn.address, frame))
            elif insn.kind is Kind.CALL_POINTER:
                node.sites.append(Site(None, insn.address, frame + self.port.call_push, table=insn.table))
            elif insn.kind is Kind.JUMP_POINTER and not self.is_switch(node.function, insns[:place], insn):
                node.sites.append(Site(None, insn.address, frame, table=insn.table))
        self.add_compilers(node, compiled, frame)

    def is_switch(self, function: Function, before: list[Insn], jump: Insn) -> bool:
        """A switch's table: addresses inside the function, at least one, up to the first that is none."""
        if jump.table is None:
            return self.port.is_switch(before, jump)
        first = self.image.word(jump.table)
        return first is not None and function.holds(first)

    def add_compilers(self, node: Node, compiled: Compiled, frame: int) -> None:
        """Calls that the compiler reports and no instruction shows."""
        seen = {self.start_of(site.target) for site in node.sites if site.target is not None}
        pointer = any(site.target is None for site in node.sites)
        for call in compiled.calls:
            depth = frame + self.port.call_push
            if call.target == INDIRECT:
                if not pointer:
                    node.sites.append(Site(None, None, depth, place=call.place))
                continue
            functions = self.image.find(call.target)
            exact = [f for f in functions if call.target in f.names] or functions
            near = [f for f in exact if f.object == node.function.object] or exact
            for function in near:
                if function.start not in seen:
                    node.sites.append(Site(function.start, None, depth, place=call.place))
                    seen.add(function.start)

    def start_of(self, address: int) -> int:
        function = self.image.at(address)
        return function.start if function else address

    # --- assembly --------------------------------------------------------------------------------
    def expand_assembly(self, node: Node) -> None:
        """Follows the code from the node's entry. visited: the deepest stack each instruction was met with."""
        code = {insn.address: insn for insn in self.instructions(node.function)}
        visited: dict[int, tuple[int, bool]] = {}
        times: dict[int, int] = {}
        work = [(node.key, 0, False)]
        sites: dict[tuple[int, int | None], Site] = {}
        while work:
            at, depth, new = work.pop()
            if at in visited and visited[at] >= (depth, new):
                continue
            times[at] = times.get(at, 0) + 1
            if times[at] > REVISITS:
                node.problems.append(f"the stack grows in a loop at {at:#x}")
                break
            visited[at] = (depth, new)
            insn = code.get(at)
            if insn is None or insn.kind is Kind.BAD:
                node.problems.append(f"not decodable at {at:#x}")
                continue
            node.depth = max(node.depth, depth)
            work += self.follow(node, insn, depth, new, sites)
        node.sites = list(sites.values())

    def follow(
        self, node: Node, insn: Insn, depth: int, new: bool, sites: dict[tuple[int, int | None], Site]
    ) -> list[tuple[int, int, bool]]:
        """Where one instruction leads within the function; ways out are added to sites."""

        def leave(target: int | None, at_depth: int, table: int | None = None) -> None:
            sites[insn.address, target] = Site(target, insn.address, at_depth, new, table=table)

        def go(target: int) -> list[tuple[int, int, bool]]:
            if node.function.holds(target):
                return [(target, depth, new)]
            leave(target, depth)
            return []

        after = insn.address + insn.size
        if insn.kind is Kind.CALL:
            leave(insn.target, depth + self.port.call_push)
            return go(after)
        if insn.kind is Kind.CALL_POINTER:
            leave(None, depth + self.port.call_push, insn.table)
            return go(after)
        if insn.kind is Kind.JUMP and insn.target is not None:
            return go(insn.target)
        if insn.kind is Kind.BRANCH and insn.target is not None:
            return go(insn.target) + go(after)
        if insn.kind is Kind.JUMP_POINTER:
            leave(None, depth, insn.table)
            return []
        if insn.kind is Kind.END:
            if depth and not new and insn.mnemonic.startswith("ret"):  # to an address that was pushed
                node.problems.append(f"returns at {insn.address:#x} with {depth} bytes of its own on the stack")
            return []
        depth, new = (0, True) if insn.new_stack else (max(depth + insn.grows, 0), new)
        return go(after)

    # --- tables and registrations ----------------------------------------------------------------
    def table_targets(self, name: str) -> list[int]:
        """The functions in a table of pointers, by its symbol."""
        symbols = [s for s in self.image.by_name.get(name, []) if s.size]
        if len(symbols) != 1:
            raise ImageError(f"{name}: {len(symbols)} tables of that name with a size")
        words = [self.image.word(symbols[0].value + at) for at in range(0, symbols[0].size, 8)]
        return sorted({word for word in words if word})

    def registered(self, registrar: Function, argument: int) -> list[tuple[Function, int | None]]:
        """Each call of a registering function, and the function it is given: None when that is no constant."""
        found = []
        for function in self.image.functions:
            if function.object == "?" or not function.object.endswith(".c.o"):
                continue
            compiled = self.compiled(function)
            if not compiled or not any(base_name(c.target) in registrar.names for c in compiled.calls):
                continue
            insns = self.instructions(function)
            for place, insn in enumerate(insns):
                if insn.kind in (Kind.CALL, Kind.JUMP) and insn.target == registrar.start:
                    found.append((function, self.port.constant(insns[:place], argument)))
        return found
