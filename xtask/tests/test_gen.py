"""Generators: what they make compiles, and mistakes are named with their line."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from xtask import exitcodes, gen
from xtask.gen import argtypes, stages, symbols, syscalls
from xtask.gen.table import TableError
from xtask.guest.rundir import ROOT

GOOD = "a | boot | t | s | all | 10 | m | w"


def stage_mistakes(*rows: str) -> str:
    with pytest.raises(TableError) as caught:
        stages.parse("\n".join(rows), "f.tbl", "x86_64")
    return str(caught.value)


@pytest.mark.parametrize(
    "row,named",
    [
        ("a | boot | t | s | all | 10 | m", "f.tbl:2: 7 fields"),
        ("a | boot | t | s | all | 10 | m | w | x", "f.tbl:2: 9 fields"),
        ("a | boot | t | s | all | ten | m | w", "deadline 'ten'"),
        ("a | boot | t | s | all | 0 | m | w", "outside 1.."),
        ("a | boot | t | s | all | 99999999 | m | w", "outside 1.."),
        ("a | late | t | s | all | 10 | m | w", "unknown phase 'late'"),
        ("a | boot | t | s | riscv | 10 | m | w", "unknown port 'riscv'"),
        ("a | boot | t | s | all | 10 |  | w", "field 'meaning' is empty"),
        ("a | boot | t | s | all | 10 | m | ", "field 'where' is empty"),
        ("A-b | boot | t | s | all | 10 | m | w", "not a lower-case C identifier"),
        ("a | boot | t\u00e9 | s | all | 10 | m | w", "not printable ASCII"),
    ],
)
def test_stage_mistakes(row: str, named: str) -> None:
    assert named in stage_mistakes("# comment", row)


def test_stage_order_and_duplicates() -> None:
    assert "f.tbl:2: stage 'a' is already in line 1" in stage_mistakes(GOOD, GOOD)
    late = GOOD.replace("boot", "mm")
    assert "phase 'boot' after phase 'mm'" in stage_mistakes(late, GOOD.replace("a |", "b |", 1))
    assert "no stages for x86_64" in stage_mistakes(GOOD.replace("all", "aarch64"))


def test_all_mistakes_at_once() -> None:
    text = stage_mistakes(GOOD, GOOD, "x | late | t | s | all | no | m | w")
    assert len(text.splitlines()) == 3


def test_ports_number_separately() -> None:
    rows = [GOOD, GOOD.replace("a |", "b |", 1).replace("all", "aarch64, vkernel"), GOOD.replace("a |", "c |", 1)]
    text = "\n".join(rows)
    assert [(s.n, s.id) for s in stages.parse(text, "f", "x86_64")] == [(1, "a"), (2, "c")]
    assert [(s.n, s.id) for s in stages.parse(text, "f", "vkernel")] == [(1, "a"), (2, "b"), (3, "c")]


def test_hash_sees_every_field() -> None:
    base = stages.table_hash(stages.parse(GOOD, "f", "x86_64"))
    for other in (GOOD.replace("10", "11"), GOOD.replace("| m", "| n"), GOOD.replace("boot", "mm")):
        assert stages.table_hash(stages.parse(other, "f", "x86_64")) != base
    assert stages.table_hash(stages.parse("# x\n" + GOOD.replace(" ", "  "), "f", "x86_64")) == base


def compiles(tmp_path: Path, source: str) -> None:
    path = tmp_path / "t.c"
    path.write_text(source)
    include = ["-I", str(tmp_path)]
    subprocess.run(["gcc", "-std=gnu11", "-Wall", "-Werror", *include, "-c", str(path), "-o", "/dev/null"], check=True)


def test_stages_header_compiles(tmp_path: Path) -> None:
    tricky = GOOD.replace("| t |", '| a "quoted" \\ title |')
    (tmp_path / "stages_gen.h").write_text(stages.generate(tricky, "f", "x86_64"))
    compiles(
        tmp_path,
        "enum { PHASE_BOOT };\n"
        '#include "stages_gen.h"\n'
        "#define ROW(n, id, phase, title, sub, ms, user) { n, phase, ms, user, #id, title, sub },\n"
        "struct { int n, phase, ms, user; const char *id, *title, *sub; } rows[STAGE_COUNT] = { STAGES(ROW) };\n"
        "const char *hash = STAGE_TABLE_HASH;\n",
    )


def syscall_mistakes(*rows: str) -> str:
    with pytest.raises(TableError) as caught:
        syscalls.parse("\n".join(rows), "s.tbl")
    return str(caught.value)


@pytest.mark.parametrize(
    "row,named",
    [
        ("0 63 read full - x", "s.tbl:1: not a row"),
        ("x 63 read(fd fd) full - x", "'x' is not a system-call number"),
        ("0 9999 read(fd fd) full - x", "'9999' is not a system-call number"),
        ("0 63 read(file fd) full - x", "unknown argument type 'file'"),
        ("0 63 read(flags fd) full - x", "unknown argument type 'flags'"),
        ("0 63 read(int fd, int fd) full - x", "is there twice"),
        ("0 63 read(int) full - x", "is not TYPE NAME"),
        ("0 63 read(int a,int b,int c,int d,int e,int f,int g) full - x", "7 arguments"),
        ("0 63 read(fd fd) most - x", "coverage 'most'"),
    ],
)
def test_syscall_mistakes(row: str, named: str) -> None:
    assert named in syscall_mistakes(row)


def test_syscall_duplicates() -> None:
    text = syscall_mistakes("0 63 read() full - x", "0 63 read() full - x")
    assert "x86_64 number 0" in text and "generic number 63" in text and "name read" in text


def test_syscalls_header(tmp_path: Path) -> None:
    rows = "0 63 read(fd fd, buf_out buf, size count) full - r\n57 - fork() stub - -\n5 80 gone(flags:OPEN f) none - -\n"
    text = syscalls.generate(rows, "s", "x86_64")
    assert "long sys_read(int fd, uptr_t buf, size_t count);" in text
    assert "long sys_fork(void);" in text and "sys_gone" not in text
    assert 'X(5, "gone")' in text and "X(5, gone" not in text
    generic = syscalls.generate(rows, "s", "aarch64")
    assert "X(63, read, 3)" in generic and "X(57, " not in generic
    (tmp_path / "syscall_limit.h").write_text(syscalls.generate_beside(rows, "s", "x86_64")["syscall_limit.h"])
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "types.h").write_text("#include <stddef.h>\ntypedef unsigned long uptr_t;\n")
    (tmp_path / "syscalls_gen.h").write_text(text)
    compiles(
        tmp_path,
        '#include "syscalls_gen.h"\n'
        "typedef long (*fn)(void);\n"
        "#define ROW(nr, name, nargs) [nr] = (fn)(void *)sys_##name,\n"
        "fn table[SYSCALL_TABLE_SIZE] = { SYSCALLS(ROW) };\n"
        "#define NAME(nr, name) [nr] = name,\n"
        "const char *names[SYSCALL_MAX + 1] = { SYSCALL_NAMES(NAME) };\n",
    )


def test_argument_types() -> None:
    assert argtypes.lookup("flags:OPEN") is not None
    assert argtypes.lookup("flags:") is None and argtypes.lookup("fd:X") is None
    found = argtypes.lookup("path")
    assert found is not None and found.is_pointer and found.c_type == "uptr_t"


NM = """
                 U undefined
