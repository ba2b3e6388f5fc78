"""The layer check on planted violations, and on the house itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from xtask.lint import layers, tidy


@pytest.mark.parametrize(
    "path,text,named",
    [
        ("kernel/mm/a.c", "#include <fs/vfs.h>\n", "mm may not include fs"),
        ("kernel/lib/a.c", "#include <debug/klog.h>\n", "lib may not include debug"),
        ("kernel/include/core/a.h", "#include <sched/thread.h>\n", "core may not include sched"),
        ("kernel/tty/a.c", "#include <net/socket.h>\n", "tty may not include net"),
        ("kernel/fs/a.c", "\n  #  include  <proc/proc.h>\n", "fs may not include proc"),
        ("kernel/fs/a.c", "#include <asm/pte.h>\n", "only arch code"),
        ("kernel/fs/a.c", '#include "../mm/private.h"\n', "private header"),
        ("kernel/fs/a.c", "#include <stdio.h>\n", "headers of the kernel"),
        ("kernel/fs/a.c", "#include <misc/x.h>\n", "no layer 'misc'"),
        ("kernel/arch/x86_64/cpu/a.c", "#include <proc/proc.h>\n", "port may not include proc"),
        ("kernel/fs/a.c", "#ifdef __x86_64__\n", "arch conditional on __x86_64__"),
        ("kernel/fs/a.c", "#if defined(CONFIG_ARCH_ARM64)\n", "arch conditional"),
        ("kernel/include/mm/a.h", "#elif __aarch64__\n", "arch conditional"),
        ("kernel/tests/ktest/a.c", "#ifdef __aarch64__\n", "arch conditional"),
        ("userspace/tests/a.c", "#if defined(__x86_64__)\n", "arch conditional"),
        ("userspace/programs/a.c", "#ifdef SYS_fork\n", "arch conditional on SYS_fork"),
        ("kernel/misc/a.c", "", "wrong room"),
        ("kernel/include/misc/a.h", "", "wrong room"),
        ("kernel/fs/a.S", "", "wrong room"),
        ("kernel/fs/tool.py", "", "wrong room"),
        ("kernel/fs/a.c", "x\n" * 601, "601 lines, at most 600"),
        ("xtask/a.py", "x\n" * 601, "601 lines, at most 600"),
    ],
)
def test_planted_violations_are_found(path: str, text: str, named: str) -> None:
    assert any(named in str(finding) for finding in layers.check_text(path, text))


@pytest.mark.parametrize(
    "path,text",
    [
        ("kernel/mm/a.c", "#include <mm/page.h>\n#include <lib/list.h>\n#include <arch/mmu.h>\n"),
        ("kernel/init/a.c", "#include <syscall/x.h>\n#include <stages_gen.h>\n"),
        ("kernel/arch/x86_64/cpu/a.c", "#include <asm/pte.h>\n#ifdef __x86_64__\n#include <mm/mm.h>\n"),
        ("kernel/include/arch/a.h", "#include <asm/pte.h>\n"),
        ("userspace/tests/aarch64/a.c", "#ifdef __aarch64__\n"),
        ("userspace/tests/a.c", "#include <sys/wait.h>\n#ifndef SS_AUTODISARM\n"),
        ("kernel/tests/ktest/a.c", "#include <proc/proc.h>\n#include <mm/mm.h>\n"),
        ("kernel/fs/a.c", '/* #include <proc/x.h> */\n#include "inode.h"\n#ifdef CONFIG_DEBUG\n'),
        ("kernel/fs/tmpfs/a.c", '#include "../internal.h"\n'),
        ("kernel/fs/a.c", "x\n" * 600),
    ],
)
def test_what_is_right_passes(path: str, text: str) -> None:
    assert layers.check_text(path, text) == []


def test_findings_have_their_line(tmp_path: Path) -> None:
    (tmp_path / "kernel" / "mm").mkdir(parents=True)
    (tmp_path / "kernel" / "mm" / "a.c").write_text("\n#include <fs/vfs.h>\n")
    (finding,) = layers.check(tmp_path, ["kernel/mm/a.c", "kernel/mm/gone.c", "README.md"])
    assert str(finding).startswith("kernel/mm/a.c:2: ")


def test_flags_for_clang() -> None:
    words = tidy.compile_flags(
        "gcc -nostdinc -isystem /gcc/include -Ik -DVARIANT='\"release\"' -MMD -O2 -fno-allow-store-data-races -nostdlib -z x"
    )
    assert words[:4] == ["clang", "-Ik", '-DVARIANT="release"', "-O2"]
    assert "-isystem" not in words and "-nostdlib" not in words


def test_headers_of_a_rule() -> None:
    assert tidy.headers_of("a.o: a.c b.h \\\n c.h\n\nb.h:\n") == ["a.c", "b.h", "c.h"]
