"""The runner against logs that lie: each mutation must be caught, and named."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from xtask import exitcodes
from xtask.guest.events import EventStream
from xtask.guest.session import Ended, Stop
from xtask.stages.runner import FAIL, NOT_RUN, PASS, SKIP, TIMEOUT, Limits, Runner, select

from . import log

NONCE = "00112233aabbccdd"


def play(data: bytes, stop: bool = True, only: list[str] | None = None) -> Runner:
    """A runner that has been fed a whole event channel, at time 0, and then the machine's end."""
    rows = log.table()
    runner = Runner(rows, select(rows, only or [], None), NONCE, 0.0)
    stream = EventStream()
    for item in [*stream.feed(data), *stream.finish()]:
        runner.event(item, 0.0)
    if stop:
        runner.stop(Stop("shutdown"), 0.0)
    return runner


def statuses(runner: Runner) -> str:
    return " ".join(result.status for result in runner.results.values())


def test_good_boot_passes() -> None:
    runner = play(log.lines(log.good(NONCE)))
    assert runner.exit_code() == exitcodes.OK
    assert runner.over and not runner.problems and runner.cause is None
    assert statuses(runner) == "PASS PASS PASS PASS"


def test_skip_is_no_failure_but_all_skipped_is() -> None:
    records = log.good(NONCE)
    records[log.find(records, "stage_end", "beta")]["status"] = "SKIP"
    records[-2] = log.done(NONCE, records)
    assert play(log.lines(records)).exit_code() == exitcodes.OK
    for record in records:
        if record["type"] == "stage_end":
            record["status"] = "SKIP"
    records[-2] = log.done(NONCE, records)
    runner = play(log.lines(records))
    assert statuses(runner) == "SKIP SKIP SKIP SKIP"
    assert runner.exit_code() == exitcodes.FAILED


def drop(records: list[log.Record]) -> None:
    del records[log.find(records, "stage_begin", "beta")]
    del records[log.find(records, "stage_end", "beta")]


def swap(records: list[log.Record]) -> None:
    beta, gamma = log.find(records, "stage_begin", "beta"), log.find(records, "stage_begin", "gamma")
    records[beta : beta + 2], records[gamma : gamma + 2] = (
        records[gamma : gamma + 2],
        records[beta : beta + 2],
    )


def duplicate(records: list[log.Record]) -> None:
    beta = log.find(records, "stage_begin", "beta")
    records[beta:beta] = [dict(record) for record in records[beta : beta + 2]]


def early(records: list[log.Record]) -> None:
    beta = log.find(records, "stage_begin", "beta")
    records[beta], records[beta + 1] = records[beta + 1], records[beta]


def end_twice(records: list[log.Record]) -> None:
    beta = log.find(records, "stage_end", "beta")
    records.insert(beta, dict(records[beta]))


def no_end(records: list[log.Record]) -> None:
    del records[log.find(records, "stage_end", "beta")]


def stale_record(records: list[log.Record]) -> None:
    records[log.find(records, "stage_end", "beta")]["nonce"] = "ffffffffffffffff"


def wrong_number(records: list[log.Record]) -> None:
    records[log.find(records, "stage_begin", "beta")]["n"] = 3


def unknown_stage(records: list[log.Record]) -> None:
    records[log.find(records, "stage_begin", "beta")]["id"] = "betas"


def odd_status(records: list[log.Record]) -> None:
    records[log.find(records, "stage_end", "beta")]["status"] = "PASSED"


def long_took(records: list[log.Record]) -> None:
    records[log.find(records, "stage_end", "beta")]["took_ns"] = 10**12


def gap(records: list[log.Record]) -> None:
    for place, record in enumerate(records):
        record["seq"] = place + (place > 3)


def miscount(records: list[log.Record]) -> None:
    records[-2]["passed"] = 3


def after_done(records: list[log.Record]) -> None:
    beta = log.find(records, "stage_begin", "beta")
    records.append(dict(records[beta]))


