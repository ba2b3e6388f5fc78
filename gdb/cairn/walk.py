"""Walks of the kernel's linked structures. Pure: memory comes in as a function.

Each walk is bounded and knows where it has been, so that a damaged structure ends it with an error that names
the structure and the node, after what was sound before it has been yielded."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .errors import CairnError, Unreadable

ReadU64 = Callable[[int], int]
LIMIT = 1_000_000
RADIX_SLOTS = 64
kernel_half = 0xFFFF000000000000  # where the kernel's addresses begin; target.py knows the port's


def check_pointer(addr: int, what: str, align: int = 8) -> int:
    """addr, if it can be the address of a kernel object. CairnError says why not."""
    if addr == 0:
        raise CairnError(f"{what}: null pointer")
    if not kernel_half <= addr < 1 << 64:
        raise CairnError(f"{what}: {addr:#x} is no kernel address")
    if addr % align:
        raise CairnError(f"{what}: {addr:#x} is not aligned to {align}")
    return addr


def load(read: ReadU64, addr: int, what: str) -> int:
    try:
        return read(addr)
    except Unreadable as error:
        raise CairnError(f"{what} cannot be read at {error.addr:#x}") from None


class Seen:
    """The nodes of one walk: complains about the second visit and about too many."""

    def __init__(self, name: str, limit: int = LIMIT) -> None:
        self.name = name
        self.limit = limit
        self.nodes: set[int] = set()

    def add(self, node: int) -> None:
        if node in self.nodes:
            raise CairnError(f"{self.name}: node {node:#x} comes twice: the list has a cycle")
        self.nodes.add(node)
        if len(self.nodes) > self.limit:
            raise CairnError(f"{self.name}: more than {self.limit} nodes, the last one {node:#x}")


def list_nodes(read: ReadU64, head: int, name: str, limit: int = LIMIT) -> Iterator[int]:
    """The nodes of a `struct list` (next at 0, prev at 8), without the head. Checks prev on the way."""
    check_pointer(head, f"{name}: head")
    seen = Seen(name, limit)
    before = head
    node = load(read, head, f"{name}: head {head:#x}")
    if node == 0:
        raise CairnError(f"{name}: head {head:#x} was never initialised (next is null)")
    while node != head:
        check_pointer(node, f"{name}: next of {_node(before, head)}")
        seen.add(node)
        back = load(read, node + 8, f"{name}: node {node:#x} (next of {_node(before, head)})")
        if back != before:
            raise CairnError(f"{name}: node {node:#x}: prev is {back:#x}, not {before:#x} it was reached from")
        yield node
        before, node = node, load(read, node, f"{name}: node {node:#x}")


def _node(addr: int, head: int) -> str:
    return f"head {addr:#x}" if addr == head else f"node {addr:#x}"


def chain_nodes(
    read: ReadU64, first: int, name: str, next_at: int = 0, limit: int = LIMIT, align: int = 8
) -> Iterator[int]:
    """Nodes linked by one pointer at next_at, up to a null one (free lists, hash chains, actions)."""
    seen = Seen(name, limit)
    node, before = first, 0
    while node:
        source = f"{name}: next of node {before:#x}" if before else f"{name}: first node"
        check_pointer(node, source, align)
        seen.add(node)
        following = load(read, node + next_at, f"{name}: node {node:#x}")
        yield node
        before, node = node, following


def tree_nodes(read: ReadU64, root: int, name: str, limit: int = LIMIT) -> Iterator[int]:
    """The nodes of a red-black tree in order; root is the address of the topmost node or 0. Node: parent and
    colour at 0, left at 8, right at 16."""
    seen = Seen(name, limit)
    stack: list[int] = []

    def enter(node: int, parent: int) -> None:
        while node:
            of = f"child of {parent:#x}" if parent else "root"
            check_pointer(node, f"{name}: {of}")
            seen.add(node)
            up = load(read, node, f"{name}: node {node:#x} ({of})") & ~1
            if up != parent:
                raise CairnError(f"{name}: node {node:#x}: parent is {up:#x}, not {parent:#x} it was reached from")
            stack.append(node)
            parent, node = node, load(read, node + 8, f"{name}: node {node:#x}")

    enter(root, 0)
    while stack:
        node = stack.pop()
        yield node
        enter(load(read, node + 16, f"{name}: node {node:#x}"), node)


def radix_entries(
    read: ReadU64, read_u8: Callable[[int], int], slot: int, slots_at: int, name: str, limit: int = LIMIT
) -> Iterator[tuple[int, int]]:
    """(index, entry) of a radix tree; slot is the root's word, slots_at the offset of a node's slots. A
    node's shift is its first byte."""
    if not slot & 1:
        if slot:
            yield 0, slot
        return
    seen = Seen(name, limit)

    def visit(node: int, base: int, above: int) -> Iterator[tuple[int, int]]:
        check_pointer(node, f"{name}: node")
        seen.add(node)
        try:
            shift = read_u8(node)
        except Unreadable as error:
            raise CairnError(f"{name}: node {node:#x} cannot be read at {error.addr:#x}") from None
        if shift % 6 or shift >= above:
            raise CairnError(f"{name}: node {node:#x}: shift {shift} below a node of shift {above}")
        for i in range(RADIX_SLOTS):
            entry = load(read, node + slots_at + 8 * i, f"{name}: node {node:#x}")
            if not entry:
                continue
            index = base + (i << shift)
            if shift:
                yield from visit(entry, index, shift)
            else:
                yield index, check_pointer(entry, f"{name}: entry {index} of node {node:#x}")

    yield from visit(slot & ~1, 0, 66)


def deadlocks(waits: dict[str, tuple[str, str]]) -> list[str]:
    """Circles among who waits for (lock, its holder), each in words and once."""
    found: list[str] = []
    done: set[str] = set()
    for start in waits:
        path: list[str] = []
        who = start
        while who in waits and who not in done and who not in path:
            path.append(who)
            who = waits[who][1]
        if who in path:
            circle = path[path.index(who) :]
            found.append("; ".join(f"{one} waits for {waits[one][0]}, held by {waits[one][1]}" for one in circle))
        done.update(path)
    return found
