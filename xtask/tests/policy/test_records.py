"""What an approval is bound to: it survives a rebase, and nothing else."""

from __future__ import annotations

import datetime
import os

import pytest

from xtask.policy import records

from .scratch import WHY, Scratch

HOT = "kernel/entry/irq.c"


def approved_change(repo: Scratch, text: str = "int more;\n") -> str:
    repo.append(HOT, text)
    repo.stage()
    return repo.approve()


def test_approved_change_passes_everywhere(repo: Scratch) -> None:
    approved_change(repo)
    assert repo.staged()["findings"] == []
    repo.commit()
    repo.passes()


def test_record_may_come_before_and_after_its_commit(repo: Scratch) -> None:
    record = approved_change(repo)
    repo.git("reset", "-q", "--", HOT)
    repo.git("commit", "-q", "-m", "the record first")
    repo.commit("then the change")
    repo.passes()
    repo.append(HOT, "int later;\n")
    repo.commit("unapproved")
    repo.refuses(HOT)
    repo.approve("--commit", "HEAD")
    repo.commit("approved afterwards")
    repo.passes()
    assert record in repo.git("ls-files")


def test_rebase_keeps_an_approval(repo: Scratch) -> None:
    repo.git("checkout", "-q", "-b", "side")
    approved_change(repo)
    before = repo.commit("approved")
    repo.git("checkout", "-q", "main")
    repo.append("kernel/core/other.c", "int more;\n")
    repo.append_approved("kernel/entry/hot.h", "#define MORE 1\n", "another approved change")
    repo.git("rebase", "-q", "main", "side")
    assert repo.head() != before
    repo.passes()


def test_one_changed_byte_kills_it(repo: Scratch) -> None:
    old = repo.read(HOT)
    record = approved_change(repo)
    for text in ("int more ;\n", "int more;\n ", "int more;\n\n", "intmore;\n"):
        repo.write(HOT, old + text)
        repo.refuses_staged(HOT)
    repo.commit()
    repo.refuses(HOT)
    assert record in repo.git("ls-files")


def test_another_protected_file_kills_it(repo: Scratch) -> None:
    approved_change(repo)
    repo.append("kernel/entry/hot.h", "#define MORE 1\n")
    repo.bypassed_by("kernel/entry/hot.h")


def test_an_unprotected_file_does_not(repo: Scratch) -> None:
    approved_change(repo)
    repo.append("readme", "more\n")
    repo.commit()
    repo.passes()


def test_mode_kills_it(repo: Scratch) -> None:
    approved_change(repo)
    os.chmod(repo.root / HOT, 0o755)
    repo.bypassed_by(HOT)


def test_reuse_after_revert(repo: Scratch) -> None:
    approved_change(repo)
    repo.commit("applied")
    changed = repo.read(HOT)
    repo.git("checkout", "-q", "HEAD^", "--", HOT)
    repo.approve()
    repo.commit("reverted, approved")
    repo.passes()
    repo.write(HOT, changed)
    repo.refuses_staged(HOT, "it served an earlier commit")
    repo.commit("applied again")
    repo.refuses(HOT, "it served an earlier commit")
    base = repo.git("rev-parse", "HEAD^")
    repo.refuses(HOT, "it served an earlier commit", base=base)
    repo.approve("--commit", "HEAD")
    repo.commit("approved again, with another serial")
    repo.passes()


def test_two_commits_with_one_change_need_two_records(repo: Scratch) -> None:
    """Side by side: both branches make the same change, one record."""
    approved_change(repo)
    repo.commit("first")
    repo.git("checkout", "-q", "-b", "side", repo.base)
    repo.append(HOT, "int more;\n")
    repo.commit("second")
    repo.git("checkout", "-q", "main")
    repo.git("merge", "-q", "-m", "merge", "side")
    repo.refuses("it served an earlier commit")


def test_expiry(repo: Scratch) -> None:
    repo.append(HOT, "int more;\n")
    repo.stage()
    record = repo.approve("--staged", "--expires", datetime.date.today().isoformat())
    repo.commit("in time")
    repo.passes()
    from xtask.policy.git import Repo
    from xtask.policy.history import check_range

    git = Repo(str(repo.root))
    tomorrow = datetime.date.today() + datetime.timedelta(days=1)
    late = check_range(git, git.commit("HEAD"), git.commit(repo.base), today=tomorrow)
    assert [f.kind for f in late.findings] == ["approval"] and "it expired on" in late.findings[0].why
    git.close()
    assert record in repo.git("ls-files")


