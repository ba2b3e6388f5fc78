"""A print planted in each way the hot path could reach one: each is red, with the path printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from .mini import Mini


@pytest.fixture
def mini(tmp_path: Path) -> Mini:
    return Mini(tmp_path)


def test_clean_kernel_is_green(mini: Mini) -> None:
    verdict = mini.check()
    assert verdict.kinds() == []
    assert verdict.results[0].functions == ["entry", "hot", "step_one", "step_two"]


def test_three_calls_below(mini: Mini) -> None:
    mini.change("kernel/core/steps.c", "sink = n;", 'sink = n; klog("planted");')
    verdict = mini.check()
    finding = verdict.only("reach")
    assert finding.subject == "entry -> klog" and "it prints, slowly" in finding.text
    assert verdict.path(finding) == [
        "entry kernel/arch/mini/entry.S:7",
        "hot kernel/entry/hot.c:2",
        "step_one kernel/core/steps.c:5",
        "step_two kernel/core/steps.c:4",
        "klog kernel/debug/klog.c:3",
    ]


def test_inline_function_of_a_header(mini: Mini) -> None:
    inline = '\nstatic inline __attribute__((always_inline)) void tiny(int n) { if (n > 7) klog("planted"); }\n'
    mini.sources["kernel/include/mini.h"] += inline
    mini.change("kernel/core/steps.c", "sink = n;", "sink = n; tiny(n);")
    verdict = mini.check()
    path = verdict.path(verdict.only("reach"))
    assert path[3:] == [
        "step_two kernel/core/steps.c:4",
        "tiny (inlined) kernel/include/mini.h:7",
        "klog kernel/debug/klog.c:3",
    ]


@pytest.mark.parametrize("how", ["define", "macro", "include"])
def test_macro_flag_and_forced_include(mini: Mini, how: str) -> None:
    """Nothing in the protected file changes: a -D, a header's macro, an -include."""
    if how == "define":
        mini.flags["kernel/entry/hot.c"] = ["-Dstep_one=sly_step"]
        mini.sources["kernel/net/sly.c"] = (
            '#include "mini.h"\nvoid sly_step(int n);\nvoid sly_step(int n) { klog("planted"); step_one(n); }\n'
        )
    elif how == "macro":
        mini.sources["kernel/include/mini.h"] += '\n#define step_one(n) (klog("planted"), (step_one)(n))\n'
        mini.change("kernel/core/steps.c", "void step_one(int n)", "void (step_one)(int n)")
    else:
        mini.sources["kernel/include/sly.h"] = (
            'void klog(const char *);\nstatic inline void sly(void) { klog("planted"); }\n'
            "#define hot(n) hot(n)\n"
        )
        mini.sources["kernel/include/sly.h"] += "#define step_one(n) (sly(), (step_one)(n))\n"
        mini.flags["kernel/entry/hot.c"] = ["-include", "kernel/include/sly.h"]
        mini.change("kernel/entry/hot.c", '#include "mini.h"\n', "extern void (step_one)(int);\n")
    names = [step.function.name for step in mini.check().only("reach").path]
    assert names == ["entry", "hot", *(["sly_step"] if how == "define" else []), "klog"]


POINTER = """
static noinline void printer(int n) { klog("planted"); }
void (*volatile hook)(int) = printer;
"""


def plant_pointer(mini: Mini) -> None:
    mini.change("kernel/core/steps.c", "static noinline void step_two", POINTER + "static noinline void step_two")
    mini.change("kernel/core/steps.c", "/* one */", "hook(n);")


def test_undeclared_pointer(mini: Mini) -> None:
    plant_pointer(mini)
    verdict = mini.check()
    finding = verdict.only("pointer")
    assert finding.subject == "entry -> pointer in step_one"
    assert verdict.path(finding)[-1] == "step_one kernel/core/steps.c:8"


def test_declared_pointer_is_followed(mini: Mini) -> None:
    plant_pointer(mini)
    mini.policy += '[[hotpath.pointers]]\nfrom = "step_one"\ntargets = ["printer"]\nwhy = "the hook of this test"\n'
    verdict = mini.check()
    finding = verdict.only("reach")
    assert [s.function.name for s in finding.path] == ["entry", "hot", "step_one", "printer", "klog"]


