"""The pure readers: the compiler's call graph, link maps, symbols, instructions, the policy's tables."""

from __future__ import annotations

import tomllib

import pytest

from ...hotpath import callinfo, policy
from ...hotpath.image import Symbol, base_name, fold_cold, make_functions, parse_map, source_of
from ...hotpath.isa import X86, Arm64, Insn, Kind, Port
from .mini import POLICY

CI = r"""graph: { title: "kernel/core/timer.c"
node: { title: "kernel/core/timer.c:lock_base" label: "lock_base\nkernel/core/timer.c:48:28\n56 bytes (static)" }
node: { title: "slow" label: "slow\nkernel/include/core/spinlock.h:60:6" shape : ellipse }
edge: { sourcename: "kernel/core/timer.c:lock_base" targetname: "slow" label: "kernel/include/core/spinlock.h:65:3" }
node: { title: "arm" label: "arm\nkernel/core/timer.c:78:6\n64 bytes (dynamic)" }
edge: { sourcename: "arm" targetname: "kernel/core/timer.c:lock_base" label: "kernel/core/timer.c:82:26" }
edge: { sourcename: "arm" targetname: "__indirect_call" label: "kernel/core/timer.c:90:1" }
}
"""


def test_call_graph_of_the_compiler() -> None:
    found = callinfo.parse(CI)
    assert set(found) == {"lock_base", "arm"}
    assert (found["lock_base"].frame, found["lock_base"].bounded) == (56, True)
    assert found["lock_base"].calls == [callinfo.Call("slow", "kernel/include/core/spinlock.h:65")]
    assert not found["arm"].bounded
    assert [call.target for call in found["arm"].calls] == ["lock_base", callinfo.INDIRECT]
    assert callinfo.parse("nonsense\n") == {}


MAP = """
Discarded input sections
 .text.gone     0x0000000000000000       0x10 build/x/kernel/lib/gone.c.o

Linker script and memory map

 .text          0xffffffff80200000        0x0 build/x/kernel/core/timer.c.o
 *fill*         0xffffffff80200000        0x4 cccccccc
 .text.short    0xffffffff80200010       0x89 build/x/kernel/core/timer.c.o
                0xffffffff80200010                short
 .text.a_name_that_needs_a_line
                0xffffffff802000a0       0x21 /abs/kernel/x/build/kernel/arch/vkernel/cpu.c.o
"""


def test_link_map() -> None:
    assert parse_map(MAP) == [
        (0xFFFFFFFF80200010, 0x89, "build/x/kernel/core/timer.c.o"),
        (0xFFFFFFFF802000A0, 0x21, "/abs/kernel/x/build/kernel/arch/vkernel/cpu.c.o"),
    ]
    assert parse_map("") == []
    assert source_of("/abs/kernel/x/build/kernel/arch/vkernel/cpu.c.o") == "kernel/arch/vkernel/cpu.c"


def symbol(name: str, value: int, size: int = 0, kind: int = 2, bind: str = "global") -> Symbol:
    return Symbol(name, value, size, kind, bind, True)


def test_functions_of_symbols() -> None:
    found = make_functions(
        [
            symbol("f", 0x100, 0x20), symbol("alias_of_f", 0x100, 0x20, bind="weak"),
            symbol("label_inside", 0x110, kind=0, bind="local"), symbol("bare", 0x140, kind=0),
            symbol("$x", 0x140, kind=0), symbol("next", 0x160, 8),
        ]
    )  # fmt: skip
    assert [(f.name, f.ranges) for f in found] == [
        ("f", [(0x100, 0x120)]), ("bare", [(0x140, 0x160)]), ("next", [(0x160, 0x168)]),
    ]  # fmt: skip
    assert found[0].names == {"f", "alias_of_f"} and found[0].bind == "global"


def test_cold_parts_and_variants() -> None:
    functions = make_functions([symbol("f", 0x100, 16), symbol("f.cold", 0x900, 8), symbol("g.isra.0", 0x200, 4)])
    folded = fold_cold(functions)
    assert [f.name for f in folded] == ["f", "g.isra.0"] and folded[0].holds(0x904)
    assert [base_name(n) for n in ("g.isra.0", "h.part.0.constprop.1", "f.cold", "a.b")] == ["g", "h", "f", "a.b"]


