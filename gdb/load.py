"""Loads the `cairn` commands into GDB: `source gdb/load.py`. Sourcing it again takes up changed files."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
if HERE not in sys.path:
    sys.path.insert(0, HERE)
for _name in [name for name in sys.modules if name == "cairn" or name.startswith("cairn.")]:
    del sys.modules[_name]

import cairn  # noqa: E402

cairn.register_all()
