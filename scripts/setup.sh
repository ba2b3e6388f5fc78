#!/bin/sh
# scripts/setup.sh [--check] PURPOSE...: installs the Debian packages of each purpose (packages.tbl) that
# are missing, as root or with sudo. Quick when all are there: one dpkg-query, then a stamp.
# POSIX sh, since on a fresh machine there may be nothing else. Exit codes: 0, 2 usage, 125 missing.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
table=$here/packages.tbl
stamps=$root/.cairn/setup

usage() {
	echo "usage: scripts/setup.sh [--check] PURPOSE...   (purposes: $(purposes))" >&2
	exit 2
}

purposes() {
	sed -n 's/^\([a-z][a-z0-9]*\) .*/\1/p' "$table" | sort -u | tr '\n' ' '
}

packages_of() {
	sed -n "s/^$1 //p" "$table" | sort -u
}

# The stamp holds what it was made for: this table on this machine.
identity() {
	cksum <"$table"
	cat /etc/machine-id 2>/dev/null || uname -n
}

# Of the names on stdin, those that are not installed.
missing() {
	while read -r package; do
		dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -q '^installed' ||
			echo "$package"
	done
}

# Runs apt-get with these arguments and the names on stdin, as root.
apt_get() {
	if [ "$(id -u)" = 0 ]; then
		DEBIAN_FRONTEND=noninteractive xargs apt-get "$@" >&2
	elif command -v sudo >/dev/null 2>&1; then
		xargs sudo DEBIAN_FRONTEND=noninteractive apt-get "$@" >&2
	else
		return 1
	fi
}

install_packages() {
	echo "$1" | apt_get install -y --no-install-recommends && return 0
	apt_get update </dev/null && echo "$1" | apt_get install -y --no-install-recommends
}

setup_purpose() {
	purpose=$1
	packages_of "$purpose" | grep -q . || usage
	stamp=$stamps/$purpose
	[ "$(cat "$stamp" 2>/dev/null)" = "$(identity)" ] && return 0
	if ! command -v dpkg-query >/dev/null 2>&1; then
		echo "setup: not a Debian system; make sure that there is what these hold:" >&2
		packages_of "$purpose" >&2
		return 0
	fi
	lacking=$(packages_of "$purpose" | missing)
	if [ -n "$lacking" ]; then
		echo "setup: missing for $purpose:" >&2
		echo "$lacking" >&2
		[ "$check" = 0 ] || return 125
		install_packages "$lacking" || {
			echo "setup: cannot install packages here; please do (names above)" >&2
			return 125
		}
	fi
	mkdir -p "$stamps"
	identity >"$stamp"
}

install_hooks() {
	[ -d "$root/.git" ] || return 0
	[ -e "$root/.git/hooks/pre-commit" ] || (cd "$root" && pre-commit install >&2)
}

check=0
if [ "${1:-}" = --check ]; then
	check=1
	shift
fi
[ $# -gt 0 ] || usage
for purpose in "$@"; do
	setup_purpose "$purpose"
	if [ "$purpose" = hooks ] && [ "$check" = 0 ]; then
		install_hooks
	fi
done
