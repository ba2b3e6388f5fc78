"""Tools for looking at one boot: quick_debug, find-in-logs."""