def test_a_commit_made_after_the_term_fails_the_audit(repo: Scratch) -> None:
    approved_change(repo)
    repo.stage()
    late = (datetime.datetime.now() + datetime.timedelta(days=99)).strftime("%Y-%m-%dT%H:%M:%S")
    repo.git("commit", "-q", "-m", "late", GIT_COMMITTER_DATE=late)
    found = repo.verdict("audit")
    assert not found["ok"] and "it expired on" in found["findings"][0]["why"]


def test_term_is_bounded(recorded: Scratch) -> None:
    recorded.append(HOT, "int more;\n")
    recorded.stage()
    for day in ("2999-01-01", "2001-01-01", "soon"):
        assert recorded.policy("approve", "--staged", "--expires", day, *WHY)[0] == 2


def test_another_branch(repo: Scratch) -> None:
    repo.append(HOT, "int more;\n")
    repo.stage()
    repo.approve("--staged", "--branch", "release")
    repo.commit()
    repo.refuses(HOT, "it is for branch 'release'")
    assert repo.verdict("check", "--base", repo.base, "--head", "HEAD", "--branch", "release")["ok"]


def rewritten(repo: Scratch, path: str, **fields: str) -> None:
    """The record with other fields, named and signed anew."""
    with open(repo.root / path, "rb") as stream:
        record = records.parse(stream.read(), path)._replace(**fields)
    repo.git("rm", "-q", "-f", path)
    if repo.mode == "signed":
        record = records.sign(record._replace(signature=""), repo.key("otto"))
    repo.write(record.path, records.render(record))


def test_another_repository(repo: Scratch) -> None:
    rewritten(repo, approved_change(repo), repository="elsewhere")
    repo.bypassed_by(HOT, "it is for repository 'elsewhere'")


def test_policy_changed_since(repo: Scratch) -> None:
    record = approved_change(repo)
    repo.git("reset", "-q", "--", HOT)
    repo.git("commit", "-q", "-m", "the record")
    changed = repo.read(HOT)
    repo.git("checkout", "-q", "--", HOT)
    repo.append_approved("policy.toml", "# more\n", "policy")
    repo.passes()
    repo.write(HOT, changed)
    repo.bypassed_by(HOT, "the policy has changed since")
    assert record in repo.git("ls-files")


def test_a_term_longer_than_the_policy_allows(repo: Scratch) -> None:
    rewritten(repo, approved_change(repo), expires="9999-12-31")
    repo.refuses_staged(HOT, "it holds longer than the policy allows")
    repo.commit()
    repo.refuses(HOT, "it holds longer than the policy allows", audit=False)


def test_a_commit_whose_date_is_none(recorded: Scratch) -> None:
    approved_change(recorded)
    tip = recorded.commit()
    text = recorded.git("cat-file", "commit", tip).replace(" +0000", "99999999999999999999 +0000")
    for changed in (text, text.replace("9999", "soon")):
        made = recorded.git("hash-object", "-t", "commit", "--literally", "-w", "--stdin", data=changed.encode())
        recorded.git("update-ref", "refs/heads/main", made)
        found = recorded.verdict("audit")
        assert not found["ok"] and "it expired on" in found["findings"][0]["why"]


def test_an_amendment_is_approved_as_what_it_becomes(repo: Scratch) -> None:
    approved_change(repo)
    repo.commit("approved")
    repo.append(HOT, "int forgotten;\n")
    repo.stage()
    assert not repo.staged()["ok"]
    repo.approve("--amend")
    found = repo.staged()
    assert found["ok"] and "as an amendment" in found["notes"][0]
    repo.git("commit", "-q", "--no-verify", "--amend", "-m", "approved")
    repo.passes()


def test_a_record_of_another_kind_approves_no_path(repo: Scratch) -> None:
    rewritten(repo, approved_change(repo), kind="reach", subject="irq_hot -> klog")
    repo.bypassed_by(HOT)


