"""xtask policy: which files are protected, whether each commit's changes to them are approved.

Nothing outside this package is imported but xtask.exitcodes: the base revision's copy of these files, by
themselves, judges what comes after it (judge.py).
"""
