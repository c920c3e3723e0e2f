#!/bin/sh
# cli.sh LATCHKEY: what the command says and returns; first where no server is, then with the service of the same build.
set -u
latchkey=$1
dir=$(mktemp -d)
service=
finish() {
	[ -z "$service" ] || { kill -TERM "$service" && wait "$service"; }
	rm -rf "$dir"
}
trap finish EXIT
unset LATCHKEY_SERVER LATCHKEY_REALM LATCHKEY_CREDENTIAL_FILE LATCHKEY_TIMEOUT LATCHKEY_CA LATCHKEY_CERT LATCHKEY_KEY
unset LATCHKEY_SERVER_NAME
failures=0
input=/dev/null
output=$dir/out

fail() {
	echo "latchkey $1"
	cat "$dir/out" "$dir/err"
	failures=$((failures + 1))
}

# run STATUS ARGUMENT...: leaves what it says in out and err.
run() {
	status=$1
	shift
	: > "$dir/out"
	"$latchkey" "$@" > "$output" 2> "$dir/err" < "$input"
	got=$?
	[ $got -eq "$status" ] || fail "$*: status $got instead of $status:"
}

# expect STATUS FRAGMENT ARGUMENT...: the exit status, and words in what it says on either stream.
expect() {
	status=$1 fragment=$2
	shift 2
	run "$status" "$@"
	cat "$dir/out" "$dir/err" | grep -qF -e "$fragment" || fail "$*: does not say \"$fragment\":"
}

# refuse FRAGMENT ARGUMENT...: bad usage, and nothing on stdout.
refuse() {
	fragment=$1
	shift
	expect 2 "$fragment" "$@"
	[ ! -s "$dir/out" ] || fail "$*: says something on stdout:"
}

# after a run: words that stdout has, or that neither stream has.
out_has() { grep -qF -e "$1" "$dir/out" || fail "...: no \"$1\" on stdout:"; }
err_has() { grep -qF -e "$1" "$dir/err" || fail "...: no \"$1\" on stderr:"; }
has_not() { ! cat "$dir/out" "$dir/err" | grep -qF -e "$1" || fail "...: says \"$1\":"; }
nowhere="--server ipc://$dir/nowhere.sock"

# ---- The line ----

handle=A-PbSLoIlGM.LTja1wi3BNd_9Y3F

refuse 'no verb'
refuse 'unknown verb "frob"' frob
refuse 'unknown verb "session frob"' session frob
refuse 'session: say what to do; latchkey session --help has the verbs' session
refuse "latchkey: unrecognized option '--frobnicate'" --frobnicate
refuse 'Try "latchkey --help"' --frobnicate
has_not --usage
refuse "unrecognized option '--usage'" --usage
refuse 'behind "--"' session list -dash
refuse 'usage: latchkey session create USER' session create $nowhere
refuse '"ann": with --anonymous there is no user' session create ann --anonymous $nowhere
refuse 'no token on the standard input' session create ann --promote - $nowhere
refuse 'usage: latchkey session promote TOKEN USER' session promote token
refuse 'no token to promote' session promote '' ann $nowhere
refuse '--anonymous does not go with "session promote"' session promote token ann --anonymous
refuse '--grace does not go with "session get"' session get token --grace 1
refuse '--grace "-1": not a number from 0 to' session rotate token --grace -1
refuse '--aal "4": not a number from 1 to 3' session get token --aal 4
refuse '--amr is given more than 8 times' session get token $(seq -f '--amr=m%g' 9)
refuse '--within "0": not a number' session get token --within 0
refuse '--privileged does not go with "session rotate"' session rotate token --privileged
refuse 'this is a handle; revoke takes it, rotate needs the token' session rotate $handle $nowhere
refuse 'this is a handle; revoke takes it, get-many needs the token' session get-many x $handle $nowhere
refuse 'no token on the standard input' session get-many x - $nowhere
refuse 'is one word too many' session get-many $(seq 65) $nowhere
refuse 'this is a handle; revoke takes it, --token needs the token' session verify ann --token $handle $nowhere
refuse '--token is given more than 64 times' session verify ann $(seq -f '--token=%g' 65)
for time in 2026-01-31 2026-01-31T12:00:00 2026-01-31T12:00:00+01:00 2026-01-31T12:00:00.Z 2026-02-29T12:00:00Z 1970-01-01T00:00:00Z soon ''; do
	refuse "--before \"$time\": not a time in UTC" session revoke-realm --realm shop --before "$time"