def test_waivers_of_the_binary_gate(repo: Scratch) -> None:
    words = ["approve", "--kind", "reach", "--subject", "irq_hot -> klog", "--approver", "otto@example.org"]
    words += ["--why", "the test needs it so"] + (["--key", repo.key("otto")] if repo.mode == "signed" else [])
    status, out, err = repo.policy(*words)
    assert status == 0, err
    root = str(repo.root)
    found = records.waived("reach", "irq_hot -> klog", root)
    assert found is not None and found.path == out.strip()
    assert records.waived("budget", "irq_hot -> klog", root) is None
    assert records.waived("reach", "irq_hot -> klogs", root) is None
    late = datetime.date.today() + datetime.timedelta(days=400)
    assert records.waived("reach", "irq_hot -> klog", root, today=late) is None
    repo.append("policy.toml", "# more\n")
    assert records.waived("reach", "irq_hot -> klog", root) is None


def test_unsigned_waiver_counts_for_nothing_in_signed_mode(signed: Scratch) -> None:
    words = ["approve", "--kind", "reach", "--subject", "a -> b", "--approver", "otto@example.org"]
    _, out, _ = signed.policy(*words, "--why", "the test needs it so", "--key", signed.key("mallory"))
    assert out.strip() and records.waived("reach", "a -> b", str(signed.root)) is None


# --- break-glass ---


def test_break_glass_works_is_loud_and_owes_a_follow_up(repo: Scratch) -> None:
    repo.append(HOT, "int more;\n")
    repo.stage()
    record = repo.approve(who="ann", command="break-glass")
    assert "BREAK-GLASS" in repo.policy("check", "--staged")[2]
    repo.commit("emergency")
    found = repo.range()
    assert found["ok"] and "BREAK-GLASS" in found["notes"][0]
    repo.append("readme", "an ordinary change\n")
    repo.refuses_staged("it is still without its follow-up")
    repo.commit("ordinary")
    repo.refuses("it is still without its follow-up")
    short = record.rsplit("/", 1)[1][:12]
    words = ["approve", "--follow-up", short, "--approver", "otto@example.org", *WHY[:2]]
    assert repo.policy(*words, *(["--key", repo.key("otto")] if repo.mode == "signed" else []))[0] == 0
    repo.commit("follow-up")
    repo.passes()


def test_break_glass_does_not_cover_the_judge(repo: Scratch) -> None:
    repo.append("xtask/policy/verdict.py", "# more\n")
    repo.stage()
    repo.approve(who="ann", command="break-glass")
    repo.bypassed_by("xtask/policy/verdict.py")


def test_break_glass_is_signed_too(signed: Scratch) -> None:
    signed.append(HOT, "int more;\n")
    signed.stage()
    words = ["break-glass", "--staged", "--why", "the test needs it so", "--approver", "ann@example.org"]
    assert signed.policy(*words)[0] == 2
    assert signed.policy(*words, "--key", signed.key("mallory"))[0] == 0
    signed.bypassed_by(HOT)


def test_signing_needs_ssh_keygen(signed: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    path = approved_change(signed)
    record = records.parse((signed.root / path).read_bytes(), path)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(records.RecordError, match="apt install openssh-client"):
        records.sign(record, signed.key("otto"))
    assert "not installed" in records.signature_problem(record, b"anybody")


# --- Tier 2 ---


def test_tier_2_says_why(repo: Scratch) -> None:
    repo.append("kernel/cpu/tlb.c", "int more;\n")
    repo.stage()
    for text, ok in (("tlb: more\n", False), ("tlb: more\n\nWhy: ok\n", False), ("tlb: more\n\nWhy: the flush came late\n", True)):
        repo.write(".git/message", text)
        assert repo.verdict("check", "--staged", "--message", ".git/message")["ok"] == ok
    repo.commit("tlb: more")
    repo.refuses("Tier 2, processor")
    short = repo.head()
    words = ["approve", "--kind", "why", "--subject", short, "--approver", "otto@example.org", *WHY[:2]]
    assert repo.policy(*words, *(["--key", repo.key("otto")] if repo.mode == "signed" else []))[0] == 0
    repo.commit("explained afterwards")
    repo.passes()


def test_tier_2_with_a_reason_needs_no_record(repo: Scratch) -> None:
    repo.append("kernel/cpu/tlb.c", "int more;\n")
    repo.commit("tlb: more\n\nWhy: the flush came late")
    repo.passes()
