#!/usr/bin/python3
"""Crashes in a log, in words; see xtask/crash/command.py."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from xtask.crash.command import main
from xtask.pipe import quietly

if __name__ == "__main__":
    sys.exit(quietly(main, sys.argv[1:]))