done
refuse '--count "0": not a number' session watch --count 0
refuse '--cursor "": must not be empty' session watch --cursor ''
refuse '"extra" is one word too many' session get a extra
refuse '"extra" is one word too many; usage: latchkey info' info extra
refuse '--peek does not go with "session create"' session create ann --peek
refuse '"extra" is one word too many; usage: latchkey redis' redis extra
refuse '--peek does not go with "redis"' redis --peek
refuse '--timeout "0": not a number' --timeout 0 health
refuse '--timeout "soon": not a number' health --timeout soon
refuse '--timeout "0x5": not a number' health --timeout 0x5
refuse '--timeout "1e1": not a number' health --timeout 1e1
refuse '--timeout ".": not a number' health --timeout .
refuse '"x" is not an attribute of the form K=V' session create ann --attr x $nowhere
refuse 'the attribute "a" is given twice' session create ann --attr a=1 --attr b=1 --attr a=2 $nowhere
refuse 'the attribute "b" is given twice' session update token a=1 b=1 bb=3 b=2 $nowhere
refuse '--idle "-1": not a number' session create ann --idle -1
refuse '--reason "why": not' session revoke x --reason why
refuse 'takes admin or credential-change' session revoke-user ann --reason logout
refuse '--class "": must not be empty' session revoke-user ann --class ''
refuse '--except "": must not be empty' session revoke-user ann --except ''
refuse 'is not a URL' --server localhost health
refuse '--server "": names no server' health --server ''
refuse '--server ",": names no server' health --server ,
many=tcp://a,tcp://a,tcp://a,tcp://a
refuse '17 endpoints, at most 16' --server "$many,$many,$many,$many,tcp://a,tcp://a" health
refuse 'no token on the standard input' session get - $nowhere
refuse 'no token on the standard input' session revoke-user ann --except - $nowhere
refuse 'tls_ca_file' --server tls+tcp://127.0.0.1:1 health
refuse '/nowhere.pem' --server tls+tcp://127.0.0.1:1 --ca /nowhere.pem health
refuse 'nothing to update' session update token $nowhere
refuse 'this is a handle; revoke takes it, get needs the token' session get $handle $nowhere
refuse 'this is a handle; revoke takes it, update needs the token' session update $handle a=1 $nowhere
refuse 'this is a handle; revoke takes it, --except needs the token' session revoke-user a --except $handle $nowhere
# Many times the same option hides no other.
hundred=$(for i in $(seq 60); do echo "--attr k$i=v"; done)
refuse '--peek does not go with' session create ann $hundred --peek

refuse 'profile: say what to do' profile
refuse 'unknown verb "lock frob"' lock frob
refuse 'nothing to set: give K=V' profile set ann $nowhere
refuse '"x" is not an attribute of the form K=V' profile set ann x $nowhere
for counter in =1 n= n=1x n=x 'n= 1' n=9223372036854775808; do
	refuse "\"$counter\" is not a counter of the form K or K=N" profile incr ann "$counter" $nowhere
done
for counter in n n= =1 n=x 'n= 1' n=9223372036854775808; do
	refuse "--number \"$counter\": not a counter of the form K=N" profile set ann "--number=$counter" $nowhere
done
refuse '65 fields: at most 64 at once' profile set ann $(seq -f 'k%g=1' 64) --number n=1 $nowhere
refuse '--number does not go with "profile incr"' profile incr ann n --number n=1
refuse '--from "2026-02-30": not a day in UTC' visitors count home --from 2026-02-30
refuse '--to "2026-01-31T12": not a time in UTC' visitors count home --to 2026-01-31T12
refuse '--replace does not go with "profile incr"' profile incr ann n --replace
refuse '--expect does not go with --expect-none' profile set ann a=1 --expect 1 --expect-none $nowhere
refuse '--expect does not go with --expect-none' profile incr ann n --expect 1 --expect-none $nowhere
refuse '--burst goes with gcra and token-bucket' limit check l --limit 2 --per 1 --algorithm fixed-window --burst 5 $nowhere
refuse '--lease does not go with --no-lease' auth lookup ann may --lease 1 --no-lease $nowhere
for roles in 'a b' a, ,a A "$(printf 'a\nrole x * *')"; do
	refuse 'with commas and no blanks between' credential new web-1 --role "$roles"