def test_one_more_pointer_than_declared(mini: Mini) -> None:
    mini.sources["kernel/core/steps.c"] += "\nvoid fine(int n) { sink = n; }\nvoid (*volatile good)(int) = fine;\n"
    mini.change("kernel/core/steps.c", "volatile int sink;", "volatile int sink; extern void (*volatile good)(int);")
    plant_pointer(mini)
    mini.change("kernel/core/steps.c", "hook(n);", "good(n); hook(n);")
    mini.policy += '[[hotpath.pointers]]\nfrom = "step_one"\ntargets = ["fine"]\nwhy = "the hook of this test"\n'
    assert "2 calls through pointers, 1 are declared" in mini.check().only("pointer").text


def test_registered_function_that_is_not_declared(mini: Mini) -> None:
    mini.change(
        "kernel/core/steps.c",
        "volatile int sink;",
        "volatile int sink; static void (*hook)(int); noinline void add(int n, void (*f)(int)) { hook = f; }",
    )
    mini.change("kernel/core/steps.c", "/* one */", "hook(n);")
    mini.sources["kernel/dev/new.c"] = """
#include "mini.h"
void add(int n, void (*f)(int));
static void fine(int n) { (void)n; }
static void printer(int n) { klog("planted"); }
void start(int n) { add(1, fine); add(2, printer); }
"""
    mini.policy += (
        '[[hotpath.pointers]]\nfrom = "step_one"\ntargets = ["fine"]\nregistrar = "add"\nargument = 1\n'
        'why = "the hook of this test"\n'
    )
    assert mini.check().only("pointer").subject == "step_one -> printer"


ASM = """
	.text
	.globl detour
	.type detour, @function
detour:
	xorl %edi, %edi
	jmp klog
	.size detour, . - detour
	.section .note.GNU-stack, "", @progbits
"""


def test_tail_call_in_assembly(mini: Mini) -> None:
    mini.sources["kernel/arch/mini/detour.S"] = ASM
    mini.change("kernel/arch/mini/entry.S", "popq %rdi", "call detour\n\tpopq %rdi")
    verdict = mini.check()
    assert verdict.path(verdict.only("reach")) == [
        "entry kernel/arch/mini/entry.S:8",
        "detour kernel/arch/mini/detour.S:7",
        "klog kernel/debug/klog.c:3",
    ]


@pytest.mark.parametrize("jump", ["jz klog", "call *table(, %rdi, 8)", "jmp *table(, %rdi, 8)", "jmp *%rax"])
def test_other_jumps_in_assembly(mini: Mini, jump: str) -> None:
    table = "\n\t.section .rodata\ntable:\n\t.quad klog\n\t.size table, . - table\n"
    mini.sources["kernel/arch/mini/detour.S"] = ASM.replace("jmp klog", f"{jump}\n\tret") + table
    mini.change("kernel/arch/mini/entry.S", "popq %rdi", "call detour\n\tpopq %rdi")
    mini.check().only("pointer" if "*" in jump else "reach")


def test_code_behind_a_label_without_a_symbol(mini: Mini) -> None:
    mini.sources["kernel/arch/mini/detour.S"] = ASM + ".Lhidden:\n\tcall klog\n\tret\n"
    mini.change("kernel/arch/mini/detour.S", "jmp klog", "jmp .Lhidden")
    mini.change("kernel/arch/mini/detour.S", '\t.section .note.GNU-stack, "", @progbits\n', "")
    mini.change("kernel/arch/mini/entry.S", "popq %rdi", "call detour\n\tpopq %rdi")
    assert [s.function.name for s in mini.check().only("reach").path] == ["entry", "detour", "detour+0x4", "klog"]


def test_return_to_a_pushed_address(mini: Mini) -> None:
    mini.sources["kernel/arch/mini/detour.S"] = ASM.replace("jmp klog", "pushq $klog\n\tret")
    mini.change("kernel/arch/mini/entry.S", "popq %rdi", "call detour\n\tpopq %rdi")
    assert "8 bytes of its own on the stack" in mini.check().only("unbounded").text


