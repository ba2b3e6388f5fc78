"""quick_debug on byte streams that no real serial line would be kind enough to send."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from xtask import exitcodes
from xtask.debug import findlogs, quick
from xtask.debug.quick import Judge, boot, parse
from xtask.debug.signals import Matcher, Pattern
from xtask.guest.machine import GuestSpec, find_machine
from xtask.guest.session import Chunk, Ended, Stop

from . import log
from .fake import Die, Halt, Played, Say, Sleep, Step

SIGNAL = Pattern("signal", "READY>")


def test_text_is_found_however_it_is_cut() -> None:
    data = b"noise\r\nis it READY> now"
    for cut in range(len(data)):
        matcher = Matcher([SIGNAL])
        found = matcher.feed(data[:cut]) or matcher.feed(data[cut:])
        assert found is not None and found.line.startswith("is it READY>")
    matcher = Matcher([SIGNAL])
    hits = [matcher.feed(data[n : n + 1]) for n in range(len(data))]
    assert sum(hit is not None for hit in hits) >= 1


def test_no_newline_is_needed_and_none_is_matched_across() -> None:
    assert Matcher([SIGNAL]).feed(b"READY>") is not None
    assert Matcher([SIGNAL]).feed(b"READ\nY>") is None
    assert Matcher([Pattern("signal", "^ok$", True)]).feed(b"not ok\nok\n") is not None


def test_binary_and_endless_lines() -> None:
    matcher = Matcher([SIGNAL])
    assert matcher.feed(bytes(range(256)).replace(b"\n", b"") * 2000) is None
    assert matcher.feed(b"\xffREA") is None
    assert matcher.feed(b"DY>") is not None


def test_what_comes_first_wins() -> None:
    fail = Pattern("fail", "panic")
    both = [SIGNAL, fail]
    found = Matcher(both).feed(b"READY> then panic\n")
    assert found is not None and found.pattern == SIGNAL
    found = Matcher(both).feed(b"panic\nREADY>\n")
    assert found is not None and found.pattern == fail


def test_judge_tells_ends_apart() -> None:
    def judged(*items: Chunk | Stop | Ended, stage: str | None = None) -> quick.Answer | None:
        judge = Judge([SIGNAL], stage)
        for item in items:
            judge.item(item, 0.0)
        return judge.answer

    def events(*records: log.Record) -> Chunk:
        return Chunk("events", log.lines(list(records)))

    panic = {"type": "panic", "reason": "BUG", "where": "f", "text": ""}
    cases: list[tuple[quick.Answer | None, int, str]] = [
        (judged(Chunk("serial", b"READY>")), exitcodes.OK, "signal"),
        (judged(events({"type": "poweroff"}), Stop("shutdown")), exitcodes.FAILED, "exit"),
        (judged(Stop("reset")), exitcodes.INFRA, "lost"),
        (judged(Ended(-9)), exitcodes.INFRA, "lost"),
        (judged(events(panic, {"type": "panic_end"})), exitcodes.PANIC, "panic"),
        (judged(events(panic), Ended(0)), exitcodes.PANIC, "panic"),
        (judged(events({"type": "stage_begin", "id": "beta"}), stage="beta"), exitcodes.OK, "stage"),
    ]
    for answer, code, reason in cases:
        assert answer is not None and (answer.exit_code, answer.reason) == (code, reason)
    assert judged(Chunk("stdout", b"READY>")) is None


def play(tmp_path: Path, steps: list[Step], *words: str) -> tuple[int, float]:
    kernel = tmp_path / "k"
    kernel.write_bytes(b"")
    options = parse(["--keep-logs", str(tmp_path / "logs"), "--quiet", *words])
    spec = GuestSpec(find_machine("x86_64", None), kernel, None, "nonce=1")
    started = time.monotonic()
    return boot(options, spec, Played(lambda nonce: steps)), time.monotonic() - started


def test_time_limit_is_kept_on_a_silent_guest(tmp_path: Path) -> None:
    status, took = play(tmp_path, [Sleep(3)], "--signal", "x", "--timeout", "0.3")
    assert status == exitcodes.TIMEOUT and 0.25 < took < 1.0


def test_time_limit_is_kept_on_a_chattering_guest(tmp_path: Path) -> None:
    steps: list[Step] = [Say("serial", b"blah "), Sleep(0.01)] * 200
    status, took = play(tmp_path, steps, "--signal", "x", "--timeout", "0.3")
    assert status == exitcodes.TIMEOUT and took < 1.0


@pytest.mark.parametrize(
    "steps,status",
    [
        ([Say("serial", b"REA"), Sleep(0.05), Say("serial", b"DY>"), Sleep(3)], 0),
        ([Say("serial", b"oops\n"), Sleep(3)], 1),
        ([Halt("guest-reset"), Sleep(3)], 3),
        ([Die(1)], 3),
        ([Say("serial", b"READY>"), Die(1)], 0),
    ],
)
def test_ends_within_a_second(tmp_path: Path, steps: list[Step], status: int) -> None:
    found, took = play(tmp_path, steps, "--signal", "READY>", "--fail-on", "oops")
    assert found == status and took < 1.0


def test_empty_pattern_is_refused(tmp_path: Path) -> None:
    assert quick.main(["--signal", "", "--no-build", "--build-dir", str(tmp_path)]) == exitcodes.USAGE
    assert quick.main(["--regex", "(", "--no-build", "--build-dir", str(tmp_path)]) == exitcodes.USAGE


def test_what_was_not_built_is_125(tmp_path: Path) -> None:
    words = ["--signal", "x", "--no-build", "--build-dir", str(tmp_path)]
    assert quick.main(words) == exitcodes.CANNOT_BUILD


def test_find_in_logs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "20260101-000000-99999999-1"
    run.mkdir()
    (tmp_path / "latest").symlink_to(run.name)
    text = b"boot\nalpha says x\nbeta says x\nend\n"
    (run / "serial.log").write_bytes(text)
    (run / "stages.index").write_text(f"alpha {text.index(b'alpha')}\nbeta {text.index(b'beta')}\n")
    base = ["--logs", str(tmp_path)]
    assert findlogs.main([*base, "says x"]) == exitcodes.OK
    assert capsys.readouterr().out.count("says x") == 2
    assert findlogs.main([*base, "--run", "latest", "--stage", "beta", "says"]) == exitcodes.OK
    assert capsys.readouterr().out == f"{run.name}/serial.log:3: beta says x\n"
    assert findlogs.main([*base, "$(touch pwned)"]) == exitcodes.FAILED
    assert findlogs.main([*base, "-e", "("]) == exitcodes.USAGE
    assert findlogs.main([*base, "--run", "nope", "says"]) == exitcodes.FAILED
