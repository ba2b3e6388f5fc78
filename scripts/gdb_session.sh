#!/bin/sh
# GDB on a guest, in named sessions: `scripts/gdb_session.sh --help`; the work is in xtask/gdb.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH}
export PYTHONPATH
exec /usr/bin/python3 -m xtask gdb "$@"
