"""Pure parts: digest, patterns, names, ratchets, records as text, what a policy change means, symbols."""

from __future__ import annotations

import random

import pytest

from xtask.policy import names, ratchets, records, semantic, symbols
from xtask.policy.digest import change_digest, packed
from xtask.policy.git import Entry, parse_raw
from xtask.policy.policyfile import Policy, PolicyError

from .scratch import POLICY

ZERO, MODE, A, B = b"0" * 40, b"100644", b"a" * 40, b"b" * 40


def entry(path: bytes = b"x", old: bytes = A, new: bytes = B) -> Entry:
    return Entry(path, MODE, old, MODE, new)


# --- digest ---


def test_fields_cannot_run_into_each_other() -> None:
    assert packed([b"a", b"b"]) != packed([b"a b"]) != packed([b"ab"]) != packed([b"ab", b""])
    assert change_digest([entry(b"a b")]) != change_digest([entry(b"ab")])
    assert change_digest([entry(b"a"), entry(b"b")]) != change_digest([entry(b"a\nb")])


def test_packing_is_injective_on_random_lists() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    seen: dict[bytes, tuple[bytes, ...]] = {}
    for _ in range(20_000):
        fields = tuple(bytes(chance.choices(b"01:,ab ", k=chance.randrange(4))) for _ in range(chance.randrange(4)))
        assert seen.setdefault(packed(fields), fields) == fields


def test_digest_ignores_order_and_sees_every_field() -> None:
    one, two = entry(b"one"), entry(b"two")
    assert change_digest([one, two]) == change_digest([two, one]) == change_digest([two, one, one])
    changed = [one._replace(**{field: b"120000" if "mode" in field else b"c" * 40}) for field in one._fields]
    assert len({change_digest([e]) for e in [one, *changed]}) == 1 + len(one._fields)


def test_raw_diff_with_any_byte_in_its_names() -> None:
    data = b":100644 000000 " + A + b" " + ZERO + b" D\0a\n:\xff b\0" + b"c" * 40 + b"\0" + b"d" * 40 + b"\0"
    found = list(parse_raw(data))
    assert found == [(b"", [Entry(b"a\n:\xff b", MODE, A, b"000000", ZERO)]), (b"c" * 40, []), (b"d" * 40, [])]


# --- patterns and names ---


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("a/", b"a/b/c", True), ("a/", b"a", False), ("a/", b"ab/c", False), ("a/*/c/", b"a/b/c/d", True),
        ("a/*/c/", b"a/b/b/c/d", False), ("*.mk", b"x.mk", True), ("*.mk", b"d/x.mk", False),
        ("**/*.mk", b"x.mk", True), ("**/*.mk", b"d/e/x.mk", True), ("a.c", b"abc", False), ("a/", b"a/b\nc", True),
    ],
)  # fmt: skip
def test_patterns(pattern: str, path: bytes, matches: bool) -> None:
    assert names.Patterns([pattern]).match(path) == matches


def test_directories_above() -> None:
    patterns = names.Patterns(["kernel/arch/*/entry/", "Makefile"])
    assert all(patterns.is_above(p) for p in (b"kernel", b"kernel/arch", b"kernel/arch/x", b"kernel/arch/x/entry"))
    assert not any(patterns.is_above(p) for p in (b"kernel/core", b"kernel/arch/x/cpu", b"Makefile", b"k"))


def test_plain_names_are_not_suspicious() -> None:
    patterns = names.Patterns(["kernel/entry/", "Makefile", "**/*.mk"])
    for path in (b"kernel/core/Entry.c", b"docs/\xc3\xa9", b"Kernelspace", b"userspace/Makefile.txt", b"\xff"):
        assert names.suspicious(path, patterns) == "", path


def test_names_are_shown_on_one_line_with_nothing_hidden() -> None:
    assert names.show("a\n\u202eb\u200b".encode()) == "a\\n\\u202eb\\u200b"
    assert names.show(b"\xff") == "\\xff"


# --- policy.toml ---


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("version = 1", "version = 2"), ('mode = "recorded"', 'mode = "maybe"'), ("tier = 1", "tier = 3"),
        ("expiry_days = 30", "expiry_days = 0"), ('kind = "table"', 'kind = "tables"'), ("may = ", "will = "),
        ('"kernel/entry/"', '"/kernel/entry/"'), ('"kernel/entry/"', "7"), ("[[tier]]", "[[teir]]"),
        ("why = ", "whom = "), ("pattern = '", "pattern = '("), ("version", "= version"),
    ],
)  # fmt: skip
def test_policy_with_a_mistake_is_refused(old: str, new: str) -> None:
    text = POLICY.format(mode="recorded")
    assert Policy(text.encode()).rules
    with pytest.raises(PolicyError):
        Policy(text.replace(old, new, 1).encode())


def test_the_judge_is_protected_whatever_the_policy_says() -> None:
    policy = Policy(b'version = 1\nrepository = "r"\nbranch = "b"\nmode = "recorded"\n')
    for path in (b"policy.toml", b"xtask/policy/git.py", b".ci/run", b"sub/.gitattributes", b".github/x", b"scripts/hooks/x"):
        assert policy.tier(path) == 0 and policy.frozen.match(path)
    assert policy.tier(b"readme") is None