done
refuse '--count "257": at most 256 at once' profile changes mail --count 257 $nowhere
refuse '--deliveries "101": not a number from 1 to 100' profile changes mail --deliveries 101
refuse 'an id has 0 bytes' visitors record home '' $nowhere
input=$dir
refuse 'cannot read the standard input' visitors record home - $nowhere
input=/dev/null
refuse 'is one word too many' visitors count $(seq 17)
refuse '--from "yesterday": not a time in UTC' visitors count home --from yesterday
refuse '--group is given more than 4 times' auth lookup ann may $(seq -f '--group=%g' 5)
refuse '--lease "0.005": not a number of seconds from 0.01 to 60' auth lookup ann may --lease 0.005
refuse 'this is no lease: it is in hex' auth fill ann may XY yes $nowhere
refuse 'this is no lease: it is in hex' auth fill ann may abc yes $nowhere
refuse 'give either an ANSWER or --negative' auth fill ann may ab $nowhere
refuse 'give either an ANSWER or --negative' auth fill ann may ab yes --negative $nowhere
refuse 'give either a SUBJECT' auth forget $nowhere
refuse 'give either a SUBJECT' auth forget ann --group editors $nowhere
refuse 'give either a SUBJECT' auth forget --group editors --group owners $nowhere
refuse 'the KEY must not be empty' auth forget ann '' $nowhere
refuse '--group "": must not be empty' auth forget --group '' $nowhere
refuse 'needs --limit and --per' limit check login --limit 5 $nowhere
refuse 'needs --limit and --per' limit check login --per 5 $nowhere
refuse '--limit "0": not a number' limit check login --limit 0 --per 1
refuse '--per "2592001": not a number of seconds from 0.001 to 2592000' limit check login --limit 1 --per 2592001
refuse '--algorithm "leaky": not gcra, sliding-window, fixed-window or token-bucket' limit reset login --algorithm leaky
refuse '--cost does not go with --peek' limit check login --limit 1 --per 1 --peek --cost 2 $nowhere
refuse 'lock acquire needs --ttl' lock acquire report $nowhere
refuse 'lock extend needs --ttl' lock extend report ab $nowhere
refuse 'this is no owner: it is in hex' lock release report owner $nowhere
refuse 'no token on the standard input' lock release report - $nowhere

refuse 'cannot read the credential file /nowhere: No such file' --credential-file /nowhere health
refuse 'cannot read the credential file /: Is a directory' --credential-file / health
: > "$dir/credential"
refuse "the credential file $dir/credential is empty" --credential-file "$dir/credential" health
printf '%0129d\n' 0 > "$dir/credential"
refuse "the credential in $dir/credential has over 128 bytes" --credential-file "$dir/credential" health
printf '%0128d\r\n' 0 > "$dir/credential"
expect 3 'no connection' --credential-file "$dir/credential" health $nowhere

# ---- Help ----

