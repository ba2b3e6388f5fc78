"""A guest: QEMU with its channels, seen as bytes and ends. machine.py says how it is started, launch.py
starts and ends it, session.py waits for what it says, qmp.py asks it questions, trace.py symbolises."""
