"""Walks of lists, chains and trees: all nodes of a sound one; of a damaged one those before the damage, then
an error that names the structure and the node."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest

from .conftest import KERNEL, Memory, part

walk = part("walk")
CairnError = part("errors").CairnError


def until_error(nodes: Iterable[int]) -> tuple[list[int], str]:
    found: list[int] = []
    try:
        for node in nodes:
            found.append(node)
    except CairnError as error:
        return found, str(error)
    return found, ""


def test_list() -> None:
    memory = Memory()
    nodes = memory.make_list(5)
    assert until_error(walk.list_nodes(memory.read, nodes[0], "list x")) == (nodes[1:], "")
    assert until_error(walk.list_nodes(memory.read, memory.make_list(0)[0], "list x")) == ([], "")


@pytest.mark.parametrize(
    ("at", "value", "words"),
    [
        (0, 0x1234000, "0x1234000 is no kernel address"),
        (0, 0, "null pointer"),
        (0, KERNEL + 0x2001, "is not aligned to 8"),
        (0, KERNEL + 0x99000, "node 0xffff800000099000 (next of node"),
        (0, 0xDEAD000000000100, "is no kernel address"),
        (8, 0x1234000, "prev is 0x1234000, not"),
    ],
)
def test_damaged_list(at: int, value: int, words: str) -> None:
    memory = Memory()
    nodes = memory.make_list(6)
    memory.put(nodes[3] + at, value)
    found, error = until_error(walk.list_nodes(memory.read, nodes[0], "list x"))
    assert error.startswith("list x: ") and words in error, error
    assert found == (nodes[1:4] if at == 0 else nodes[1:3])


def test_list_that_bites_its_tail() -> None:
    memory = Memory()
    nodes = memory.make_list(6)
    memory.put(nodes[6], nodes[2])
    memory.put(nodes[2] + 8, nodes[6])
    _, error = until_error(walk.list_nodes(memory.read, nodes[0], "list x"))
    assert f"node {nodes[2]:#x}" in error


def test_chain() -> None:
    memory = Memory()
    nodes = [KERNEL + 64 * i for i in (9, 4, 7)]
    for node, following in zip(nodes, [*nodes[1:], 0]):
        memory.put(node, following)
    assert until_error(walk.chain_nodes(memory.read, nodes[0], "chain")) == (nodes, "")
    memory.put(nodes[2], nodes[0])
    found, error = until_error(walk.chain_nodes(memory.read, nodes[0], "chain"))
    assert found == nodes and error == f"chain: node {nodes[0]:#x} comes twice: the list has a cycle"


def test_limit() -> None:
    memory = Memory()
    nodes = memory.make_list(20)
    _, error = until_error(walk.list_nodes(memory.read, nodes[0], "list x", limit=10))
    assert error.startswith("list x: more than 10 nodes")


def make_tree(memory: Memory, low: int, high: int, parent: int) -> int:
    """A balanced tree whose nodes' addresses are their order."""
    if low >= high:
        return 0
    middle = (low + high) // 2
    node = KERNEL + 64 * (middle + 1)
    left, right = make_tree(memory, low, middle, node), make_tree(memory, middle + 1, high, node)
    memory.put(node, parent | 1, left, right)
    return node


def test_tree() -> None:
    memory = Memory()
    root = make_tree(memory, 0, 100, 0)
    found, error = until_error(walk.tree_nodes(memory.read, root, "tree"))
    assert not error and found == [KERNEL + 64 * (i + 1) for i in range(100)]


def test_damaged_trees() -> None:
    """Any word of the tree overwritten with anything: the walk ends, and soon."""
    chance = random.Random(20240607)
    for _ in range(300):
        memory = Memory()
        root = make_tree(memory, 0, 60, 0)
        victim = chance.choice(list(memory.words))
        memory.words[victim] = chance.choice([0, 1, root, 0x1234, KERNEL + 64 * chance.randrange(90), (1 << 64) - 1])
        found, error = until_error(walk.tree_nodes(memory.read, root, "tree"))
        assert len(found) <= 60 and (not error or error.startswith("tree: ")), error


def put_node(memory: Memory, addr: int, shift: int, slots: dict[int, int]) -> None:
    memory.put(addr, shift, *(slots.get(i, 0) for i in range(64)))


def entries(memory: Memory, slot: int) -> tuple[list[tuple[int, int]], str]:
    found: list[tuple[int, int]] = []
    try:
        for one in walk.radix_entries(memory.read, memory.read_u8, slot, 8, "radix"):
            found.append(one)
    except CairnError as error:
        return found, str(error)
    return found, ""


def test_deadlocks() -> None:
    waits = {"a": ("l1", "b"), "b": ("l2", "c"), "c": ("l3", "b"), "d": ("l4", "?"), "e": ("l5", "e")}
    assert walk.deadlocks(waits) == [
        "b waits for l2, held by c; c waits for l3, held by b",
        "e waits for l5, held by e",
    ]
    assert walk.deadlocks({"a": ("l", "b"), "c": ("l", "b")}) == []


def test_radix() -> None:
    memory = Memory()
    top, low, high = KERNEL + 0x10000, KERNEL + 0x20000, KERNEL + 0x30000
    put_node(memory, top, 6, {0: low, 3: high})
    put_node(memory, low, 0, {1: KERNEL + 8, 2: KERNEL + 16})
    put_node(memory, high, 0, {63: KERNEL + 24})
    assert entries(memory, top | 1) == ([(1, KERNEL + 8), (2, KERNEL + 16), (255, KERNEL + 24)], "")
    assert entries(memory, 0) == ([], "") and entries(memory, KERNEL + 8) == ([(0, KERNEL + 8)], "")
    memory.put(high, 6)
    assert "shift 6 below a node of shift 6" in entries(memory, top | 1)[1]
    memory.put(top + 8, top)
    assert "comes twice" in entries(memory, top | 1)[1]
