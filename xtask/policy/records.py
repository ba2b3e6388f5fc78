"""Approval records: policy/approvals/ID.toml, one file an approval, append-only.

A record's ID is the SHA-256 of everything in it but the signature; its file is named by it, so a record that
was edited is no record. In signed mode the same text is what ssh-keygen signs.

The binary gate asks waived(kind, subject) for records about what the built kernel does.
"""

from __future__ import annotations

import datetime
import hashlib
import os
import subprocess
import tempfile
import tomllib
from typing import NamedTuple

from .digest import RECORD_TAG, packed

APPROVALS = "policy/approvals/"
BREAK_GLASS = "policy/break-glass/"
SIGNERS = "policy/allowed_signers"
NAMESPACE = "policy@cairn"
# path: a change of protected files; reach, budget: what the binary does; follow-up: settles a break-glass;
# why: stands in for a missing Why: trailer; break-glass: not an approval.
KINDS = ("path", "reach", "budget", "follow-up", "why", "break-glass")
FIELDS = (
    "kind", "subject", "change", "repository", "branch", "policy", "expires", "serial", "approver",
    "why", "debugging", "verified",
)  # fmt: skip
NEEDED = ("kind", "repository", "branch", "policy", "expires", "serial", "approver", "why")


class RecordError(Exception):
    """A file that should be a record is none."""


class Record(NamedTuple):
    """One approval. Digests are hex; expires is YYYY-MM-DD, the last day it holds."""

    kind: str
    subject: str
    change: str
    repository: str
    branch: str
    policy: str
    expires: str
    serial: str
    approver: str
    why: str
    debugging: str
    verified: str
    signature: str = ""

    def text(self) -> bytes:
        """What is hashed and signed."""
        pairs = [part.encode() for name in FIELDS for part in (name, str(getattr(self, name)))]
        return packed([RECORD_TAG, *pairs])

    @property
    def id(self) -> str:
        return hashlib.sha256(self.text()).hexdigest()

    @property
    def path(self) -> str:
        return (BREAK_GLASS if self.kind == "break-glass" else APPROVALS) + self.id + ".toml"

    @property
    def principal(self) -> str:
        """The address of the approver: `Name <address>`, or the whole of it."""
        name = self.approver.strip()
        return name[name.rindex("<") + 1 : -1].strip() if name.endswith(">") and "<" in name else name


def toml_string(text: str) -> str:
    """A TOML basic string; lines become a multi-line one."""
    out = []
    for char in text:
        if char in '"\\':
            out.append("\\" + char)
        elif char == "\n":
            out.append("\n")
        elif char < " " or char == "\x7f":
            out.append(f"\\u{ord(char):04X}")
        else:
            out.append(char)
    body = "".join(out)
    return f'"""\n{body}"""' if "\n" in body else f'"{body}"'


def render(record: Record) -> str:
    lines = ["# An approval: never edited, never removed. docs/guide/policy.md says what it is."]
    lines += [f"{name} = {toml_string(getattr(record, name))}" for name in FIELDS]
    if record.signature:
        lines.append(f"signature = {toml_string(record.signature)}")
    return "\n".join(lines) + "\n"


def parse(data: bytes, path: str) -> Record:
    """The record in a file; the name of the file must be its ID."""
    try:
        table = tomllib.loads(data.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RecordError(f"{path}: {error}") from None
    unknown = sorted(set(table) - set(FIELDS) - {"signature"})
    if unknown:
        raise RecordError(f"{path}: unknown field {unknown[0]!r}")
    wrong = [name for name, value in table.items() if not isinstance(value, str)]
    if wrong:
        raise RecordError(f"{path}: {wrong[0]} is not a string")
    record = Record(*(table.get(name, "") for name in (*FIELDS, "signature")))
    for name in NEEDED:
        if not getattr(record, name).strip():
            raise RecordError(f"{path}: {name} is missing")
    if record.kind not in KINDS:
        raise RecordError(f"{path}: unknown kind {record.kind!r}")
    try:
        datetime.date.fromisoformat(record.expires)
    except ValueError:
        raise RecordError(f"{path}: expires is not a date (YYYY-MM-DD)") from None
    if path != record.path:
        raise RecordError(f"{path}: its name should be {record.path}: it was edited, or moved")
    return record


def expired(record: Record, day: datetime.date) -> bool:
    return datetime.date.fromisoformat(record.expires) < day


# --- signatures ---


def signature_problem(record: Record, signers: bytes | None) -> str:
    """Why the record's signature is not one of a listed key of its approver, or nothing."""
    if not record.signature:
        return "it is not signed"
    if not signers:
        return f"no keys are listed ({SIGNERS})"
    with tempfile.TemporaryDirectory(prefix="cairn-policy-") as directory:
        names = [os.path.join(directory, name) for name in ("signers", "signature")]
        for name, data in zip(names, (signers, record.signature.encode())):
            with open(name, "wb") as stream:
                stream.write(data)
        command = ["ssh-keygen", "-Y", "verify", "-f", names[0], "-I", record.principal, "-n", NAMESPACE]
        try:
            done = subprocess.run([*command, "-s", names[1]], input=record.text(), capture_output=True, check=False)
        except FileNotFoundError:
            return "ssh-keygen is not installed, so that no signature can be verified"
    if done.returncode == 0:
        return ""
    return f"no key listed for {record.principal} made its signature"


def sign(record: Record, key: str) -> Record:
    """The record with a signature by the private (or agent-held public) key in file `key`."""
    command = ["ssh-keygen", "-Y", "sign", "-q", "-f", key, "-n", NAMESPACE]
    try:
        done = subprocess.run(command, input=record.text(), capture_output=True, check=False)
    except FileNotFoundError:
        raise RecordError("ssh-keygen is not installed (apt install openssh-client)") from None
    if done.returncode or not done.stdout:
        raise RecordError(f"ssh-keygen: {done.stderr.decode('utf-8', 'replace').strip()}")
    return record._replace(signature=done.stdout.decode("ascii"))


# --- what the binary gate asks ---


def read_directory(root: str, directory: str = APPROVALS) -> list[Record]:
    """The records in a working tree; a file that is none is an error, not skipped."""
    where = os.path.join(root, directory)
    found = []
    for name in sorted(os.listdir(where)) if os.path.isdir(where) else []:
        if name.endswith(".toml"):
            with open(os.path.join(where, name), "rb") as stream:
                found.append(parse(stream.read(), directory + name))
    return found


def waived(kind: str, subject: str, root: str = ".", today: datetime.date | None = None) -> Record | None:
    """The record of the working tree that allows exactly this subject (`reach`, `budget`), if one does.

    It must be of this repository and this policy.toml, not expired and, in signed mode, signed by a key that
    HEAD lists.
    """
    from .policyfile import load_file

    policy = load_file(root)
    day = today or datetime.date.today()
    for record in read_directory(root):
        if (record.kind, record.subject) != (kind, subject) or expired(record, day):
            continue
        if record.repository != policy.repository or record.policy != policy.digest:
            continue
        if policy.signed and signature_problem(record, head_signers(root)):
            continue
        return record
    return None


def head_signers(root: str) -> bytes | None:
    from .git import Repo

    return Repo(root).try_git("cat-file", "blob", f"HEAD:{SIGNERS}")