expect 0 '0  the session is valid, or it is done' --help
out_has '1  the session is invalid; of "redis": some slots have no serving primary'
out_has '4  refused by the server: a conflict, a cap or another limit, not allowed, not supported'
out_has 'behind "--"'
has_not --usage
expect 0 'Usage: latchkey VERB' -h
expect 0 'Usage: latchkey VERB' '-?'
expect 0 'Usage: latchkey session get TOKEN [OPTION...]' session get -h
expect 0 'session revoke-user USER' --help
out_has 'session create USER|--anonymous'
out_has 'session get-many TOKEN...'
out_has 'session watch '
out_has 'profile incr USER K[=N]...'
out_has 'lock release NAME OWNER'
out_has 'lock: no: it is not there, refused, or not held'
expect 0 'wait for whoever loads it' auth lookup --help
expect 0 'wait for the lock' lock acquire --help
expect 0 '--aal N                  INVALID below' session get --help
expect 0 '--aal N                  assurance level of the login' session rotate --help
expect 0 'Usage: latchkey session promote TOKEN USER [OPTION...]' session promote --help
expect 0 '--expect VERSION' session update --help
expect 0 'logout (the default), admin or credential-change' session revoke --help
expect 0 '  admin or credential-change;' session revoke-user --help
out_has '--except -'
expect 0 'attributes are not repeated' session create --help
expect 0 'latchkey session list -- -' session list --help
has_not 'Options:'
expect 0 'Usage: latchkey info [OPTION...]' info --help
# Of a group, its verbs and no others.
expect 0 'Usage: latchkey lock VERB' lock --help
out_has 'lock extend NAME OWNER'
out_has '"latchkey lock VERB --help"'
has_not 'session'
refuse 'unknown verb "loc"' loc --help
refuse 'unknown verb "lock frob"' lock frob --help
expect 0 'Exit status: 0 all slots have a serving primary, 1 some have none, 3' redis --help
expect 0 'latchkey 0.' --version

# ---- No server ----

expect 3 'no connection to ipc://' $nowhere health
expect 3 '"verdict": "UNKNOWN"' session get whatever $nowhere
out_has '"error": "LK_E_UNAVAILABLE"'
out_has '"message": "no connection to'
expect 3 'LK_E_UNAVAILABLE' session $nowhere revoke --timeout 0.3 whatever
[ ! -s "$dir/out" ] || fail "session revoke: says something on stdout:"
for verb in 'session create ann' 'session list ann' 'session update token a=1' 'session revoke token' \
	'session revoke-user ann' 'session create --anonymous' 'session promote token ann' 'session rotate token' \
	'session revoke-realm --realm shop --before 2026-01-31T12:00:00.5Z' 'session verify ann --token t' \
	'profile set ann a=1' 'profile set ann --replace' 'profile set ann --number n=-2' 'profile get ann a' 'profile incr ann n=-2' 'profile unset ann a' \
	'profile delete ann' 'profile changes mail' 'profile ack mail 1-0' 'profile dead mail' 'visitors record home a' \
	'visitors count home' 'auth lookup ann may' 'auth fill ann may ab yes' 'auth forget --group editors' \
	'limit check login --limit 1 --per 1' 'limit reset login' 'lock acquire report --ttl 1' \
	'lock extend report ab --ttl 1' 'lock release report ab' policy keys info health stats redis; do
	run 3 $verb --json $nowhere
	out_has '"error": "LK_E_UNAVAILABLE"'
	out_has '"message": "no connection to'
	out_has '"reason": "NONE"'
	has_not '"version"'
	err_has 'latchkey: no connection to'
done
run 3 session watch --json $nowhere
out_has '{"error":"LK_E_UNAVAILABLE","message":"no connection to'
err_has 'latchkey: no connection to'
expect 3 'no connection' session list $nowhere -- -dash
expect 3 'no connection' session create ann --label '' $nowhere

# ---- The environment: below the options ----

export LATCHKEY_SERVER=ipc://$dir/environment.sock
expect 3 'environment.sock' health
expect 3 'nowhere.sock' health $nowhere
export LATCHKEY_TIMEOUT=abc
refuse 'LATCHKEY_TIMEOUT "abc": not a number' health
expect 3 'no connection' health --timeout 3
expect 0 'Usage' --help
expect 0 'Usage' health --help
expect 0 'latchkey 0.' --version
refuse 'unknown verb' frob
unset LATCHKEY_TIMEOUT
export LATCHKEY_SERVER=,
refuse 'LATCHKEY_SERVER ",": names no server' health
# Empty is not set: the default, which may or may not be there.
LATCHKEY_SERVER='' "$latchkey" health --timeout 0.2 > "$dir/out" 2>&1
[ $? -ne 2 ] || fail 'health: an empty LATCHKEY_SERVER is not taken for none'

# ---- With a service ----

