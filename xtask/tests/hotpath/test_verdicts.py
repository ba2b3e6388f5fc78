"""Stacks, recursion, declarations, and the baseline's comparison."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest

from ...guest.launch import InfraError
from ...hotpath import baseline, measure
from ...hotpath.image import ImageError
from ...hotpath.measure import Count
from .mini import Mini, Verdict

COUNTS = {"entry": Count(5, 10, 11, 12)}


@pytest.fixture
def mini(tmp_path: Path) -> Mini:
    return Mini(tmp_path)


# --- stacks --------------------------------------------------------------------------------------


def test_stack_is_frames_calls_and_pushes(mini: Mini) -> None:
    plain = mini.check().results[0].stack
    mini.change("kernel/core/steps.c", "/* two */", 'char room[104]; asm volatile("" : : "r"(room) : "memory");')
    assert mini.check().results[0].stack - plain in range(104, 144)


def test_assembly_counts(mini: Mini) -> None:
    plain = mini.check().results[0].stack
    mini.change("kernel/arch/mini/entry.S", "call hot", "pushq %rax\n\tsubq $64, %rsp\n\tcall hot\n\taddq $72, %rsp")
    assert mini.check().results[0].stack == plain + 72


def test_new_stack_begins_anew(mini: Mini) -> None:
    plain = mini.check().results[0].stack
    mini.change("kernel/arch/mini/entry.S", "pushq %rdi", "subq $4096, %rsp\n\tmovq %gs:8, %rsp\n\tpushq %rdi")
    assert mini.check().results[0].stack == max(plain, 4096)


def test_too_deep(mini: Mini) -> None:
    mini.change("kernel/core/steps.c", "/* two */", 'char room[400]; asm volatile("" : : "r"(room) : "memory");')
    verdict = mini.check()
    finding = verdict.only("stack")
    assert finding.subject == f"entry.stack +{verdict.results[0].stack - 256}"
    assert [s.function.name for s in finding.path] == ["entry", "hot", "step_one", "step_two"]


def test_unbounded_frame(mini: Mini) -> None:
    mini.change("kernel/core/steps.c", "/* two */", 'char room[n]; asm volatile("" : : "r"(room) : "memory");')
    assert "no bound" in mini.check().only("unbounded").text


def test_stack_that_grows_in_a_loop(mini: Mini) -> None:
    mini.change("kernel/arch/mini/entry.S", "call hot", "call hot\n1:\tpushq %rax\n\tdecq %rdi\n\tjnz 1b")
    assert any(f.kind == "unbounded" and "grows in a loop" in f.text for f in mini.check().findings)


def plant_recursion(mini: Mini) -> None:
    mini.change("kernel/core/steps.c", "/* two */", "if (n) step_one(n - 1);")


def test_recursion(mini: Mini) -> None:
    plant_recursion(mini)
    assert "from below itself" in mini.check().only("recursion").text


def test_bounded_recursion_costs_its_depth(mini: Mini) -> None:
    plain = mini.check().results[0].stack
    plant_recursion(mini)
    row = '[[hotpath.repeats]]\nfrom = ["step_two"]\nto = ["step_one"]\ntimes = {}\nwhy = "n is that at most"\n'
    text = mini.policy
    mini.policy = text + row.format(1)
    once = mini.check()
    mini.policy = text + row.format(3)
    thrice = mini.check()
    assert once.kinds() == thrice.kinds() == []
    round_trip = (thrice.results[0].stack - once.results[0].stack) // 2
    assert round_trip >= 16 and once.results[0].stack >= plain + round_trip


# --- declarations --------------------------------------------------------------------------------


def test_leaving_is_declared_per_caller(mini: Mini) -> None:
    mini.change("kernel/core/steps.c", "/* two */", "cold(n);")
    mini.change("kernel/core/steps.c", "volatile int sink;", "volatile int sink; noinline void cold(int n);")
    row = '[[hotpath.leaves]]\nfrom = ["{}"]\nto = ["cold"]\nwhy = "a slow path of this test"\n'
    text = mini.policy
    mini.policy = text + row.format("step_two")
    assert mini.check().kinds() == []
    mini.policy = text + row.format("step_one")
    assert sorted(mini.check().kinds()) == ["reach", "stale"]


def test_permitted_callee_is_followed(mini: Mini) -> None:
    mini.change("kernel/core/steps.c", "/* two */", 'klog("allowed");')
    mini.policy += '[[hotpath.permits]]\nfrom = ["step_two"]\nto = ["klog"]\nwhy = "allowed in this test"\n'
    verdict = mini.check()
    assert verdict.kinds() == [] and "klog" in verdict.results[0].functions


def test_end_of_the_machine(mini: Mini) -> None:
    mini.change("kernel/core/steps.c", "/* two */", "if (n == 77) cold(n);")
    mini.change("kernel/core/steps.c", "volatile int sink;", "volatile int sink; noinline void cold(int n);")
    mini.policy += '[[hotpath.ends]]\nsymbols = ["cold"]\nwhy = "nothing comes back from it"\n'
    assert mini.check().kinds() == []


@pytest.mark.parametrize(
    "row",
    [
        '[[hotpath.ends]]\nsymbols = ["gone"]\nwhy = "a name that is not there"\n',
        '[[hotpath.leaves]]\nfrom = ["gone"]\nto = ["hot"]\nwhy = "a name that is not there"\n',
        '[[hotpath.pointers]]\nfrom = "gone"\ntargets = ["hot"]\nwhy = "a name that is not there"\n',
        '[hotpath.forbidden.sleep]\nsymbols = ["gone"]\nwhy = "a name that is not there"\n',
        '[hotpath.forbidden.sleep]\nfiles = ["kernel/gone.c"]\nwhy = "a file that is not there"\n',
        '[[hotpath.entry]]\nname = "two"\nroots = ["gone"]\nstack = 9\nwhy = "a name that is not there"\n',
    ],
)
def test_what_is_named_must_exist(mini: Mini, row: str) -> None:
    mini.policy += row
    assert "missing" in mini.check().kinds()


def test_entry_inside_a_table_of_vectors(mini: Mini) -> None:
    vectors = "\t.balign 128\nvectors:\n\tjmp 1f\n\t.balign 128\n\tcall klog\n\tiretq\n1:\tiretq\n\t.size vectors, . - vectors\n"
    mini.change("kernel/arch/mini/entry.S", "\t.section .note", f"\t.type vectors, @function\n{vectors}\t.section .note")
    text = mini.policy
    mini.policy = text.replace('roots = ["entry"]', 'roots = ["vectors"]')
    assert mini.check().kinds() == []
    mini.policy = text.replace('roots = ["entry"]', 'roots = ["vectors+0x80"]')
    assert [s.function.name for s in mini.check().only("reach").path] == ["vectors", "klog"]
    for wrong in ("vectors+0x4000", "vectors+x"):
        mini.policy = text.replace('roots = ["entry"]', f'roots = ["{wrong}"]')
        mini.check().only("missing")


def test_declaration_nobody_needs(mini: Mini) -> None:
    mini.policy += '[[hotpath.permits]]\nfrom = ["step_two"]\nto = ["klog"]\nwhy = "nobody calls it now"\n'
    mini.check().only("stale")


def test_without_the_compilers_call_graph(mini: Mini) -> None:
    mini.build()
    (mini.directory / "build/kernel/entry/hot.c.ci").unlink()
    graph, _ = mini.load()
    with pytest.raises(ImageError, match="callgraph-info"):
        graph.node(graph.image.find("hot")[0].start)


# --- counts --------------------------------------------------------------------------------------


def judged(verdict: Verdict, *counts: Count, budget: int = 100) -> list[str]:
    from ...hotpath.policy import Measure

    verdict.checker.findings.clear()
    measure.judge(verdict.checker, Measure("m", ("a",), (), ("b",), budget, 3, "for this test"), list(counts))
    return [f"{f.kind} {f.subject}" for f in verdict.findings]


def test_counts_are_judged(mini: Mini) -> None:
    verdict = mini.check()
    good = Count(3, 90, 95, 200)
    assert judged(verdict, good, good) == []
    assert judged(verdict, good, Count(3, 90, 96, 200)) == ["unsteady m"]
    assert judged(verdict, Count(0, 0, 0, 0), Count(0, 0, 0, 0)) == ["unmeasured m"]
    assert judged(verdict, Count(2, 1, 1, 1), Count(2, 1, 1, 1)) == ["unmeasured m"]
    assert judged(verdict, good, good, budget=94) == ["budget m +1"]


def test_places_are_functions_and_instructions(mini: Mini) -> None:
    verdict = mini.check()
    start = verdict.graph.image.find("entry")[0].start
    (each,) = verdict.policy.measures
    text = measure.span(verdict.graph, verdict.checker, each)
    assert text and text.startswith(f"span={start:x}-") and verdict.kinds() == []
    assert measure.places(verdict.graph, verdict.checker, ("entry:sysret",), "here") == []
    assert measure.places(verdict.graph, verdict.checker, ("gone",), "here") == []
    assert verdict.kinds() == ["missing", "missing"]


def test_plugins_output() -> None:
    assert measure.parse_counts("3 1 2 9\n0 0 0 0\n", 2) == [Count(3, 1, 2, 9), Count(0, 0, 0, 0)]
    for text in ("", "3 1 2\n4 4 4 4\n", "3 1 2 x\n4 4 4 4\n", "1 1 1 1\n"):
        with pytest.raises(InfraError):
            measure.parse_counts(text, 2)


# --- baseline ------------------------------------------------------------------------------------


def record(verdict: Verdict) -> baseline.Record:
    return baseline.make(verdict.graph, verdict.policy, verdict.results, COUNTS, "gcc 1")


def compared(verdict: Verdict, old: baseline.Record, new: baseline.Record) -> tuple[list[str], list[str]]:
    verdict.checker.findings.clear()
    lines = baseline.compare(verdict.checker, old, new, 3, True)
    return [f"{f.kind} {f.subject}" for f in verdict.findings], lines


def test_same_as_the_baseline(mini: Mini, tmp_path: Path) -> None:
    verdict = mini.check()
    old = record(verdict)
    path = tmp_path / "baseline.json"
    path.write_text(baseline.text(old))
    assert compared(verdict, baseline.read(path) or {}, record(verdict)) == ([], [])
    assert set(old["symbols"]) == {"entry", "hot"}
    assert old["symbols"]["hot"]["source"] == "kernel/entry/hot.c"


def test_growth(mini: Mini) -> None:
    verdict = mini.check()
    old, new = record(verdict), record(verdict)
    new["measures"] = {"entry": {"hits": 5, "least": 10, "median": 12, "most": 13}}
    new["entries"]["entry"] = copy.deepcopy(new["entries"]["entry"]) | {"stack": old["entries"]["entry"]["stack"] + 1}
    found, lines = compared(verdict, old, new)
    assert found == ["growth entry +1"] or found == ["growth entry.stack +1", "growth entry +1"]
    assert any(line.startswith("entry: 11 -> 12 instructions (+9.1 %)") for line in lines)


def test_measure_that_vanished_or_is_new(mini: Mini) -> None:
    verdict = mini.check()
    old, new = record(verdict), record(verdict)
    new["measures"] = {"other": dict(old["measures"]["entry"])}
    assert compared(verdict, old, new)[0] == ["unmeasured entry", "baseline other"]


def test_symbol_that_moved(mini: Mini) -> None:
    old = record(mini.check())
    mini.sources["kernel/net/elsewhere.c"] = mini.sources.pop("kernel/entry/hot.c")
    verdict = mini.check()
    found, _ = compared(verdict, old, record(verdict))
    assert found == ["symbol hot"]


def test_symbol_that_became_weak_or_an_alias(mini: Mini) -> None:
    old = record(mini.check())
    mini.change("kernel/entry/hot.c", "void hot", "__attribute__((weak)) void hot")
    verdict = mini.check()
    compared(verdict, old, record(verdict))
    assert "bind global -> weak" in verdict.only("symbol").text
    mini.change("kernel/entry/hot.c", "__attribute__((weak)) void hot", "void warm")
    mini.sources["kernel/entry/hot.c"] += 'void hot(int n) __attribute__((alias("warm")));\n'
    verdict = mini.check()
    compared(verdict, old, record(verdict))
    assert "aliases [] -> ['warm']" in verdict.only("symbol").text


def test_new_functions_are_in_the_delta(mini: Mini) -> None:
    old = record(mini.check())
    mini.change("kernel/core/steps.c", "/* two */", "void extra(int); extra(n);")
    mini.sources["kernel/net/extra.c"] = "void extra(int n) { (void)n; }\n"
    verdict = mini.check()
    assert "entry: + extra" in compared(verdict, old, record(verdict))[1]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"entries": {}, "measures": [], "symbols": {}}'])
def test_broken_baseline(tmp_path: Path, text: str) -> None:
    path = tmp_path / "baseline.json"
    path.write_text(text)
    with pytest.raises(baseline.BaselineError):
        baseline.read(path)
    assert baseline.read(tmp_path / "none.json") is None
