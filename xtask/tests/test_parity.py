"""The parity tool on made-up ports: every difference without a reason is found, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from xtask.gen import syscalls
from xtask.gen.stages import Stage
from xtask.parity import abi, documents, facts, image, judge, userptr
from xtask.parity.facts import Facts, Port

CALLS = """
0 63 read(fd fd) full - one
2 -  open(path path) full - -
7 70 later(fd fd) none - -
"""
NUMBERS = {"x86_64": {"read": 0, "open": 2, "later": 7}, "aarch64": {"read": 63, "later": 70}}
MAP = """
Linker script and memory map

 .text.sys_read
                0xffffffff80253060      0x15e /somewhere/build/kernel/syscall/sys_file.c.o
                0xffffffff80253060                sys_read
 .text          0xffffffff80253260       0x10 build/kernel/arch/x86_64/entry/syscall.S.o
                0xffffffff80253260                syscall_entry
"""


def stage(name: str, ports: str = "all") -> Stage:
    return Stage(1, name, "boot", "title", "cpu", ports, 100, "meaning", "where")


def made(reasons: str = "", **arm: str) -> Facts:
    """Two ports: stages one (both), x86_only, arm_only; `arm` overrides results of the second port."""
    both = {"one": "PASS", "two": "PASS"}
    x86 = Port("x86_64", {"sys_read": "a", "sys_open": "a", "f": "x"}, frozenset(), both | {"x86_only": "PASS"}, NUMBERS["x86_64"])
    second = Port("aarch64", {"sys_read": "a", "f": "y"}, frozenset(), both | {"arm_only": "PASS"} | arm, NUMBERS["aarch64"])
    return Facts(
        ports=(x86, second),
        stages=(stage("one"), stage("two"), stage("x86_only", "x86_64"), stage("arm_only", "aarch64")),
        syscalls=tuple(syscalls.parse(CALLS, "syscalls.tbl")),
        reasons=facts.parse_reasons("x86_only | arm_only | hardware\narm_only | x86_only | hardware\n" + reasons),
        contract={"cpu.h": ["f"]},
        uses=(userptr.Use("kernel/a.c", "g", ("get_user_u8",)),),
        casts=(),
        checks=(("get_user_u8", "kernel/u.h", "user_range_ok"),),
    )


def test_ports_that_agree() -> None:
    assert judge.findings(made()) == []


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (made(one="FAIL"), "stage one: PASS on x86_64, FAIL on aarch64"),
        (made(one="NOT-RUN"), "stage one: PASS on x86_64, NOT-RUN on aarch64"),
        (made(one="SKIP"), "gives no reason"),
        (made("two | - | no longer so"), "two does not differ between the ports: the row is stale"),
        (made("gone | - | ?"), "gone does not differ"),
        (made("one | nothing | ?", one="SKIP"), "no stage nothing"),
        (replace(made(), reasons={}), "stage x86_only: PASS on x86_64, - on aarch64"),
        (replace(made(), contract={"cpu.h": ["f", "g"]}), "no port defines g()"),
        (replace(made(), casts=(userptr.Cast("kernel/a.c", "g", "p"),)), "the user address p is made a pointer"),
        (replace(made(), checks=(("clear_user", "kernel/u.c", ""),)), "clear_user() does not check"),
    ],
)
def test_a_difference_is_found(broken: Facts, words: str) -> None:
    assert any(words in found for found in judge.findings(broken)), judge.findings(broken)


def without(port: Port, symbol: str) -> Port:
    return replace(port, symbols={name: at for name, at in port.symbols.items() if name != symbol})


def test_a_call_missing_from_one_image() -> None:
    good = made()
    broken = replace(good, ports=(good.ports[0], without(good.ports[1], "sys_read")))
    assert judge.findings(broken) == ["system call read: syscalls.tbl says full, the image of aarch64 lacks it"]
    assert "read" in documents.render(broken)["ARM64_SYSCALL_PORTING_CHECKLIST.md"]


def test_a_call_taken_out_of_one_abi_is_found() -> None:
    rows = syscalls.parse(CALLS.replace("0 63", "0 -"), "syscalls.tbl")
    found = judge.findings(replace(made(), syscalls=tuple(rows)))
    assert found == ["read on aarch64: syscalls.tbl says None, Linux's header says 63"]


def test_a_function_in_one_image_only() -> None:
    good = made()
    assert "only in the image of x86_64" in judge.findings(replace(good, ports=(good.ports[0], without(good.ports[1], "f"))))[0]


def test_an_inline_function_is_one() -> None:
    good = made()
    second = replace(without(good.ports[1], "f"), inlined=frozenset({"f"}))
    assert judge.findings(replace(good, ports=(good.ports[0], second))) == []


def test_documents_name_everything() -> None:
    pages = documents.render(made(one="SKIP"))
    assert set(pages) == set(documents.NAMES) and len(pages) == 4
    assert "| `x86_only` | PASS | - | arm_only | hardware |" in pages["ARM64_FEATURE_PARITY.md"]
    assert "| `one` | PASS | SKIP |  | **no reason is listed** |" in pages["ARM64_FEATURE_PARITY.md"]
    assert "| read | 0 | full | PASS | 63 | full | SKIP |" in pages["ARM64_SYSCALL_MATRIX.md"]
    assert "| open | 2 | full | - | - | - | - |" in pages["ARM64_SYSCALL_MATRIX.md"]
    checklist = pages["ARM64_SYSCALL_PORTING_CHECKLIST.md"]
    assert "- [ ] `later`: x86_64 none, aarch64 none" in checklist and "`open`" not in checklist
    assert documents.render(made(one="SKIP")) == pages


def test_rows_of_reasons_are_checked() -> None:
    for text in ("one | two", "one | - | ", "one | - | a\none | - | b"):
        with pytest.raises(ValueError, match="parity.tbl"):
            facts.parse_reasons(text)


def test_symbols_of_a_map() -> None:
    assert image.symbols(MAP) == {
        "sys_read": "kernel/syscall/sys_file.c",
        "syscall_entry": "kernel/arch/x86_64/entry/syscall.S",
    }


def test_declarations_of_a_header() -> None:
    header = "/* int no(void); */\nint yes(int a,\n\tint b);\nstatic inline int inl(void);\n__noreturn void end(void);\n"
    assert image.declared(header + "#define x(a) y(a);\nextern int data;\n") == ["yes", "end"]


def test_numbers_with_two_names() -> None:
    macros = "#define __NR_fcntl __NR3264_fcntl\n#define __NR3264_fcntl 25\n#define __NR_read 63\n#define __NR_x y\n"
    assert abi.numbers(macros) == {"fcntl": 25, "read": 63}


SOURCE = """
/* int commented(uptr_t a)
{
	get_user_u8(&x, a);
} */
static long direct(uptr_t addr, int n)
{
	u8 v;
	if (n)
		return get_user_u8(&v, addr);
	return *(const u8 *)addr;
}

int plain(char *p)
{
	return *(u8 *)p;
}
"""


def test_user_addresses_in_a_source() -> None:
    assert userptr.uses("a.c", SOURCE) == [userptr.Use("a.c", "direct", ("get_user_u8",))]
    assert userptr.casts("a.c", SOURCE) == [userptr.Cast("a.c", "direct", "addr")]


def test_primitives_and_their_checks() -> None:
    text = "int clear_user(uptr_t a)\n{\n\treturn zero(a);\n}\nint copy_to_user(uptr_t a)\n{\n\treturn user_range_ok(a);\n}\n"
    assert userptr.checked_by(text) == {"clear_user": "", "copy_to_user": "user_range_ok"}
