"""The commands around the verdict: what they print, what they write, how they fail."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from xtask.policy import doctor, docs

from .scratch import ROOT, WHY, Scratch

HOT = "kernel/entry/irq.c"


def test_a_refusal_is_three_lines(recorded: Scratch) -> None:
    recorded.append(HOT, "int more;\n")
    recorded.stage()
    status, out, err = recorded.policy("check", "--staged")
    lines = [line for line in err.splitlines() if "recorded by name only" not in line]
    assert status == 1 and out == "" and len(lines) == 3
    assert lines[0] == f"policy: refused: {HOT} in the staged change"
    assert lines[1].startswith("  why:  kernel/entry/irq.c is Tier 1, hot path: a careless line breaks every boot")
    assert lines[2] == "  next: python3 -m xtask policy request --staged"


def test_the_next_command_is_exact(repo: Scratch) -> None:
    """What a refusal says to type leads, typed as it stands, to a passing check."""
    repo.append(HOT, "int more;\n")
    repo.stage()
    words = repo.staged()["findings"][0]["next"].split()
    assert words[:4] == ["python3", "-m", "xtask", "policy"]
    status, out, err = repo.policy(*words[4:])
    assert status == 0, err
    approve = next(line for line in out.splitlines() if " policy approve " in line).split()
    assert approve[3:6] == ["policy", "approve", "--staged"] and ("--key" in approve) == (repo.mode == "signed")
    repo.approve(*[word for word in approve[5:6]])
    assert repo.staged()["ok"]


def test_recorded_mode_says_so_on_every_run(repo: Scratch) -> None:
    for words in (["check", "--staged"], ["check"], ["audit"], ["check", "--base", repo.base]):
        assert ("recorded by name only, not signed" in repo.policy(*words)[2]) == (repo.mode == "recorded")


def test_working_tree_sees_untracked_and_unstaged_files(repo: Scratch) -> None:
    index = (repo.root / ".git/index").read_bytes()
    repo.append(HOT, "int more;\n")
    repo.write("kernel/entry/new.c", "int more;\n")
    found = repo.verdict("check")
    assert found["findings"][0]["paths"] == [HOT, "kernel/entry/new.c"]
    assert (repo.root / ".git/index").read_bytes() == index and repo.staged()["ok"]
    repo.approve("--working-tree")
    assert repo.verdict("check", "--working-tree")["ok"]


def test_before_there_is_a_policy_nothing_is_refused(recorded: Scratch) -> None:
    recorded.git("checkout", "-q", "--detach", recorded.base + "^")
    recorded.append(HOT, "int more;\n")
    recorded.stage()
    assert recorded.staged() == recorded.staged() | {"ok": True, "bootstrap": True}
    recorded.commit()
    assert recorded.verdict("audit")["bootstrap"]


def test_clean_merges_of_approved_work_need_nothing(repo: Scratch) -> None:
    repo.git("checkout", "-q", "-b", "side")
    repo.append_approved(HOT, "int more;\n")
    repo.git("checkout", "-q", "main")
    repo.append("readme", "more\n")
    repo.commit("main")
    repo.git("merge", "-q", "--no-commit", "side")
    assert repo.staged()["findings"] == []
    repo.git("commit", "-q", "-m", "merge")
    repo.passes()


def test_a_clean_merge_passes_its_hook_too(repo: Scratch) -> None:
    """Before pre-merge-commit git has not written MERGE_HEAD: the other side is known by the environment."""
    repo.git("checkout", "-q", "-b", "side")
    for text in ("int one;\n", "int two;\n"):
        repo.append(HOT, text)
        repo.stage()
        repo.approve()
        repo.commit("approved")
    repo.git("checkout", "-q", "main")
    repo.append("readme", "more\n")
    repo.commit("main")
    code = f"import sys; sys.path.insert(0, '{ROOT}'); from xtask.policy.command import main; sys.exit(main(sys.argv[1:]))"
    repo.write(".git/hooks/pre-merge-commit", f'#!/bin/sh\nexec /usr/bin/python3 -I -c "{code}" check --staged\n')
    os.chmod(repo.root / ".git/hooks/pre-merge-commit", 0o755)
    repo.git("merge", "-q", "--no-edit", "side")
    repo.passes()


def test_request_and_packet(repo: Scratch, tmp_path: Path) -> None:
    repo.append(HOT, "int more;\n")
    repo.append("policy.toml", "# more\n")
    repo.stage()
    status, out, _ = repo.policy("request", "--staged")
    assert status == 0 and "+int more;" in out and "Why is non-intrusive debugging" in out
    status, out, _ = repo.policy("request", "--staged", "--json")
    packet = json.loads(out)
    assert [entry[0] for entry in packet["entries"]] == [HOT, "policy.toml"]
    (tmp_path / "packet").write_text(out)
    words = ["approve", "--packet", str(tmp_path / "packet"), "--approver", "otto@example.org", *WHY]
    status, out, err = repo.policy(*words, *(["--key", repo.key("otto")] if repo.mode == "signed" else []))
    assert status == 0, err
    repo.commit()
    repo.passes()


def test_request_shows_what_is_hidden_in_text(recorded: Scratch) -> None:
    recorded.append(HOT, "int a; /* \u202e */\n")
    recorded.stage()
    assert "change the direction of text" in recorded.policy("request", "--staged")[1]


def test_nothing_to_request(recorded: Scratch) -> None:
    assert recorded.policy("request", "--staged")[0] == 0
    assert recorded.policy("approve", "--staged", *WHY)[0] == 2


def test_explain(recorded: Scratch) -> None:
    status, out, _ = recorded.policy("explain", HOT, "irq_hot", "readme", "tests/a.c", "Makefile", "--json")
    found = {item["name"]: item for item in json.loads(out)}
    assert status == 0 and [found[name]["tier"] for name in (HOT, "irq_hot", "readme", "Makefile")] == [1, 1, None, 1]
    assert found["irq_hot"]["kind"] == "symbol" and len(found["tests/a.c"]["ratchets"]) == 2
    assert "policy request" in recorded.policy("explain", HOT)[1]


def test_trust_key_moves_to_signed_approvals(recorded: Scratch) -> None:
    key = recorded.key("otto") + ".pub"
    assert recorded.policy("trust-key", "otto@example.org", recorded.key("otto"))[0] == 2  # the private one
    assert recorded.policy("trust-key", "otto, ann", key)[0] == 2
    assert recorded.policy("trust-key", "otto@example.org", key)[0] == 0
    recorded.stage()
    assert not recorded.staged()["ok"]
    recorded.approve()
    recorded.commit("signed from now on")
    recorded.passes()
    assert recorded.policy("trust-key", "otto@example.org", key)[0] == 2
    recorded.append(HOT, "int more;\n")
    recorded.stage()
    words = ["approve", "--staged", "--approver", "otto@example.org", *WHY]
    assert recorded.policy(*words)[0] == 2
    assert recorded.policy(*words, "--key", recorded.key("otto"))[0] == 0
    recorded.commit("signed")
    found = recorded.verdict("audit")
    assert found["ok"] and found["mode"] == "signed" and len(found["approved"]) == 2


def test_verify(repo: Scratch) -> None:
    repo.append(HOT, "int more;\n")
    repo.stage()
    record = repo.approve()
    status, out, _ = repo.policy("verify", "--json")
    rows = json.loads(out)["records"]
    assert status == 0 and rows[0]["id"] in record
    assert rows[0]["notes"] == ([] if repo.mode == "signed" else ["by name only, not signed"])
    assert repo.policy("verify", "feedfeed")[0] == 2
    repo.append(record, "# more\n")
    assert repo.policy("verify")[0] == 0  # a comment is no content
    repo.write(record, repo.read(record).replace("needs", "wants"))
    assert repo.policy("verify")[0] == 1


def test_doctor(recorded: Scratch) -> None:
    def states() -> dict[str, str]:
        found = json.loads(recorded.policy("doctor", "--json")[1])["answers"]
        return {answer["name"]: answer["state"] for answer in found}

    assert states()["hook pre-commit"] == "gap" and recorded.policy("doctor")[0] == 1
    for name in doctor.HOOKS:
        recorded.write(f".git/hooks/{name}", "#!/bin/sh\nexec scripts/hooks/x\n")
        os.chmod(recorded.root / ".git/hooks" / name, 0o755)
    assert {state for name, state in states().items() if name.startswith("hook")} == {"ok"}
    recorded.write(".git/hooks/pre-push", "#!/bin/sh\nexit 0\n")
    os.chmod(recorded.root / ".git/hooks/commit-msg", 0o644)
    recorded.git("config", "core.hooksPath", "/dev/null")
    assert states()["core.hooksPath"] == "warning" and states()["hook pre-push"] == "gap"
    recorded.git("config", "--unset", "core.hooksPath")
    assert states()["hook commit-msg"] == "gap"
    recorded.write(".git/info/attributes", "* -diff\n")
    recorded.write(".git/info/grafts", "\n")
    recorded.git("replace", "HEAD", "HEAD^")
    assert [states()[name] for name in ("attributes", "grafts", "replacements")] == ["warning"] * 3
    recorded.git("replace", "-d", "HEAD")
    recorded.append(HOT, "int more;\n")
    recorded.commit()
    assert states()["history"] == "gap"


def test_doctor_names_stale_approvals(recorded: Scratch) -> None:
    recorded.append(HOT, "int more;\n")
    recorded.stage()
    recorded.approve()
    recorded.git("reset", "-q", "--", HOT)
    recorded.git("commit", "-q", "-m", "record")
    recorded.git("checkout", "-q", "--", HOT)
    recorded.append_approved("policy.toml", "# more\n", "policy")
    assert "stale, used by no commit" in recorded.policy("doctor")[1]


def test_tier_tables(recorded: Scratch) -> None:
    recorded.write("AGENTS.md", f"# Page\n\nbefore\n\n{docs.BEGIN}\nold\n{docs.END}\n\nafter\n")
    assert recorded.policy("docs", "--check")[0] == 1
    assert recorded.policy("docs", "--write")[0] == 0 and recorded.policy("docs")[0] == 0
    text = recorded.read("AGENTS.md")
    assert text.startswith("# Page\n\nbefore\n") and text.endswith("\nafter\n") and "| 1 | hot path |" in text
    assert recorded.policy("docs", "--print")[1] == text
    recorded.write("AGENTS.md", text.replace("hot path", "cold path"))
    assert recorded.policy("docs")[0] == 1
    recorded.write("AGENTS.md", "no markers\n")
    assert recorded.policy("docs")[0] == 2


def test_symbols_of_the_working_tree(recorded: Scratch) -> None:
    assert recorded.policy("symbols")[0] == 0
    recorded.write(HOT, "int irq_hot(int a);\n")
    status, out, err = recorded.policy("symbols", "--json")
    assert status == 1 and "irq_hot" in json.loads(out)["wrong"][0] and "policy: refused" in err
    assert recorded.policy("symbols", "--map", "nowhere")[0] == 2


@pytest.mark.parametrize(
    "words",
    [
        [], ["nonsense"], ["check", "--staged", "--working-tree"], ["check", "--head", "HEAD"], ["explain"],
        ["check", "--message", "x"], ["check", "--staged", "--message", "nowhere"], ["approve", "--staged"],
        ["approve", "--packet", "nowhere", *WHY], ["approve", "--kind", "reach", *WHY], ["approve", "--follow-up", "a", *WHY],
        ["trust-key", "otto@example.org", "nowhere"],
    ],
)  # fmt: skip
def test_bad_command_lines(recorded: Scratch, words: list[str]) -> None:
    status, _, err = recorded.policy(*words)
    assert status == 2 and err and "Traceback" not in err


def test_outside_a_repository_nothing_passes(recorded: Scratch, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    nowhere = Scratch(tmp_path / "empty", "recorded", recorded.keys)
    status, _, err = nowhere.policy("check", "--staged")
    assert status == 1 and "policy: refused" in err and "Traceback" not in err
