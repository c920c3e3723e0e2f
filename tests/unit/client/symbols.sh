#!/bin/sh
# symbols.sh LIBRARY LIST: the library exports what the list says, no more and no less.
set -eu
found=$(mktemp)
trap 'rm -f "$found"' EXIT
# A library for sanitizers also exports what their runtime needs.
nm -D --defined-only --format=posix "$1" | awk '$2 == "T" || $2 == "D" || $2 == "B" || $2 == "R" { print $1 }' |
	sed 's/@.*//' | grep -v -e '^__asan' -e '^__odr_asan' -e '^__ubsan' -e '^__tsan' | LC_ALL=C sort > "$found"
diff -u "$2" "$found"
