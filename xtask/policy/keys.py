"""`policy trust-key PRINCIPAL FILE.pub`: lists an approver's SSH key, and moves to signed approvals.

Both are changes of Tier 0, which go through an approval like any other: the first by name, the next signed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys

from .. import exitcodes
from .check import open_repo
from .errors import UsageError
from .policyfile import POLICY, Policy, load_file
from .records import NAMESPACE, SIGNERS

KEY = re.compile(r"(sk-)?(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521))(@openssh\.com)? [A-Za-z0-9+/=]+\Z")
ADDRESS = re.compile(r"[^\s,*?!\"<>]+@[^\s,*?!\"<>]+\Z")


def public_key(path: str) -> str:
    try:
        with open(path, encoding="ascii") as stream:
            text = stream.read().strip()
    except (OSError, UnicodeError) as error:
        raise UsageError(f"{path}: {error}") from None
    words = " ".join(text.split()[:2])
    if "\n" in text or not KEY.match(words):
        raise UsageError(f"{path}: not one public key of SSH (the file ends in .pub)")
    return words


def signed_policy(text: str, principal: str) -> str:
    """policy.toml with mode = "signed" and the approver among the approvers, if there is such a list."""
    text, count = re.subn(r'^mode\s*=\s*"recorded"', 'mode = "signed"', text, count=1, flags=re.MULTILINE)
    policy = Policy(text.encode())
    if policy.approvers and principal not in policy.approvers:
        listed = ", ".join(json.dumps(name) for name in [*policy.approvers, principal])
        text = re.sub(r"^approvers\s*=\s*\[[^\]]*\]", f"approvers = [{listed}]", text, count=1, flags=re.MULTILINE)
    after = Policy(text.encode())
    if not after.signed or (after.approvers and principal not in after.approvers):
        raise UsageError(f"{POLICY}: mode and approvers could not be edited; write mode = \"signed\" by hand")
    return text


def main(name: str, argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog=f"xtask policy {name}", description=__doc__)
    parser.add_argument("principal", metavar="PRINCIPAL", help="the approver's mail address")
    parser.add_argument("key", metavar="FILE.pub", help="the approver's public key")
    parser.add_argument("--keep-mode", action="store_true", help="list the key, leave the mode as it is")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    if not ADDRESS.match(options.principal):
        raise UsageError(f"{options.principal}: not a mail address")
    root = open_repo().directory
    load_file(root)
    line = f'{options.principal} namespaces="{NAMESPACE}" {public_key(options.key)}\n'
    path = os.path.join(root, SIGNERS)
    known = ""
    if os.path.exists(path):
        with open(path, encoding="utf-8") as stream:
            known = stream.read()
    if line in known:
        raise UsageError(f"{SIGNERS} has this key already")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "a", encoding="utf-8") as stream:
        stream.write(line)
    if not options.keep_mode:
        change_policy(os.path.join(root, POLICY), options.principal)
    if options.json:
        print(json.dumps({"ok": True, "principal": options.principal, "signers": SIGNERS}))
    print(f"policy: {SIGNERS} and {POLICY} are edited: git add them, then", file=sys.stderr)
    print("  python3 -m xtask policy request --staged", file=sys.stderr)
    return exitcodes.OK


def change_policy(path: str, principal: str) -> None:
    with open(path, encoding="utf-8") as stream:
        text = signed_policy(stream.read(), principal)
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(text)