0000000000000010 d data
ffffffff80000020 t second
ffffffff80000010 T first
ffffffff80000010 t first_local
ffffffff80000030 W weak.part.0
"""


def test_symbols() -> None:
    assert symbols.parse(NM, "nm") == [
        (0xFFFFFFFF80000010, "first"),
        (0xFFFFFFFF80000020, "second"),
        (0xFFFFFFFF80000030, "weak.part.0"),
    ]
    with pytest.raises(TableError):
        symbols.parse("garbage here\n", "nm")


def test_symbols_assemble(tmp_path: Path) -> None:
    for text in (NM, ""):
        source = tmp_path / "k.S"
        source.write_text(symbols.generate(text, "nm", "x86_64"))
        subprocess.run(["gcc", "-c", str(source), "-o", str(tmp_path / "k.o")], check=True)


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, target = tmp_path / "t", tmp_path / "sub" / "o.h"
    source.write_text(GOOD)
    assert gen.main(["stages", str(source), str(target), "--arch", "x86_64"]) == exitcodes.OK
    assert target.read_text().endswith("\n")
    source.write_text("bad")
    assert gen.main(["stages", str(source), str(tmp_path / "p")]) == exitcodes.USAGE
    assert f"{source}:1:" in capsys.readouterr().err
    assert not (tmp_path / "p").exists()
    assert gen.main(["stages", str(tmp_path / "none"), "o"]) == exitcodes.USAGE
    assert gen.main(["what", "a", "b"]) == exitcodes.USAGE
    assert gen.main(["stages", "a", "b", "--arch", "vax"]) == exitcodes.USAGE


def test_the_projects_own_tables() -> None:
    for kind, path in (("stages", "kernel/init/stages.tbl"), ("syscalls", "kernel/syscall/syscalls.tbl")):
        text = (ROOT / path).read_text()
        module = stages if kind == "stages" else syscalls
        assert module.generate(text, path, "x86_64")


@pytest.mark.parametrize("arch", ["x86_64", "aarch64"])
def test_programs_tests_and_rows_are_the_same(arch: str) -> None:
    """A test without a row would never run; a row without a test is found at each boot."""
    table = ROOT / "kernel/init/stages.tbl"
    rows = {row.id for row in stages.parse(table.read_text(), str(table), arch) if row.phase == "user"}
    sources = [*(ROOT / "userspace/tests").glob("*.c"), *(ROOT / "userspace/tests" / arch).glob("*.c")]
    assert rows == {name for path in sources for name in re.findall(r"^TEST\((\w+),", path.read_text(), re.M)}