def decoded(port: Port, text: str, address: int = 0x1000) -> list[Insn]:
    return list(port.decode(bytes.fromhex(text), address))


@pytest.mark.parametrize(
    ("code", "kind", "target"),
    [
        ("e8fb000000", Kind.CALL, 0x1100),
        ("ebfe", Kind.JUMP, 0x1000),
        ("7402", Kind.BRANCH, 0x1004),
        ("e302", Kind.BRANCH, 0x1004),
        ("ffd0", Kind.CALL_POINTER, None),
        ("41ff6308", Kind.JUMP_POINTER, None),
        ("48cf", Kind.END, None),
        ("480f07", Kind.END, None),
        ("0f0b", Kind.END, None),
        ("f3c3", Kind.END, None),
        ("90", Kind.PLAIN, None),
    ],
)
def test_x86_kinds(code: str, kind: Kind, target: int | None) -> None:
    (insn,) = decoded(X86(), code)
    assert (insn.kind, insn.target) == (kind, target)


def test_x86_tables() -> None:
    call, jump = decoded(X86(), "ff14c500d02a80" + "ff25f0000000")
    assert (call.kind, call.table) == (Kind.CALL_POINTER, 0xFFFFFFFF802AD000)
    assert (jump.kind, jump.table) == (Kind.JUMP_POINTER, 0x1000 + 13 + 0xF0)


@pytest.mark.parametrize(
    ("code", "grows", "new"),
    [
        ("50", 8, False), ("9c", 8, False), ("5f", -8, False), ("4883ec20", 32, False), ("4883c408", -8, False),
        ("488d642410", -16, False), ("4889e5", 0, False), ("4889ec", 0, True), ("65488b242508000000", 0, True),
        ("5c", 0, True), ("4839dc", 0, False),
    ],
)  # fmt: skip
def test_x86_stack(code: str, grows: int, new: bool) -> None:
    (insn,) = decoded(X86(), code)
    assert (insn.grows, insn.new_stack) == (grows, new)


def test_x86_arguments() -> None:
    port = X86()
    before = decoded(port, "48c7c600102080" + "90")
    assert port.constant(before, 1) == 0xFFFFFFFF80201000 and port.constant(before, 0) is None
    assert port.constant(decoded(port, "488d3d10000000"), 0) == 0x1017
    assert port.constant(decoded(port, "48c7c600102080" + "e800000000"), 1) is None
    assert port.constant(decoded(port, "4889de"), 1) is None
    hoisted = "48c7c300102080" + "e800000000" + "4889de"  # mov rbx, f; call; mov rsi, rbx
    assert port.constant(decoded(port, hoisted), 1) == 0xFFFFFFFF80201000
    assert port.constant(decoded(port, hoisted.replace("c7c3", "c7c1").replace("89de", "89ce")), 1) is None


def test_undecodable_bytes_are_seen() -> None:
    assert [insn.kind for insn in decoded(X86(), "9006")] == [Kind.PLAIN, Kind.BAD]


def words(*values: int) -> str:
    return b"".join(value.to_bytes(4, "little") for value in values).hex()


@pytest.mark.parametrize(
    ("code", "kind", "target"),
    [
        (0x94000040, Kind.CALL, 0x1100),
        (0x14000001, Kind.JUMP, 0x1004),
        (0x54000040, Kind.BRANCH, 0x1008),
        (0xB4000040, Kind.BRANCH, 0x1008),
        (0x36000040, Kind.BRANCH, 0x1008),
        (0xD63F0120, Kind.CALL_POINTER, None),
        (0xD61F0120, Kind.JUMP_POINTER, None),
        (0xD65F03C0, Kind.END, None),
        (0xD69F03E0, Kind.END, None),
        (0xD4200000, Kind.END, None),
        (0xD503201F, Kind.PLAIN, None),
    ],
)
def test_arm64_kinds(code: int, kind: Kind, target: int | None) -> None:
    (insn,) = decoded(Arm64(), words(code))
    assert (insn.kind, insn.target) == (kind, target)