def no_boot(records: list[log.Record]) -> None:
    del records[0]


def second_boot(records: list[log.Record]) -> None:
    records.insert(3, dict(records[0]))


def silent_poweroff(records: list[log.Record]) -> None:
    del records[-1]


MUTATIONS: list[tuple[Callable[[list[log.Record]], None], str]] = [
    (drop, "stage 2 beta: missing"),
    (swap, "stage 2 beta: began out of order"),
    (duplicate, "stage 2 beta: began a second time (duplicated)"),
    (early, "stage 2 beta: ended before it began (printed early)"),
    (end_twice, "stage 2 beta: ended a second time (duplicated)"),
    (no_end, "stage 2 beta: never ended"),
    (stale_record, "from another boot"),
    (wrong_number, "stage 3 'beta': the table has no such row"),
    (unknown_stage, "stage 2 'betas': the table has no such row"),
    (odd_status, "unknown status 'PASSED'"),
    (long_took, "stage 2 beta: claims"),
    (gap, "events were lost"),
    (miscount, "'stages_done' counts"),
    (after_done, "after 'stages_done'"),
    (no_boot, "the first event is"),
    (second_boot, "a second 'boot' event"),
    (silent_poweroff, "without announcing it"),
]


@pytest.mark.parametrize("mutate,named", MUTATIONS, ids=[m.__name__ for m, _ in MUTATIONS])
def test_mutation_is_caught_and_named(mutate: Callable[[list[log.Record]], None], named: str) -> None:
    records = log.good(NONCE)
    mutate(records)
    runner = play(log.lines(records))
    assert runner.exit_code() == exitcodes.FAILED
    assert any(named in problem for problem in runner.problems), runner.problems


@pytest.mark.parametrize("mutate", [drop, swap, duplicate, early, end_twice, no_end, odd_status, long_took])
def test_a_stage_that_cannot_be_believed_is_no_pass(mutate: Callable[[list[log.Record]], None]) -> None:
    records = log.good(NONCE)
    mutate(records)
    assert play(log.lines(records)).results["beta"].status != PASS


def test_failing_stage() -> None:
    records = log.good(NONCE)
    place = log.find(records, "stage_end", "beta")
    records[place].update(status="FAIL", detail="kernel/beta.c:3: x is 1, expected 2")
    records[-2] = log.done(NONCE, records)
    runner = play(log.lines(records))
    assert statuses(runner) == "PASS FAIL PASS PASS" and not runner.problems
    assert runner.exit_code() == exitcodes.FAILED
    failed = runner.failed_stage()
    assert failed is not None and failed.detail.endswith("expected 2")


def test_stale_log_is_refused_whole() -> None:
    runner = play(log.lines(log.good("eeeeeeeeeeeeeeee")))
    assert runner.cause is not None and runner.cause.kind == "wrong kernel"
    assert "other nonce" in runner.cause.text
    assert statuses(runner) == "NOT-RUN NOT-RUN NOT-RUN NOT-RUN"
    assert runner.exit_code() == exitcodes.FAILED


def test_other_table_is_refused() -> None:
    records = log.good(NONCE)
    records[0]["table"] = "0" * 16
    runner = play(log.lines(records))
    assert runner.cause is not None and "another stage table" in runner.cause.text


def test_empty_log_with_poweroff() -> None:
    runner = play(b"")
    assert runner.exit_code() == exitcodes.FAILED
    assert runner.cause is not None and runner.cause.kind == "stopped"


def test_truncated_line_and_garbage() -> None:
    data = log.lines(log.good(NONCE))
    for broken, named in (
        (data[:-10], "cut short"),
        (b"garbage\n" + data, "not strict JSON"),
        (data.replace(b'"cpu": 0', b'"cpu": 0x0', 1), "not strict JSON"),
        (data.replace(b'"ns": 0', b'"ns": NaN', 1), "not strict JSON"),
        (data + b"[1]\n", "not an object"),
        (data + b"\xff\xfe\n", "not strict JSON"),
    ):
        runner = play(broken)
        assert runner.exit_code() == exitcodes.FAILED
        assert any(named in problem for problem in runner.problems), (named, runner.problems)


