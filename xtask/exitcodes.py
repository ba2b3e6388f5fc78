"""Exit codes that hold for every tool of the project."""

OK = 0
FAILED = 1
USAGE = 2
INFRA = 3
SKIPPED = 4
TIMEOUT = 124
CANNOT_BUILD = 125
PANIC = 255
