"""The parity documents, from the facts by templates. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import jinja2

from ..gen.syscalls import Syscall
from . import judge
from .facts import Facts, Port

TEMPLATES = Path(__file__).parent / "templates"
PLACE = Path("docs/planning")
NAMES = tuple(path.stem for path in sorted(TEMPLATES.glob("*.j2")))


@dataclass(frozen=True)
class CallRow:
    """A system call on both ports."""

    call: Syscall
    state: dict[str, str]  # port → coverage, `missing` (should be there) or `-` (not in this ABI)
    tests: dict[str, str]  # port → PASS, or the first other outcome; `-` without a test

    @property
    def open(self) -> bool:
        return any(state not in ("full", "-") for state in self.state.values()) or not set(self.tests.values()) <= {
            "PASS",
            "-",
        }


def call_state(call: Syscall, port: Port) -> str:
    if call.number(port.name) is None:
        return "-"
    if call.implemented and not judge.served(call, port):
        return "missing"
    return call.coverage


def test_outcome(call: Syscall, port: Port) -> str:
    if call.test == "-" or call.number(port.name) is None:
        return "-"
    outcomes = [port.results.get(stage, "NOT-RUN") for stage in call.test.split(",")]
    return next((outcome for outcome in outcomes if outcome != "PASS"), "PASS")


def call_rows(facts: Facts) -> list[CallRow]:
    return [
        CallRow(
            call,
            {port.name: call_state(call, port) for port in facts.ports},
            {port.name: test_outcome(call, port) for port in facts.ports},
        )
        for call in facts.syscalls
    ]


def subsystems(facts: Facts) -> list[tuple[str, dict[str, Counter[str]]]]:
    """Each subsystem, with the outcomes of its stages on each port."""
    order = list(dict.fromkeys(stage.subsystem for stage in facts.stages))
    return [
        (
            name,
            {
                port.name: Counter(
                    judge.outcome(stage, port) for stage in facts.stages if stage.subsystem == name and judge.on(stage, port)
                )
                for port in facts.ports
            },
        )
        for name in order
    ]


def files_of(port: Port) -> list[tuple[str, int]]:
    """Directories of the port's own code in the image, with how many symbols come from each."""
    own = Counter(str(Path(source).parent) for source in port.symbols.values() if source.startswith("kernel/arch/"))
    return sorted(own.items())


def render(facts: Facts) -> dict[str, str]:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
        autoescape=False,
    )
    rows = call_rows(facts)
    values = {
        "facts": facts,
        "ports": facts.ports,
        "judge": judge,
        "rows": rows,
        "open": [row for row in rows if row.open],
        "subsystems": subsystems(facts),
        "files_of": files_of,
        "coverage": {port.name: Counter(row.state[port.name] for row in rows) for port in facts.ports},
    }
    return {name: environment.get_template(f"{name}.j2").render(values) for name in NAMES}