def test_only_selected_stages_count() -> None:
    rows = log.table()
    records = [log.boot(NONCE, rows), log.begin(NONCE, rows[2]), log.end(NONCE, rows[2])]
    records += [log.done(NONCE, records), {"type": "poweroff"}]
    runner = play(log.lines(records), only=["gamma"])
    assert runner.exit_code() == exitcodes.OK and statuses(runner) == "PASS"
    runner = play(log.lines(log.good(NONCE)), only=["gamma"])
    assert runner.exit_code() == exitcodes.FAILED  # more ran than was asked for


# --- time and ends ----------------------------------------------------------------------------------


def until(stage_id: str, limits: Limits | None = None) -> Runner:
    """A runner in the middle of a stage, everything at time 10."""
    rows = log.table()
    runner = Runner(rows, rows, NONCE, 10.0, limits)
    records = log.good(NONCE)
    stream = EventStream()
    for item in stream.feed(log.lines(records[: log.find(records, "stage_begin", stage_id) + 1])):
        runner.event(item, 10.0)
    return runner


def test_hang_ends_at_the_stages_own_deadline() -> None:
    runner = until("gamma")
    assert runner.deadline() == pytest.approx(10.3)
    runner.tick(10.29)
    assert not runner.over
    runner.tick(10.31)
    assert runner.over and runner.cause is not None and runner.cause.kind == "hang"
    assert statuses(runner) == "PASS PASS TIMEOUT NOT-RUN"
    assert runner.exit_code() == exitcodes.TIMEOUT


def test_a_stretched_deadline_is_told_as_it_was_applied() -> None:
    runner = until("gamma", Limits(factor=0.5))
    assert runner.deadline() == pytest.approx(10.15)
    runner.tick(10.16)
    assert runner.results["gamma"].detail == "no result within 150 ms (0.5 of its 300 ms)"
    assert runner.cause is not None and runner.cause.text == runner.results["gamma"].detail
    late = until("gamma", Limits(factor=0.5))
    pass_after(late, 0.2)
    assert late.results["gamma"].status == TIMEOUT
    assert late.results["gamma"].detail == "passed, but after its deadline of 150 ms (0.5 of its 300 ms)"


def test_user_stage_leaves_the_kernel_a_moment_to_speak() -> None:
    assert until("delta").deadline() == pytest.approx(10.55)


def pass_after(runner: Runner, took_s: float) -> None:
    """The end of stage gamma, which took so long by its own clock and by the runner's."""
    record = log.end(NONCE, log.table()[2])
    record.update(took_ns=int(took_s * 1e9), seq=6)
    (line,) = log.number([record])
    line["ns"] = 10**9
    stream = EventStream()
    stream.next_seq = 6
    for item in stream.feed(json.dumps(line).encode() + b"\n"):
        runner.event(item, 10 + took_s)


def test_pass_after_the_deadline_is_a_timeout() -> None:
    runner = until("gamma")
    pass_after(runner, 0.4)
    assert runner.results["gamma"].status == TIMEOUT


@pytest.mark.parametrize(
    "kind,named,code",
    [
        ("reset", "triple fault", exitcodes.INFRA),
        ("shutdown", "stopped", exitcodes.FAILED),
        ("host", "qemu died", exitcodes.INFRA),
    ],
)
def test_ends_are_told_apart(kind: str, named: str, code: int) -> None:
    runner = until("gamma")
    runner.stop(Stop(kind), 10.1)
    assert runner.over and runner.cause is not None and runner.cause.kind == named
    assert statuses(runner) == "PASS PASS FAIL NOT-RUN"
    assert runner.exit_code() == code


def test_qemu_killed() -> None:
    runner = until("gamma")
    runner.ended(Ended(-9), 10.1)
    assert runner.cause is not None and runner.cause.text == "QEMU ended by itself (signal 9)"
    assert runner.exit_code() == exitcodes.INFRA


