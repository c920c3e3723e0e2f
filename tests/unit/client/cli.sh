#!/bin/sh
# cli.sh LATCHKEY: what the command says and returns when it never reaches a server.
set -u
latchkey=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
unset LATCHKEY_SERVER LATCHKEY_REALM LATCHKEY_CREDENTIAL_FILE LATCHKEY_TIMEOUT LATCHKEY_CA LATCHKEY_CERT LATCHKEY_KEY
failures=0

# expect STATUS FRAGMENT ARGUMENT...: the exit status, and words in what it says on either stream.
expect() {
	status=$1 fragment=$2
	shift 2
	"$latchkey" "$@" > "$dir/out" 2>&1 < /dev/null
	got=$?
	if [ $got -ne "$status" ] || ! grep -qF -e "$fragment" "$dir/out"; then
		echo "latchkey $*: status $got instead of $status, or does not say \"$fragment\":"
		cat "$dir/out"
		failures=$((failures + 1))
	fi
}
nowhere="--server ipc://$dir/nowhere.sock"

expect 2 'no verb'
expect 2 'unknown verb "frob"' frob
expect 2 'unknown verb "session frob"' session frob
expect 2 'say what to do' session
expect 2 'frobnicate' --frobnicate
expect 2 "Try" --frobnicate
expect 2 'usage: latchkey session create USER' session create
expect 2 '"extra" is one word too many' session get a extra
expect 2 '--peek does not go with "session create"' session create ann --peek
expect 2 'timeout 0: not a number' --timeout 0 health
expect 2 'timeout soon: not a number' health --timeout soon
expect 2 '"x" is not an attribute of the form K=V' session create ann --attr x $nowhere
expect 2 '--idle -1: not a number' session create ann --idle -1
expect 2 '--reason why: not' session revoke x --reason why
expect 2 'is not a URL' --server localhost health
many=tcp://a,tcp://a,tcp://a,tcp://a
expect 2 '17 endpoints, at most 16' --server "$many,$many,$many,$many,tcp://a,tcp://a" health
expect 2 'no token on the standard input' session get - $nowhere
expect 2 'cannot read the credential file /nowhere' --credential-file /nowhere health
expect 2 'tls_ca_file' --server tls+tcp://127.0.0.1:1 health
expect 2 '/nowhere.pem' --server tls+tcp://127.0.0.1:1 --ca /nowhere.pem health
expect 2 'nothing to update' session update token $nowhere

expect 0 'Exit status: 0 the session is valid' --help
expect 0 'session revoke-user USER' --help
expect 0 '--expect VERSION' session update --help
expect 0 'latchkey 0.' --version

expect 3 'no connection to ipc://' $nowhere health
expect 3 '"verdict": "UNKNOWN"' session get whatever $nowhere
expect 3 'LK_E_UNAVAILABLE' session $nowhere revoke --timeout 0.3 whatever
export LATCHKEY_SERVER=ipc://$dir/environment.sock
expect 3 'environment.sock' health
export LATCHKEY_TIMEOUT=never
expect 2 'timeout never' health

exit $((failures > 0))