def test_what_a_policy_change_means() -> None:
    old = Policy(POLICY.format(mode="signed").encode())
    text = POLICY.format(mode="recorded").replace('"kernel/entry/", ', "").replace("irq_hot", "other")
    new = Policy(text.replace('name = "skips"', 'name = "jumps"').encode())
    lines = semantic.compare(old, new, [b"kernel/entry/a.c", b"readme"])
    for line in (
        "LOOSER: approvals need no signature any more",
        "LOOSER: kernel/entry/a.c: Tier 1 -> no tier",
        "LOOSER: symbol Tier 1 irq_hot leaves",
        "LOOSER: ratchet 'skips' is gone",
    ):
        assert line in lines
    assert semantic.compare(old, old, [b"kernel/entry/a.c"]) == []


def test_budgets_are_compared_by_name() -> None:
    base = POLICY.format(mode="recorded")
    row = '\n[[hotpath.measure]]\nname = "{}"\nbudget = {}\n'
    old = Policy((base + row.format("tick", 100)).encode())
    new = Policy((base + row.format("new", 5) + row.format("tick", 200)).encode())
    assert "hotpath: measure[tick].budget: 100 -> 200" in semantic.compare(old, new, [])


# --- records ---


def record(**fields: str) -> records.Record:
    values = {name: "x" for name in records.FIELDS} | {"kind": "path", "expires": "2026-01-02"} | fields
    return records.Record(**values)


def test_record_comes_back_as_written() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    for _ in range(300):
        why = "w" + "".join(chance.choices('\\"\n\t\r \x00\x7f\u00e9\U0001f600#\'=', k=chance.randrange(12))) + "w"
        made = record(why=why, signature=chance.choice(["", "-----BEGIN\nx\n"]))
        assert records.parse(records.render(made).encode(), made.path) == made


def test_every_field_is_in_the_id() -> None:
    ids = {record().id} | {record(**{name: "2026-01-03" if name == "expires" else "reach" if name == "kind" else "y"}).id for name in records.FIELDS}
    assert len(ids) == 1 + len(records.FIELDS)


def test_fields_of_a_record_do_not_run_into_each_other() -> None:
    assert record(why="a", debugging="b c").id != record(why="a b", debugging="c").id


@pytest.mark.parametrize("text", ["", "kind = 1", "x = [", 'kind = "path"', 'mystery = "x"'])
def test_files_that_are_no_records(text: str) -> None:
    with pytest.raises(records.RecordError):
        records.parse(text.encode(), records.APPROVALS + "0.toml")


def test_principal() -> None:
    assert record(approver="Otto <otto@example.org>").principal == "otto@example.org"
    assert record(approver="otto@example.org").principal == "otto@example.org"


# --- ratchets ---


def slips(path: bytes, old: str, new: str) -> list[str]:
    policy = Policy(POLICY.format(mode="recorded").encode())
    blobs = {A: old.encode(), B: new.encode()}
    return [slip.detail for slip in ratchets.slips([entry(path)], policy, blobs.__getitem__)]


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        ("a | all | 10", []), ("a | all | 9\nb | x | 1", []), ("# a | all | 10", ["row a is gone"]),
        ("a | x,y | 10", ["row a: field 2 narrows: all -> x,y"]), ("a | all | 11", ["row a: field 3 rises: 10 -> 11"]),
        ("a | all | soon", ["row a: field 3 rises: 10 -> soon"]), ("a | all", ["row a: field 3 rises: 10 -> "]),
    ],
)  # fmt: skip
def test_table_ratchet(new: str, expected: list[str]) -> None:
    assert slips(b"kernel/stages.tbl", "a | all | 10\n", new + "\n") == expected


def test_count_ratchet() -> None:
    assert slips(b"tests/a.c", "TEST(a)\n", "TEST(a)\nTEST(b)\n") == []
    assert slips(b"tests/a.c", "TEST(a)\nTEST(b)\n", "TEST(a)\n") == ["-1"]
    assert slips(b"tests/a.c", "", "SKIP(a) SKIP(b)\n") == ["+2"]
    assert slips(b"other/a.c", "TEST(a)\n", "") == []


# --- symbols ---


@pytest.mark.parametrize(
    ("text", "defined"),
    [
        ("void hot(int a)\n{\n}\n", True), ("static inline u64 *hot(void)\n{", True), ("hot:\n\tret\n", True),
        ("void hot(int a);\n", False), ("\thot(1);\n", False), ("void hotter(void)\n{\n}\n", False),
        ("const fn hot[4] = {\n", True), ("struct regs *hot(struct regs *r,\n\t\tint b)\n{\n", True), ("#define hot(x) {\n", False),
    ],
)  # fmt: skip
def test_definitions(text: str, defined: bool) -> None:
    assert bool(symbols.definition("hot").search(text)) == defined


MAP = """
 .text.irq_hot  0x0000000000001000       0x10 build/x/kernel/core/other.c.o
                0x0000000000001000                irq_hot
 .text          0x0000000000002000       0x20 build/x/kernel/entry/sys.S.o
                0x0000000000002000                entry
 .text.a_function_with_a_long_name
                0x0000000000003000       0x20 build/x/kernel/entry/b.c.o
                0x0000000000003000                a_function_with_a_long_name
"""


def test_link_map() -> None:
    found = symbols.objects(MAP)
    assert found["irq_hot"].endswith("core/other.c.o") and found["entry"].endswith("entry/sys.S.o")
    assert found["a_function_with_a_long_name"].endswith("entry/b.c.o")
    policy = Policy(POLICY.format(mode="recorded").encode())
    assert symbols.in_map(policy, MAP, "x") == ["irq_hot: comes from kernel/core/other.c, not from Tier 1, hot path"]
    assert symbols.in_map(policy, MAP.replace("core/other", "entry/irq"), "x") == []
    assert symbols.in_map(policy, "", "x") == ["irq_hot: the x kernel's link map does not have it"]
