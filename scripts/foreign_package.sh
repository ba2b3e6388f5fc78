#!/usr/bin/env bash
# foreign_package.sh ARCH PACKAGE...: unpacks Debian packages of another architecture below
# build/debian/ARCH, for programs that are run in the kernel and not on this machine. Needs root the first
# time: the architecture becomes known to dpkg, and its package lists are fetched.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ $# -lt 2 ]; then
	echo "usage: $0 ARCH PACKAGE..." >&2
	exit 2
fi
arch=$1
shift
root=build/debian/$arch
packages=$(mktemp -d)
trap 'rm -rf "$packages"' EXIT

if ! dpkg --print-foreign-architectures | grep -qx "$arch"; then
	dpkg --add-architecture "$arch"
	apt-get update -qq
fi
mkdir -p "$root"
for package in "$@"; do
	stamp=$root/.$package
	[ -e "$stamp" ] && continue
	(cd "$packages" && apt-get download -qq "$package:$arch") || exit 3
	dpkg -x "$packages/$package"_*.deb "$root"
	touch "$stamp"
done