cat > "$dir/config.yaml" << 'YAML'
realms:
  - name: default
    classes:
      - { name: default }
      - { name: a-class-with-a-long-name, sessions_max: 1, at_cap: refuse }
YAML
unset LATCHKEY_SERVER
: > "$dir/log"
LATCHKEY_CONFIG=$dir/config.yaml LATCHKEY_STATE_DIR=$dir/state LATCHKEY_LISTEN=ipc://$dir/s.sock LATCHKEY_ADMIN_LISTEN= \
	"$(dirname "$latchkey")/latchkeyd" > "$dir/log" 2>&1 &
service=$!
for _ in $(seq 2000); do
	grep -q ' ready ' "$dir/log" && break
	kill -0 $service 2> /dev/null || break
	sleep 0.02
done
if ! grep -q ' ready ' "$dir/log"; then
	echo 'the service was not ready:'
	cat "$dir/log"
	service=
	exit 1
fi
export LATCHKEY_SERVER=ipc://$dir/s.sock

# A result that nobody gets is no success.
run 0 session create ann
token=$(cat "$dir/out")
output=/dev/full
for verb in info 'info --json' stats 'stats --json' health 'health --json' redis 'redis --json' \
	policy 'policy --json' keys 'keys --json' 'session verify ann' \
	'session create ann' 'session create --anonymous' 'session list ann' \
	'session list ann --json' "session get $token" "session update $token a=1" 'session revoke-user bob' \
	--help --version; do
	run 3 $verb
	err_has 'latchkey: the result could not be written'
done
"$latchkey" health <&- >&- 2>&-
[ $? -eq 3 ] || fail 'health: closed streams take a result'
# A lost verdict is a verdict all the same.
run 1 session get no-token
err_has 'latchkey: the result could not be written'
output=$dir/out

# session get: the status is the verdict's, and what is no verdict has none.
expect 0 '"verdict": "VALID"' session get "$token"
expect 1 '"verdict": "INVALID"' session get no-token
expect 1 '"verdict": "INVALID"' session get ''
refuse 'LK_E_NOT_FOUND' session get "$token" --realm atlantis
run 2 session get "$token" --realm atlantis --json
out_has '"error": "LK_E_NOT_FOUND"'
has_not verdict
echo "$token" > "$dir/token"
input=$dir/token
expect 0 '"verdict": "VALID"' session get -
expect 0 'revoked 1 session' session revoke-user ann --except -
echo > "$dir/token"
refuse 'no token on the standard input for --except' session revoke-user ann --except -
input=/dev/null
expect 0 '"verdict": "VALID"' session get "$token"

# Failures as JSON.
run 4 session update "$token" a=2 --expect 77 --json
out_has '"error": "LK_E_CONFLICT"'
out_has '"version": 2'
err_has '(LK_E_CONFLICT)'
run 0 session create lea --class a-class-with-a-long-name
run 4 session create lea --class a-class-with-a-long-name --json
out_has '"error": "LK_E_LIMIT"'
run 0 session revoke "$token"
run 1 session update "$token" a=2 --json
out_has '"error": "LK_E_SESSION_INVALID"'
out_has '"reason": "LOGOUT"'
run 4 session create lea --class a-class-with-a-long-name
[ ! -s "$dir/out" ] || fail "session create: says something on stdout:"

# Lists: nothing that a terminal obeys, nothing of the class cut.
run 0 session create lea --label "$(printf 'A\302\233B\033[2JC\233D\302\205E\177F\340\202\233G\303\251H\tI')"
run 0 session list lea
[ "$(tr -d '\n' < "$dir/out" | LC_ALL=C tr -d ' -~' | od -An -tx1 | tr -d ' \n')" = c3a9 ] ||
	fail 'session list lea: more than text:'
out_has 'A?B?[2JC?D?E?F???G'
out_has '  a-class-with-a-long-name  '
out_has '  default                   A?B'
out_has '  CLASS                     DEVICE'
run 0 session list nobody
[ ! -s "$dir/out" ] || fail "session list nobody: says something on stdout:"
err_has 'latchkey: no living session'
run 0 session list nobody --json
out_has '[]'
has_not 'no living session'

exit $((failures > 0))
