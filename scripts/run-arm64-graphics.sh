#!/usr/bin/env bash
# run-arm64-graphics.sh [release|debug] [OPTION...] [-- ELF [ARG...]]: the aarch64 kernel with a screen and a keyboard;
# a window where there is a display. Without a program: a shell of Debian's busybox. OPTIONs are those of `xtask run`.
set -euo pipefail
cd "$(dirname "$0")/.."

variant=release
case ${1-} in
release | debug)
	variant=$1
	shift
	;;
-h | --help)
	sed -n '2,3s/^# //p' "$0"
	exit 0
	;;
-* | '') ;;
*)
	echo "usage: $0 [release|debug] [OPTION...] [-- ELF [ARG...]]" >&2
	exit 2
	;;
esac
run=(/usr/bin/python3 -m xtask run --arch aarch64 --variant "$variant" --graphics)
for word in "$@"; do
	[ "$word" = -- ] && exec "${run[@]}" "$@"
done
busybox=build/debian/arm64/bin/busybox
[ -x "$busybox" ] || scripts/foreign_package.sh arm64 busybox-static
exec "${run[@]}" "$@" --add "$busybox:/bin/sh" --env 'PS1=cairn:\w# ' -- "$busybox" sh
