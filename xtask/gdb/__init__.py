"""Named GDB sessions: a daemon that owns one QEMU and one GDB, and its client (docs/internals/gdb-session.md)."""
