"""The command: exit codes, what a record waives, when the baseline may be written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ... import exitcodes
from ...hotpath import command, waivers
from ...hotpath.check import Finding
from ...hotpath.command import Outcome
from ...policy import records
from .mini import Mini


def outcome(mini: Mini, *findings: Finding, waiver: str | None = None) -> Outcome:
    verdict = mini.check()
    return Outcome(verdict.policy, verdict.results, {}, [(f, waiver) for f in findings], [])


@pytest.fixture
def mini(tmp_path: Path) -> Mini:
    return Mini(tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--policy", "/no/such/policy.toml"], "No such file"),
        (["--runs", "1"], "--runs"),
        (["--static", "--update-baseline"], "leave out --static"),
    ],
)
def test_usage(capsys: pytest.CaptureFixture[str], options: list[str], message: str) -> None:
    assert command.main(["--no-build", *options]) == exitcodes.USAGE
    shown = capsys.readouterr()
    assert message in shown.err and "Traceback" not in shown.err and not shown.out


def test_kernel_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str], mini: Mini) -> None:
    tables = tmp_path / "policy.toml"
    tables.write_text(mini.policy)
    args = ["--no-build", "--static", "--build-dir", str(tmp_path), "--policy", str(tables)]
    assert command.main(args) == exitcodes.CANNOT_BUILD
    assert "cairn.elf is not there" in capsys.readouterr().err


REACH = Finding("reach", "entry", "entry -> klog", "klog is reachable")
GROWTH = Finding("growth", "", "tick +9", "tick: 1 -> 10 instructions")


def test_only_a_good_state_becomes_the_baseline(mini: Mini, tmp_path: Path) -> None:
    path = tmp_path / "new" / "baseline.json"
    bad = outcome(mini, REACH, GROWTH)
    command.update(bad, path, {"entries": {}})
    assert not path.exists() and len(bad.failures) == 2 and "as it was" in bad.notes[0]
    good = outcome(mini, GROWTH)
    command.update(good, path, {"entries": {}})
    assert json.loads(path.read_text()) == {"entries": {}} and not good.failures


def test_waived_findings_do_not_fail(mini: Mini) -> None:
    assert outcome(mini, REACH).failures == [REACH]
    assert outcome(mini, REACH, waiver="1234").failures == []


def test_records_waive_by_kind_and_subject(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    def waived(kind: str, subject: str, root: str) -> records.Record | None:
        asked.append((kind, subject))
        if subject == "broken":
            raise records.RecordError("not a record")
        values = dict.fromkeys(records.Record._fields, "")
        return records.Record(**values) if subject == "tick +9" else None

    monkeypatch.setattr(records, "waived", waived)
    assert waivers.waived(Path("."), "growth", "tick +9")
    assert waivers.waived(Path("."), "reach", "entry -> klog") is None
    assert waivers.waived(Path("."), "stack", "broken") is None
    assert asked == [("budget", "tick +9"), ("reach", "entry -> klog"), ("budget", "broken")]
    for kind in ("missing", "unmeasured", "unsteady", "stale", "symbol", "recursion", "unbounded", "baseline"):
        assert waivers.waived(Path("."), kind, "tick +9") is None
    assert len(asked) == 3