@pytest.mark.parametrize(
    ("code", "grows", "new"),
    [
        (0xD10103FF, 64, False),  # sub sp, sp, #64
        (0x910103FF, -64, False),  # add sp, sp, #64
        (0xA9BE7BFD, 32, False),  # stp x29, x30, [sp, #-32]!
        (0xA8C27BFD, -32, False),  # ldp x29, x30, [sp], #32
        (0x9100013F, 0, True),  # mov sp, x9
        (0xA9017BFD, 0, False),  # stp x29, x30, [sp, #16]
    ],
)
def test_arm64_stack(code: int, grows: int, new: bool) -> None:
    (insn,) = decoded(Arm64(), words(code))
    assert (insn.grows, insn.new_stack) == (grows, new)


def test_arm64_arguments() -> None:
    port = Arm64()
    before = decoded(port, words(0xB0000001, 0x91048021))  # adrp x1, 0x2000; add x1, x1, #0x120
    assert port.constant(before, 1) == 0x2120 and port.constant(before, 0) is None
    # adrp x28, 0x2000; bl; add x2, x28, #0x120; str x1, [x0]; mov x1, x2
    hoisted = words(0xB000001C, 0x94000040, 0x91048382, 0xF9000001, 0xAA0203E1)
    assert port.constant(decoded(port, hoisted), 1) == 0x2120
    assert port.constant(decoded(port, words(0xB0000001, 0x94000040)), 1) is None
    assert port.constant(decoded(port, words(0xB0000001, 0xF9400001)), 1) is None  # then ldr x1, [x0]


# --- policy --------------------------------------------------------------------------------------


def parsed(text: str, arch: str = "x86_64") -> policy.HotPolicy:
    return policy.parse(tomllib.loads(text), arch)


def test_policy_of_one_port() -> None:
    rows = '[[hotpath.ends]]\narch = "aarch64"\nsymbols = ["a"]\nwhy = "only over there"\n'
    assert parsed(POLICY + rows).ends == {} and set(parsed(POLICY + rows, "aarch64").ends) == {"a"}
    assert parsed(POLICY.replace("kernel/arch/mini/", "kernel/arch/{arch}/")).tier[1] == "kernel/arch/x86_64/"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('why = "it prints, slowly"', "", "why is missing"),
        ("it prints, slowly", "because", "why must be a reason"),
        ("budget = 100", "", "budget is missing"),
        ("budget = 100", "budget = 0", "budget must be at least 1"),
        ("budget = 100", 'budget = "100"', "budget must be of type int"),
        ("budget = 100", "budget = true", "budget must be of type int"),
        ("hits = 1", "", "hits is missing"),
        ("hits = 1", "hits = 0", "hits must be at least 1"),
        ("stack = 256", "", "stack is missing"),
        ('roots = ["entry"]', "roots = [1]", "must be a list of names"),
        ('mark = "cold"', 'mark = "cold"\nspeed = 3', "unknown key speed"),
        ('mark = "cold"', "", "mark is missing"),
        ('[[hotpath.measure]]\nname = "entry"', '[[hotpath.measure]]\narch = "z80"\nname = "entry"', "no measures"),
        ('[hotpath.forbidden.print]\nwhy = "it prints, slowly"\nfiles = ["kernel/debug/klog.c"]', "", "no forbidden"),
        ('files = ["kernel/debug/klog.c"]', "", "neither files nor symbols"),
    ],
)
def test_policy_that_is_incomplete(old: str, new: str, message: str) -> None:
    assert old in POLICY
    with pytest.raises(policy.PolicyError, match=message):
        parsed(POLICY.replace(old, new))


def test_policy_rows_twice_or_without_targets() -> None:
    entry = POLICY[POLICY.index("[[hotpath.entry]]") : POLICY.index("[[hotpath.measure]]")]
    with pytest.raises(policy.PolicyError, match="entry is there twice"):
        parsed(POLICY + entry)
    with pytest.raises(policy.PolicyError, match="neither targets nor a table"):
        parsed(POLICY + '[[hotpath.pointers]]\nfrom = "hot"\nwhy = "nowhere to go to"\n')
    with pytest.raises(policy.PolicyError, match="no .hotpath. table"):
        parsed("version = 1\n")