def test_table_of_functions_in_assembly_is_followed(mini: Mini) -> None:
    table = "\n\t.section .rodata\n\t.type table, @object\ntable:\n\t.quad step_one, klog\n\t.size table, . - table\n"
    mini.sources["kernel/arch/mini/detour.S"] = ASM.replace("jmp klog", "jmp *table(, %rdi, 8)") + table
    mini.change("kernel/arch/mini/entry.S", "popq %rdi", "call detour\n\tpopq %rdi")
    mini.policy += '[[hotpath.pointers]]\nfrom = "detour"\ntable = "table"\nwhy = "the table of this test"\n'
    finding = mini.check().only("reach")
    assert [s.function.name for s in finding.path] == ["entry", "detour", "klog"]


def test_tail_call_hidden_in_c(mini: Mini) -> None:
    """The compiler does not know what its assembler text does; the disassembly shows it."""
    mini.change("kernel/core/steps.c", "/* two */", 'asm volatile("testl %0, %0; jz klog" : : "r"(n));')
    assert [s.function.name for s in mini.check().only("reach").path][-2:] == ["step_two", "klog"]


def test_sibling_call_optimised(mini: Mini) -> None:
    mini.flags["kernel/entry/hot.c"] = ["-foptimize-sibling-calls"]
    mini.change("kernel/entry/hot.c", "step_one(n);", 'step_one(n); klog("planted");')
    assert [s.function.name for s in mini.check().only("reach").path] == ["entry", "hot", "klog"]


def test_switch_is_no_pointer(mini: Mini) -> None:
    cases = " ".join(f"case {n}: sink = {n * n}; sink += sink * {n}; return;" for n in range(12))
    mini.change("kernel/core/steps.c", "/* two */", f"switch (n) {{ {cases} }}")
    mini.flags["kernel/core/steps.c"] = ["-fno-tree-switch-conversion"]
    verdict = mini.check()
    assert verdict.kinds() == []
    node = verdict.graph.node(verdict.graph.image.find("step_two")[0].start)
    assert node and any(i.kind.value == "jump through a pointer" for i in verdict.graph.instructions(node.function))


def test_hot_function_moved_to_a_file_that_is_not_protected(mini: Mini) -> None:
    body = mini.sources.pop("kernel/entry/hot.c")
    mini.sources["kernel/net/elsewhere.c"] = body.replace("step_one(n);", 'step_one(n); klog("planted");')
    assert [s.function.name for s in mini.check().only("reach").path] == ["entry", "hot", "klog"]


def test_print_under_another_name(mini: Mini) -> None:
    """An alias of what is forbidden is the same code."""
    mini.sources["kernel/debug/klog.c"] += '\nvoid note(const char *) __attribute__((alias("klog")));\n'
    mini.change("kernel/core/steps.c", "/* two */", 'void note(const char *); note("planted");')
    mini.check().only("reach")


def test_weak_function_that_another_file_overrides(mini: Mini) -> None:
    mini.change("kernel/core/steps.c", "/* two */", "void look(int); look(n);")
    mini.sources["kernel/core/look.c"] = "__attribute__((weak)) void look(int n) { (void)n; }\n"
    assert mini.check().kinds() == []
    mini.sources["kernel/net/look.c"] = '#include "mini.h"\nvoid look(int n) { klog("planted"); }\n'
    assert [s.function.name for s in mini.check().only("reach").path][-2:] == ["look", "klog"]


def test_variant_that_the_compiler_made(mini: Mini) -> None:
    """A constant-propagated clone of the forbidden function goes by its source name."""
    mini.sources["kernel/debug/klog.c"] += """
static noinline void write_out(int kind, const char *text) { if (kind == 3) klog(text); log += kind; }
void klog_three(const char *text) { write_out(3, text); write_out(3, text + 1); }
"""
    mini.change("kernel/core/steps.c", "/* two */", 'void klog_three(const char *); klog_three("planted");')
    verdict = mini.check()
    assert any("." in f.name and f.name.startswith("write_out") for f in verdict.graph.image.functions)
    assert verdict.only("reach").path[-1].function.name == "klog_three"