def panic_records() -> list[log.Record]:
    return [
        {"type": "panic", "reason": "BUG: x", "where": "f+0x1", "text": "t"},
        {"type": "backtrace", "of": "cpu 0", "frames": ["0xffffffff80000000 f+0x1"], "regs": {"rax": "0x1"}},
        {"type": "panic_end"},
    ]


def feed(runner: Runner, records: list[log.Record], now: float) -> None:
    stream = EventStream()
    stream.next_seq = 100
    numbered = [{**record, "seq": 100 + place} for place, record in enumerate(records)]
    for item in stream.feed(log.lines(numbered)):
        runner.event(item, now)


def test_panic_is_named_and_blamed_on_its_stage() -> None:
    runner = until("gamma")
    feed(runner, panic_records(), 10.1)
    assert runner.over and runner.cause is not None and runner.cause.kind == "panic"
    assert "BUG: x at f+0x1" in runner.cause.text
    assert statuses(runner) == "PASS PASS FAIL NOT-RUN"
    assert runner.panic is not None and len(runner.panic.backtraces) == 1
    assert runner.exit_code() == exitcodes.PANIC


def test_stage_passed_over_is_named_though_a_panic_follows() -> None:
    rows = log.table()
    runner = Runner(rows, rows, NONCE, 0.0)
    feed(runner, [log.boot(NONCE, rows), log.begin(NONCE, rows[2]), *panic_records()], 0.1)
    assert runner.exit_code() == exitcodes.PANIC
    assert [p.split(":")[0] for p in runner.problems if "missing" in p] == ["stage 1 alpha", "stage 2 beta"]


def test_panic_whose_report_never_ends() -> None:
    runner = until("gamma")
    feed(runner, panic_records()[:1], 10.1)
    assert not runner.over and runner.deadline() == pytest.approx(11.1)
    runner.tick(11.2)
    assert runner.cause is not None and "cut short" in runner.cause.text
    assert runner.exit_code() == exitcodes.PANIC


def test_triple_fault_within_a_panic_is_a_panic() -> None:
    runner = until("gamma")
    feed(runner, panic_records()[:1], 10.1)
    runner.stop(Stop("reset"), 10.2)
    assert runner.exit_code() == exitcodes.PANIC


def test_silence_from_the_start_and_between_stages() -> None:
    rows = log.table()
    runner = Runner(rows, rows, NONCE, 0.0)
    runner.tick(10.1)
    assert runner.cause is not None and runner.cause.kind == "silence"
    assert "never said anything" in runner.cause.text and runner.exit_code() == exitcodes.TIMEOUT
    runner = Runner(rows, rows, NONCE, 0.0)
    feed(runner, [{"type": "boot", **log.boot(NONCE, rows)}, {"type": "step", "name": "smp"}], 1.0)
    runner.tick(11.1)
    assert runner.cause is not None and "after step 'smp'" in runner.cause.text


def test_missing_poweroff() -> None:
    runner = play(log.lines(log.good(NONCE)), stop=False)
    assert not runner.over
    runner.tick(runner.deadline())
    assert runner.over and runner.exit_code() == exitcodes.FAILED
    assert any("did not power off" in problem for problem in runner.problems)


def test_total_timeout() -> None:
    runner = until("gamma")
    runner.mark = 129.9
    runner.tick(130.0)
    assert runner.cause is not None and runner.cause.kind == "timeout"


def test_select() -> None:
    rows = log.table()
    assert [s.id for s in select(rows, [], "gamma")] == ["gamma", "delta"]
    assert [s.id for s in select(rows, ["delta", "alpha"], None)] == ["alpha", "delta"]
    with pytest.raises(KeyError):
        select(rows, ["omega"], None)


def test_constants_are_what_the_kernel_says() -> None:
    assert (PASS, FAIL, SKIP, NOT_RUN) == ("PASS", "FAIL", "SKIP", "NOT-RUN")
