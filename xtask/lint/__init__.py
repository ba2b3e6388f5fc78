"""xtask lint: formatting, static analysis, layers. Checkers return findings; the command prints them."""
