"""Where the ports differ without a reason, and reasons that no longer have a difference. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ..gen.stages import Stage
from ..gen.syscalls import Syscall
from . import abi
from .facts import REASONS, Facts, Port

CHECKED_COPIES = "kernel/arch/common/usercopy.c"  # where an address becomes a pointer, after its check


def on(stage: Stage, port: Port) -> bool:
    return stage.ports == "all" or port.name in stage.ports.split(",")


def outcome(stage: Stage, port: Port) -> str:
    """PASS, FAIL, SKIP ... or `-` for a stage of other ports."""
    return port.results.get(stage.id, "NOT-RUN") if on(stage, port) else "-"


def differs(stage: Stage, facts: Facts) -> bool:
    return len({outcome(stage, port) for port in facts.ports}) > 1


def served(call: Syscall, port: Port) -> bool:
    return f"sys_{call.name}" in port.symbols


def stage_findings(facts: Facts) -> Iterator[str]:
    known = {stage.id for stage in facts.stages}
    for stage in facts.stages:
        outcomes = {port.name: outcome(stage, port) for port in facts.ports}
        said = ", ".join(f"{value} on {name}" for name, value in outcomes.items())
        if {"FAIL", "TIMEOUT", "NOT-RUN"} & set(outcomes.values()):
            yield f"stage {stage.id}: {said}"
        elif differs(stage, facts) and stage.id not in facts.reasons:
            yield f"stage {stage.id}: {said}, and {REASONS} gives no reason"


def reason_findings(facts: Facts) -> Iterator[str]:
    """Rows of the table that explain nothing (any more)."""
    stages = {stage.id: stage for stage in facts.stages}
    places = {f"{cast.file}:{cast.function}" for cast in facts.casts}
    places |= {f"{function}()" for functions in facts.contract.values() for function in functions}
    for reason in facts.reasons.values():
        row = stages.get(reason.what)
        if reason.what not in places and (row is None or not differs(row, facts)):
            yield f"{REASONS}:{reason.line}: {reason.what} does not differ between the ports: the row is stale"
        if reason.like != "-" and reason.like not in stages:
            yield f"{REASONS}:{reason.line}: no stage {reason.like}"


def syscall_findings(facts: Facts) -> Iterator[str]:
    for port in facts.ports:
        yield from abi.differences(list(facts.syscalls), port.name, port.linux)
    for call in facts.syscalls:
        if not call.implemented:
            continue
        missing = [port.name for port in facts.ports if call.number(port.name) is not None and not served(call, port)]
        if missing:
            yield f"system call {call.name}: syscalls.tbl says {call.coverage}, the image of {', '.join(missing)} lacks it"


def contract_findings(facts: Facts) -> Iterator[str]:
    for header, functions in facts.contract.items():
        for function in functions:
            having = [port.name for port in facts.ports if function in port.symbols or function in port.inlined]
            if having and len(having) < len(facts.ports) and f"{function}()" not in facts.reasons:
                yield f"arch contract: {function}() of kernel/include/arch/{header} is only in the image of {having[0]}"
            if not having:
                yield f"arch contract: no port defines {function}() of kernel/include/arch/{header}"


def user_pointer_findings(facts: Facts) -> Iterator[str]:
    for cast in facts.casts:
        place = f"{cast.file}:{cast.function}"
        if cast.file != CHECKED_COPIES and place not in facts.reasons:
            yield f"{place}: the user address {cast.name} is made a pointer, and {REASONS} gives no reason"
    for primitive, file, check in facts.checks:
        if not check:
            yield f"{file}: {primitive}() does not check that the address is the user's"


CHECKS = (stage_findings, reason_findings, syscall_findings, contract_findings, user_pointer_findings)


def findings(facts: Facts) -> list[str]:
    return [found for check in CHECKS for found in check(facts)]
