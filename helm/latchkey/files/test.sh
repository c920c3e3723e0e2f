#!/bin/sh
# What `helm test` runs: a session is created, valid, revoked, and invalid. Where the caller and the server are is in the
# environment of the latchkey command.
set -eu

fail() { printf 'test: %s\n' "$*" >&2; exit 1; }

latchkey health || fail "the service does not serve"
if [ -z "${LATCHKEY_CREDENTIAL_FILE:-}" ]; then
  echo "test: served; no credential is named (test.credential.existingSecret), so no session was made"
  exit 0
fi
token=$(latchkey session create latchkey-helm-test) || fail "no session could be created"
printf '%s' "$token" | latchkey session get - >/dev/null || fail "the session is not valid"
printf '%s' "$token" | latchkey session revoke - >/dev/null || fail "the session could not be revoked"
status=0
answer=$(printf '%s' "$token" | latchkey session get -) || status=$?
[ "$status" -eq 1 ] || fail "the revoked session is not invalid: exit status $status, $answer"
printf '%s\n' "$answer" | grep -q '"verdict": "INVALID"' || fail "the revoked session is not invalid: $answer"
echo "test: created, valid, revoked, invalid"
