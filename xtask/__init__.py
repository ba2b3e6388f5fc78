"""Cairn's workflow kit: generators, the boot-stages runner, `run`, lint. Use: python3 -m xtask COMMAND."""
