"""Every way around the policy that was seen elsewhere, one test each, in both modes: none gets through.

Each is tried twice: staged (what a hook sees), and committed past all hooks (what the base's checker and the
audit see).
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from .scratch import ROOT, Scratch

HOT = "kernel/entry/irq.c"

# --- renames, copies, deletion ---


def test_ordinary_change_passes(repo: Scratch) -> None:
    repo.append("readme", "more\n")
    repo.stage()
    assert repo.staged()["findings"] == []
    repo.commit()
    repo.passes()


def test_edit(repo: Scratch) -> None:
    repo.append(HOT, "int more;\n")
    repo.bypassed_by(HOT, "Tier 1, hot path: a careless line breaks every boot")
    repo.judged(1)


def test_rename_out_of_the_tier(repo: Scratch) -> None:
    repo.git("mv", HOT, "kernel/core/irq.c")
    repo.bypassed_by(HOT)


def test_rename_and_edit(repo: Scratch) -> None:
    repo.git("config", "diff.renames", "copies")
    repo.git("mv", HOT, "kernel/core/irq.c")
    repo.append("kernel/core/irq.c", "int more;\n")
    repo.bypassed_by(HOT)


def test_rename_into_the_tier(repo: Scratch) -> None:
    repo.git("mv", "kernel/core/other.c", "kernel/entry/other.c")
    repo.bypassed_by("kernel/entry/other.c")


def test_copy_and_build_the_copy(repo: Scratch) -> None:
    repo.write("kernel/core/irq.c", repo.read(HOT))
    repo.append("Makefile", "HOT := kernel/core/irq.c\n")
    repo.bypassed_by("Makefile")


def test_delete(repo: Scratch) -> None:
    repo.git("rm", "-q", HOT)
    repo.bypassed_by(HOT)


def test_listed_path_must_exist_even_when_its_end_is_approved(repo: Scratch) -> None:
    repo.git("rm", "-q", "-r", "kernel/entry")
    repo.approve()
    repo.bypassed_by("kernel/entry/", "no file has that name")


# --- hot function elsewhere, headers, build inputs ---


def test_hot_function_moved_to_an_unprotected_file(repo: Scratch) -> None:
    repo.write("kernel/core/other.c", repo.read(HOT))
    repo.write(HOT, "int nothing;\n")
    repo.refuses_staged(HOT)
    repo.approve()
    repo.bypassed_by("irq_hot", "defines it")


def writes(repo: Scratch, path: str | bytes, text: str) -> Callable[[], None]:
    return lambda: repo.write(path, text)


def test_headers_and_build_inputs(repo: Scratch) -> None:
    paths = ("kernel/entry/hot.h", "Makefile", "kernel/rules.mk", "kernel/link.ld", "GNUmakefile", "tests/new.mk")
    text = "CFLAGS += -Dirq_hot=cold -include evil.h\n"
    repo.each({path: writes(repo, path, text) for path in paths}, "Tier 1")


# --- types and modes ---


def test_file_replaced_by_a_symlink(repo: Scratch) -> None:
    repo.write("kernel/core/irq.c", repo.read(HOT))
    os.unlink(repo.root / HOT)
    os.symlink("../core/irq.c", repo.root / HOT)
    repo.bypassed_by(HOT, "a symbolic link stands where a protected file belongs")


def test_directory_replaced_by_a_symlink(repo: Scratch) -> None:
    repo.git("mv", "kernel/entry", "kernel/core/entry")
    os.symlink("core/entry", repo.root / "kernel/entry")
    repo.bypassed_by("kernel/entry", "a symbolic link stands above protected files")


def test_another_port_as_a_symlink(repo: Scratch) -> None:
    os.symlink("x86_64", repo.root / "kernel/arch/arm")
    repo.bypassed_by("kernel/arch/arm", "a symbolic link stands above protected files")


def test_mode_change(repo: Scratch) -> None:
    os.chmod(repo.root / HOT, 0o755)
    repo.bypassed_by(HOT)


def test_submodule_in_place_of_a_directory(repo: Scratch) -> None:
    repo.git("rm", "-q", "-r", "--cached", "kernel/entry")
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{repo.base},kernel/entry")
    assert not repo.staged()["ok"]
    repo.git("commit", "-q", "--no-verify", "-m", "gitlink")
    repo.refuses("kernel/entry", "a submodule stands above protected files")


def test_file_becomes_a_directory(repo: Scratch) -> None:
    os.unlink(repo.root / HOT)
    repo.write(HOT + "/irq.c", "int more;\n")
    repo.bypassed_by(HOT)


def test_type_change_is_refused_with_an_approval_too(repo: Scratch) -> None:
    os.unlink(repo.root / "kernel/entry/hot.h")
    os.symlink("../core/hot.h", repo.root / "kernel/entry/hot.h")
    repo.stage()
    repo.approve()
    repo.bypassed_by("no approval covers that")


# --- generators ---


def test_generator_edited(repo: Scratch) -> None:
    repo.append("gen/made.py", "print(2)\n")
    repo.bypassed_by("gen/made.py")


def test_generated_file_edited_by_hand(recorded: Scratch) -> None:
    recorded.write("xtask/__main__.py", "print('made')\n")
    recorded.append("policy.toml", '[[generator]]\noutput = "made.txt"\ninputs = ["policy.toml"]\ncommand = ["x"]\n')
    recorded.write("made.txt", "made\n")
    assert recorded.policy("generated")[0] == 0
    recorded.write("made.txt", "by hand\n")
    status, _, err = recorded.policy("generated")
    assert status == 1 and "policy: refused: made.txt" in err


# --- names ---


NAMES: list[str | bytes] = [
    "Kernel/entry/irq.c",
    "kernel/ENTRY/irq.c",
    "kernel/Entry",
    "Kernel/core/more.c",
    "makefile",
    "kernel/entr\u200by/irq.c",
    "kernel/\u202eyrtne/irq.c",
    "kernel/\uff45ntry/irq.c",
    "kernel/entry/ir\u00e9.c",
    "kernel/entry/ire\u0301.c",
    "kernel/\u0435ntry/irq.c",
    b"kernel/entry/\xff.c",
    b"kernel/\xffentry/irq.c",
    "policy/Approvals\u200b/x.toml",
]


def test_names_that_pass_for_others(repo: Scratch) -> None:
    repo.each({repr(name): writes(repo, name, "int more;\n") for name in NAMES}, "no approval covers that")


def test_control_characters_in_names(repo: Scratch) -> None:
    repo.write("kernel/entry/a\nb.c", "int more;\n")
    repo.bypassed_by("a control character")


# --- what git shows ---


def test_gitattributes(repo: Scratch) -> None:
    texts = ("*.c -diff\n", "*.c diff=hide\n", "*.c filter=hide\n", "xtask/** export-ignore\n")
    changes = {text: writes(repo, ".gitattributes", text) for text in texts}
    repo.each(changes | {"below": writes(repo, "docs/.gitattributes", texts[0])}, ".gitattributes", "Tier 0")


def test_attributes_and_settings_outside_the_tree_hide_nothing(repo: Scratch) -> None:
    for key, value in (
        ("diff.hide.textconv", "true"),
        ("diff.external", "true"),
        ("diff.renames", "copies"),
        ("core.quotePath", "false"),
        ("diff.ignoreSubmodules", "all"),
        ("core.attributesFile", "/dev/null"),
    ):
        repo.git("config", key, value)
    repo.write(".git/info/attributes", "*.c -diff diff=hide\nxtask/** export-ignore\n")
    repo.append(HOT, "int more;\n")
    repo.bypassed_by(HOT)
    repo.judged(1)


def test_replaced_objects(repo: Scratch) -> None:
    repo.append(HOT, "int more;\n")
    bad = repo.commit()
    good = repo.git("commit-tree", f"{repo.base}^{{tree}}", "-p", repo.base, "-m", "nothing")
    repo.git("replace", bad, good)
    repo.refuses(HOT)
    repo.judged(1)


def test_grafts(repo: Scratch) -> None:
    """The graft hides a change that was taken back: only its own commit shows it."""
    repo.append(HOT, "int more;\n")
    bad = repo.commit()
    repo.git("checkout", "-q", repo.base, "--", HOT)
    repo.append("readme", "more\n")
    last = repo.commit()
    repo.write(".git/info/grafts", f"{last} {repo.base}\n")
    assert bad not in repo.git("rev-list", "HEAD"), "the graft has no effect, the test shows nothing"
    repo.refuses(HOT)
    repo.judged(1)


# --- merges and history ---


def test_evil_merge(repo: Scratch) -> None:
    repo.two_sides()
    repo.git("merge", "-q", "--no-commit", "--no-ff", "side")
    repo.append(HOT, "int more;\n")
    repo.bypassed_by(HOT)
    repo.judged(1)


def test_merge_that_drops_the_other_side(repo: Scratch) -> None:
    repo.git("checkout", "-q", "-b", "side")
    repo.append("readme", "side\n")
    repo.commit("side")
    repo.git("checkout", "-q", "main")
    repo.append_approved(HOT, "int fix;\n", "approved fix")
    repo.passes()
    repo.git("merge", "-q", "--no-commit", "--no-ff", "side")
    repo.git("checkout", "-q", "side", "--", HOT)
    repo.bypassed_by(HOT)


def test_add_then_revert(repo: Scratch) -> None:
    repo.append(HOT, "int more;\n")
    repo.commit()
    repo.git("revert", "--no-edit", "HEAD")
    assert repo.git("diff", "--stat", repo.base, "HEAD") == ""
    repo.refuses(HOT)


def test_side_line_from_before_the_policy(repo: Scratch) -> None:
    repo.git("checkout", "-q", "-b", "side", repo.base + "^")
    repo.append(HOT, "int more;\n")
    repo.commit("side")
    repo.git("checkout", "-q", "main")
    repo.git("merge", "-q", "--no-ff", "-m", "merge", "side")
    repo.refuses(HOT)
    repo.judged(1)


def test_side_line_with_a_policy_of_its_own(repo: Scratch) -> None:
    repo.git("checkout", "-q", "-b", "side", repo.base + "^")
    repo.append(HOT, "int more;\n")
    repo.commit("side")
    repo.write("policy.toml", repo.git("show", f"{repo.base}:policy.toml") + "\n")
    repo.commit("a second beginning")
    repo.git("checkout", "-q", "main")
    repo.git("merge", "-q", "--no-ff", "-X", "ours", "-m", "merge", "side")
    repo.refuses(HOT)
    repo.has(repo.verdict("audit"), ("the policy begins in more than one commit",))


def test_side_line_from_under_a_weaker_policy(repo: Scratch) -> None:
    """Nobody judged the side line; the audit finds it at the merge."""
    repo.write("policy.toml", repo.read("policy.toml").replace('"kernel/link.ld"', '"kernel/link.ld", "kernel/core/"'))
    repo.stage()
    repo.approve()
    strict = repo.commit("kernel/core is Tier 1 now")
    repo.git("checkout", "-q", "-b", "side", repo.base)
    repo.append("kernel/core/other.c", "int more;\n")
    repo.commit("side")
    repo.passes()
    repo.git("checkout", "-q", "main")
    repo.git("merge", "-q", "--no-ff", "-m", "merge", "side")
    repo.refuses("kernel/core/other.c", base=strict)


def test_unrelated_history_merged_in(repo: Scratch) -> None:
    repo.git("checkout", "-q", "--orphan", "other")
    repo.git("rm", "-q", "-r", "-f", ".")
    repo.write("kernel/entry/new.c", "int more;\n")
    repo.commit("unrelated")
    repo.git("checkout", "-q", "main")
    repo.git("merge", "-q", "--allow-unrelated-histories", "-m", "merge", "other")
    repo.refuses("kernel/entry/new.c")


# --- bases and clones ---


def test_unknown_base(repo: Scratch) -> None:
    for name in ("nowhere", "0" * 40, "--all", "HEAD:readme"):
        status, _, err = repo.policy("check", "--base=" + name, "--head", "HEAD")
        assert status == 1 and "policy: refused" in err
    assert repo.judge(head="nowhere")[0] == 1


def test_shallow_clone(repo: Scratch, tmp_path: Path) -> None:
    repo.append(HOT, "int more;\n")
    repo.commit()
    subprocess.run(
        ["git", "clone", "-q", "--depth", "1", f"file://{repo.root}", str(tmp_path / "shallow")], check=True
    )
    shallow = Scratch(tmp_path / "shallow", repo.mode, repo.keys)
    for command in (["audit"], ["check", "--base", "HEAD", "--head", "HEAD"]):
        status, _, err = shallow.policy(*command)
        assert status == 1 and "it is shallow" in err
    assert shallow.judge("HEAD")[0] == 1


def test_no_merge_base(repo: Scratch) -> None:
    repo.git("checkout", "-q", "--orphan", "other")
    repo.commit("unrelated")
    repo.refuses("no common ancestor", audit=False)


def test_rewritten_branch(repo: Scratch) -> None:
    tip = repo.commit("one more")
    repo.git("reset", "-q", "--hard", repo.base)
    status, err = repo.judge(tip, "HEAD", "--ff-only")
    assert status == 1 and "never be rewritten" in err


# --- the judge itself ---


JUDGES = (
    "xtask/policy/verdict.py", ".ci/run", "policy/allowed_signers", ".pre-commit-config.yaml",
    ".github/workflows/policy.yml", ".gitlab-ci.yml", "scripts/hooks/pre-commit",
)  # fmt: skip


def test_the_judge_edited_with_what_it_judges(repo: Scratch) -> None:
    def change(path: str) -> Callable[[], None]:
        def both() -> None:
            repo.write(path, repo.read(path) + "\n" if path.endswith(".py") else "exit 0\n")
            repo.append(HOT, "int more;\n")

        return both

    repo.each({path: change(path) for path in JUDGES}, "Tier 0", HOT)


def test_a_checker_that_lets_everything_through(repo: Scratch) -> None:
    """The head's own checker would pass; the base's is what runs."""
    repo.write("xtask/policy/command.py", "def main(argv: list[str]) -> int:\n    return 0\n")
    repo.append(HOT, "int more;\n")
    repo.commit()
    repo.refuses(HOT)
    repo.judged(1)


def test_base_without_a_checker(repo: Scratch) -> None:
    repo.git("rm", "-q", "-r", "xtask/policy")
    bare = repo.commit()
    script = ROOT / "xtask/policy/judge.py"
    done = subprocess.run(
        ["/usr/bin/python3", str(script), "--base", bare, "--head", "HEAD"], cwd=repo.root, capture_output=True, check=False
    )
    assert done.returncode == 1 and b"no checker" in done.stderr


def test_policy_loosened_in_the_same_change(repo: Scratch) -> None:
    repo.write("policy.toml", repo.read("policy.toml").replace('"kernel/entry/", ', ""))
    repo.append(HOT, "int more;\n")
    repo.refuses_staged("policy.toml", HOT)
    _, _, err = repo.policy("check", "--staged")
    assert f"LOOSER: {HOT}: Tier 1 -> no tier" in err
    repo.commit()
    repo.refuses("policy.toml", HOT)


def test_policy_loosened_then_used_in_one_push(repo: Scratch) -> None:
    repo.write("policy.toml", repo.read("policy.toml").replace('"kernel/entry/", ', "").replace('symbols = ["irq_hot"]\n', ""))
    repo.stage()
    repo.approve()
    repo.commit("approved")
    repo.append(HOT, "int more;\n")
    repo.commit("used")
    repo.refuses(HOT, "the one this commit was made under does not", audit=False)
    repo.judged(1)


def test_policy_deleted_or_broken(repo: Scratch) -> None:
    repo.write("policy.toml", "tier = [\n")
    repo.refuses_staged("policy.toml")
    repo.git("rm", "-q", "-f", "policy.toml")
    repo.bypassed_by("the policy may change, never go away")


# --- approvals ---


def test_record_edited(repo: Scratch) -> None:
    repo.append(HOT, "int more;\n")
    repo.stage()
    record = repo.approve()
    repo.commit("approved")
    repo.passes()
    repo.write(record, repo.read(record).replace("so", "otherwise"))
    repo.bypassed_by(record)


def test_record_deleted(repo: Scratch) -> None:
    repo.append(HOT, "int more;\n")
    repo.stage()
    record = repo.approve()
    repo.commit("approved")
    repo.git("rm", "-q", record)
    repo.bypassed_by(record)


def test_record_made_up_by_hand(repo: Scratch) -> None:
    repo.append(HOT, "int more;\n")
    repo.stage()
    record = repo.approve()
    text = repo.read(record)
    repo.git("rm", "-q", "-f", record)
    repo.write("policy/approvals/" + "0" * 64 + ".toml", text)
    repo.bypassed_by("not a record")


def test_self_approval(signed: Scratch) -> None:
    signed.append(HOT, "int more;\n")
    signed.stage()
    signed.approve(who="ann")
    signed.bypassed_by(HOT, "its approver is the commit's author or committer")


def test_committing_what_another_wrote_is_self_approval_too(signed: Scratch) -> None:
    signed.append(HOT, "int more;\n")
    signed.stage()
    signed.approve(who="otto")
    signed.git("commit", "-q", "-m", "by otto", GIT_COMMITTER_EMAIL="Otto@example.org")
    signed.refuses(HOT, "its approver is the commit's author or committer")


def test_signature_of_an_unlisted_key(signed: Scratch) -> None:
    signed.append(HOT, "int more;\n")
    signed.stage()
    words = ["approve", "--staged", "--approver", "Otto <otto@example.org>", "--key", signed.key("mallory")]
    assert signed.policy(*words, "--why", "w" * 20, "--debugging", "d" * 20, "--verified", "v" * 20)[0] == 0
    signed.bypassed_by(HOT, "no key listed for otto@example.org made its signature")


def test_key_that_comes_with_the_change(signed: Scratch) -> None:
    kind, key = (signed.keys / "mallory.pub").read_text().split()[:2]
    signed.append("policy/allowed_signers", f"otto@example.org {kind} {key}\n")
    signed.append(HOT, "int more;\n")
    signed.stage()
    words = ["approve", "--staged", "--approver", "Otto <otto@example.org>", "--key", signed.key("mallory")]
    assert signed.policy(*words, "--why", "w" * 20, "--debugging", "d" * 20, "--verified", "v" * 20)[0] == 0
    signed.bypassed_by(HOT, "no key listed")


def test_unsigned_record(signed: Scratch) -> None:
    signed.append(HOT, "int more;\n")
    signed.stage()
    record = signed.approve()
    text = signed.read(record)
    signed.write(record, text[: text.index("signature = ")])
    signed.bypassed_by(HOT, "it is not signed")


def test_approver_who_is_none(recorded: Scratch) -> None:
    recorded.append(HOT, "int more;\n")
    recorded.stage()
    words = ["approve", "--staged", "--approver", "mallory@example.org", "--why", "w" * 20]
    assert recorded.policy(*words, "--debugging", "d" * 20, "--verified", "v" * 20)[0] == 2
    recorded.bypassed_by(HOT)


# --- tests weakened ---


def test_stages_weakened(repo: Scratch) -> None:
    texts = {
        "row gone": "one | all | 100\n",
        "row renamed": "one | all | 100\nzwei | all | 200\n",
        "ports narrowed": "one | all | 100\ntwo | x86_64 | 200\n",
        "deadline raised": "one | all | 100\ntwo | all | 2000\n",
        "row commented out": "one | all | 100\n# two | all | 200\n",
    }
    repo.each({name: writes(repo, "kernel/stages.tbl", text) for name, text in texts.items()}, "boot stages")


def test_tests_weakened(repo: Scratch) -> None:
    texts = {"new skip": "TEST(a)\nTEST(b)\nSKIP(b)\n", "test gone": "TEST(a)\n"}
    repo.each({name: writes(repo, "tests/a.c", text) for name, text in texts.items()}, "tests/a.c")


def test_test_file_deleted(repo: Scratch) -> None:
    repo.git("rm", "-q", "tests/a.c")
    repo.bypassed_by("tests/a.c")


def test_more_and_moved_tests_are_free(repo: Scratch) -> None:
    repo.write("tests/a.c", "TEST(a)\n")
    repo.write("tests/b.c", "TEST(b)\nTEST(c)\n")
    repo.write("kernel/stages.tbl", "one | all | 90\nthree | x86_64 | 9\ntwo | all | 200\n")
    repo.commit()
    repo.passes()
