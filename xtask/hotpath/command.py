"""`xtask hotpath`: the gate on what the built kernel's hot paths do. See docs/guide/hotpath.md."""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from .. import exitcodes, options as common
from ..build import Build, BuildError
from ..guest.rundir import ROOT
from . import baseline, report
from .check import Checker, EntryResult, Finding
from .graph import Graph
from .image import Image, ImageError
from .isa import PORTS
from .measure import Count, measure
from .policy import HotPolicy, PolicyError, load
from .waivers import waived

UPDATABLE = ("growth", "symbol", "baseline")  # what a new baseline would settle


def parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="xtask hotpath", description=__doc__)
    parser.add_argument("--arch", default="x86_64", choices=sorted(PORTS), help="port (x86_64)")
    parser.add_argument("--build-dir", "--build", type=Path, metavar="DIR", help="as make's O=")
    parser.add_argument("--no-build", action="store_true", help="take what is there")
    parser.add_argument("--policy", type=Path, default=ROOT / "policy.toml", metavar="FILE")
    parser.add_argument("--baseline", type=Path, metavar="FILE", help="(policy/hotpath-ARCH.json)")
    parser.add_argument("--update-baseline", action="store_true", help="what is measured now becomes the baseline")
    parser.add_argument("--static", action="store_true", help="call graph and stacks alone: nothing is run")
    parser.add_argument("--runs", type=int, default=2, metavar="N", help="counted runs, which must agree (2)")
    parser.add_argument("--json", action="store_true", help="the result as JSON on stdout")
    return parser.parse_args(argv)


@dataclass
class Outcome:
    policy: HotPolicy
    results: list[EntryResult]
    counts: dict[str, Count]
    findings: list[tuple[Finding, str | None]]
    delta: list[str]
    seconds: float = 0.0
    updated: bool = False
    notes: list[str] = field(default_factory=list)

    @property
    def failures(self) -> list[Finding]:
        return [finding for finding, waiver in self.findings if waiver is None]


def make_build(options: argparse.Namespace) -> tuple[Build, Path]:
    build = Build(options.arch, "release", options.build_dir)
    load_program = build.user("hotload")
    if not options.no_build:
        targets = ["kernel"] if options.static else ["kernel", "user", str(load_program)]
        build.make(targets)
    build.require(build.kernel, build.directory / "cairn.map")
    if not options.static:
        build.require(load_program)
    return build, load_program


def examine(options: argparse.Namespace) -> Outcome:
    policy = load(options.policy, options.arch)
    build, program = make_build(options)
    started = time.monotonic()
    image = Image.load(build.kernel, build.directory / "cairn.map")
    graph = Graph(image, PORTS[options.arch](), ROOT)
    checker = Checker(graph, policy)
    results = checker.run()
    counts = {} if options.static else measure(policy, graph, checker, build.directory, program, options.runs)
    path = options.baseline or baseline.path_for(ROOT, options.arch)
    new = baseline.make(graph, policy, results, counts, image.compiler)
    delta = against_baseline(options, checker, path, new, policy)
    findings = [(f, waived(ROOT, f.kind, f.subject)) for f in checker.findings]
    outcome = Outcome(policy, results, counts, findings, delta, time.monotonic() - started)
    if options.update_baseline:
        update(outcome, path, new)
    return outcome


def against_baseline(
    options: argparse.Namespace, checker: Checker, path: Path, new: baseline.Record, policy: HotPolicy
) -> list[str]:
    old = baseline.read(path)
    if old is None:
        checker.report("baseline", policy.arch, f"there is no baseline {path}")
        return []
    return baseline.compare(checker, old, new, policy.growth_percent, not options.static)


def update(outcome: Outcome, path: Path, new: baseline.Record) -> None:
    """Only a good state becomes the baseline."""
    others = [f for f in outcome.failures if f.kind not in UPDATABLE]
    if others:
        outcome.notes.append(f"the baseline is as it was: {len(others)} findings that a new one would not settle")
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(baseline.text(new))
    outcome.notes.append(f"wrote {path}")
    outcome.findings = [(f, w) for f, w in outcome.findings if w or f.kind not in UPDATABLE]


def print_text(options: argparse.Namespace, outcome: Outcome, sources: report.Sources) -> None:
    for finding, waiver in outcome.findings:
        print(report.finding_text(sources, finding, waiver))
    print(report.figures(outcome.policy, outcome.results, outcome.counts))
    if options.static:
        print("instructions: not counted (--static)")
    for line in outcome.delta:
        print(f"delta {line}")
    for note in outcome.notes:
        print(note, file=sys.stderr)
    failed = len(outcome.failures)
    verdict = f"{failed} findings" if failed else "ok"
    print(f"hotpath {outcome.policy.arch}: {verdict} ({outcome.seconds:.1f} s)")


def print_json(outcome: Outcome, sources: report.Sources) -> None:
    measures = {m.name: m.budget for m in outcome.policy.measures}
    record = {
        "arch": outcome.policy.arch,
        "ok": not outcome.failures,
        "seconds": round(outcome.seconds, 2),
        "entries": [vars(r) | {"deepest": [s.function.name for s in r.deepest]} for r in outcome.results],
        "measures": {name: asdict(c) | {"budget": measures[name]} for name, c in outcome.counts.items()},
        "findings": [report.as_json(sources, f, w) for f, w in outcome.findings],
        "delta": outcome.delta,
    }
    print(json.dumps(record, indent=1))


def run(options: argparse.Namespace) -> int:
    try:
        if options.runs < 2:
            raise PolicyError("--runs: at least 2, or nothing shows that they agree")
        if options.update_baseline and options.static:
            raise PolicyError("--update-baseline needs the counts: leave out --static")
        outcome = examine(options)
    except PolicyError as error:
        print(f"xtask hotpath: {error}", file=sys.stderr)
        return exitcodes.USAGE
    except (ImageError, baseline.BaselineError) as error:
        raise BuildError(str(error)) from None
    elf = Build(options.arch, "release", options.build_dir).kernel
    sources = report.Sources(elf, options.arch)
    if options.json:
        print_json(outcome, sources)
    else:
        print_text(options, outcome, sources)
    return exitcodes.FAILED if outcome.failures else exitcodes.OK


def main(argv: list[str]) -> int:
    options = parse(argv)
    return common.guarded("xtask hotpath", lambda: run(options))
