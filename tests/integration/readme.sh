#!/usr/bin/env bash
# The README's words are true: its console lines print what it says (but for tokens, handles and times), and its C
# program compiles and works. Needs LATCHKEY_BIN, the folder of the binaries.
set -euo pipefail
cd "$(dirname "$0")/../.."
bin=$(cd "${LATCHKEY_BIN:-build/bin}" && pwd)
cflags=${LATCHKEY_CFLAGS:-}
temp=$(mktemp -d)
service=
finish() {
  [ -z "$service" ] || { kill -TERM "$service" && wait "$service" || true; }
  rm -rf "$temp"
}
trap finish EXIT
fail() { printf 'readme: %s\n' "$*"; sed 's/^/  log: /' "$temp/log" || true; exit 1; }

while read -r name; do unset "$name"; done < <(compgen -v LATCHKEY_)
LATCHKEY_STATE_DIR=$temp/state LATCHKEY_LISTEN=tcp://127.0.0.1:0 LATCHKEY_ADMIN_LISTEN= "$bin/latchkeyd" >"$temp/log" 2>&1 &
service=$!
for _ in $(seq 2000); do
  grep -q ' ready ' "$temp/log" && break
  kill -0 "$service" 2>/dev/null || fail "the service did not start"
  sleep 0.02
done
LATCHKEY_SERVER=$(sed -nE 's/.* ready url=([^ ]+).*/\1/p' "$temp/log")
[ -n "$LATCHKEY_SERVER" ] || fail "the service was not ready"
export LATCHKEY_SERVER

# What the README shows between each ```console and ```: the lines after "$ " run, in one shell, the others expected.
sed -n '/^```console$/,/^```$/p' README.md | grep -v '^```' >"$temp/console"
grep -c '^\$ ' "$temp/console" | grep -qx 13 || fail "the README has thirteen console lines"
normal() {
  sed -E 's/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}(\.[0-9]{3})?Z/TIME/g; s/[A-Za-z0-9_-]{11}\.[A-Za-z0-9_-]{16}/HANDLE/g; s/ +$//'
}
mkdir "$temp/tree" && mkdir "$temp/tree/build" && ln -s "$bin" "$temp/tree/build/bin"
{ echo 'exec 2>&1'; sed -n 's/^\$ //p' "$temp/console"; } >"$temp/lines.sh"
(cd "$temp/tree" && bash "$temp/lines.sh" || true) | normal >"$temp/got"
grep -v '^\$ ' "$temp/console" | normal >"$temp/wanted"
diff -u "$temp/wanted" "$temp/got" || fail "the console lines print something else (above: - the README, + now)"

# The C program, against the build's own header and library. It talks to the default port, so only its exit status for an
# address where nobody listens, or another service does, can differ: the address is written over in the copy.
sed -n '/^```c$/,/^```$/p' README.md | sed '1d;$d' >"$temp/hello.c"
[ "$(sed -n '/^{/,$p' "$temp/hello.c" | grep -c .)" -le 17 ] || fail "the C program is to stay within 15 lines"
sed -i 's|lk_client_open(NULL, |lk_client_open(\&here, |; s|^int main|static const char *const servers[] = {SERVER};\nstatic const struct lk_options here = {.struct_size = sizeof(here), .endpoints = servers, .endpoint_count = 1};\n\nint main|' "$temp/hello.c"
library=$bin/../lib
${CC:-cc} -std=gnu17 -Wall -Wextra -Werror $cflags -DSERVER="\"$LATCHKEY_SERVER\"" -Iclient/include "$temp/hello.c" \
  -o "$temp/hello" -L"$library" -llatchkey -Wl,-rpath,"$library" || fail "the C program does not compile"
token=$("$bin/latchkey" session create ann)
[ "$("$temp/hello" "$token")" = "welcome back, ann" ] || fail "the C program does not know a valid session"
status=0
"$temp/hello" "not-a-token" || status=$?
[ "$status" -eq 1 ] || fail "the C program takes a bad token for something else than invalid: exit status $status"
printf '12 passed, 0 failed\n'
