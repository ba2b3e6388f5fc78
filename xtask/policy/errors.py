"""What every command does with trouble: one line, an exit code, and for a machine JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

from .. import exitcodes
from .git import GitError
from .policyfile import PolicyError
from .records import RecordError


class UsageError(Exception):
    """The words on the command line make no sense together."""


def guarded(run: Callable[[str, list[str]], int], name: str, argv: list[str]) -> int:
    """Trouble with the repository or the policy is a refusal (1), never a pass."""
    try:
        return run(name, argv)
    except UsageError as error:
        print(f"policy {name}: {error}", file=sys.stderr)
        return exitcodes.USAGE
    except (GitError, PolicyError, RecordError) as error:
        if "--json" in argv:
            print(json.dumps({"ok": False, "error": str(error), "findings": []}))
        then = "python3 -m xtask policy doctor"
        print(f"policy: refused: {name}\n  why:  {error}\n  next: {then}", file=sys.stderr)
        return exitcodes.FAILED
    except FileNotFoundError as error:
        print(f"policy {name}: {error.filename}: not found", file=sys.stderr)
        return exitcodes.INFRA
