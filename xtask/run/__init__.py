"""xtask run: any Linux program in the kernel, as if it ran here."""
