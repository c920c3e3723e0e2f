#!/bin/sh
# Builds Latchkey in a Debian 12 or 13 root and leaves what the image holds in FOLDER: build.sh FOLDER, from the tree's top.
# Root's, in a root that is thrown away: it installs what building needs.
set -eu
cd "$(dirname "$0")/../.."
out=$1

export DEBIAN_FRONTEND=noninteractive
apt-get update
# redis-server is for the embedded mode; install.sh brings it, building does not need it.
# shellcheck disable=SC2046
apt-get install -y --no-install-recommends $(awk '$1 == "build" && $2 != "redis-server" { print $2 }' packages.txt)

build=$(mktemp -d)
# Into the standard folders, where the programs find their library without being told.
cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DLK_TESTS=OFF -DCMAKE_INSTALL_PREFIX=/usr
cmake --build "$build"
DESTDIR=$out cmake --install "$build" --strip
rm -rf "$build" "$out/usr/include" "$out"/usr/lib/*/pkgconfig "$out"/usr/lib/*/cmake

# The packages of the libraries that the programs were linked with, by the names they have in this Debian.
mkdir -p "$out/usr/share/latchkey"
for program in "$out/usr/sbin/latchkeyd" "$out/usr/bin/latchkey"; do
  LD_LIBRARY_PATH=$(dirname "$(find "$out/usr/lib" -name 'liblatchkey.so.0')") ldd "$program"
done | awk '$3 ~ /^\// && $3 !~ /liblatchkey/ { print $3 }' | sort -u | while read -r library; do
  dpkg-query -S "*/$(basename "$library")" | cut -d: -f1
done | sort -u >"$out/usr/share/latchkey/packages"
cp helm/image/install.sh "$out/usr/share/latchkey/install.sh"
