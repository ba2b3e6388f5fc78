#!/bin/sh
# Runs the test programs given as arguments and adds up their closing lines ("NAME: P passed, F failed").
# A program that ends without one counts as a failure. 0 only if something ran and nothing failed.
set -eu
passed=0
failed=0
for bin in "$@"; do
	status=0
	out=$("$bin") || status=$?
	printf '%s\n' "$out"
	p=$(printf '%s\n' "$out" | sed -n 's/^closing: \([0-9]*\) passed, [0-9]* failed$/\1/p')
	f=$(printf '%s\n' "$out" | sed -n 's/^closing: [0-9]* passed, \([0-9]*\) failed$/\1/p')
	if [ -z "$p" ] || { [ "$status" -ne 0 ] && [ "$f" -eq 0 ]; }; then
		printf 'FAIL %s: ended with status %s\n' "$bin" "$status"
		p=${p:-0}
		f=$((${f:-0} + 1))
	fi
	passed=$((passed + p))
	failed=$((failed + f))
done
printf 'host: %s passed, %s failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
