"""Crash reports: what a log says about programs that a signal ended and kernels that panicked, in words."""
