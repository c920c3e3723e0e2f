# Part of tests/helm/chart: latchkeyd started with what the chart renders, in a folder instead of a pod's mounts.

certify() { # FOLDER NAME SUBJECT-ALTERNATIVE: NAME.crt and NAME.key, signed by FOLDER/ca.crt
  openssl req -newkey rsa:2048 -nodes -keyout "$1/$2.key" -out "$1/$2.csr" -subj "/CN=$2" 2>/dev/null
  openssl x509 -req -in "$1/$2.csr" -CA "$1/ca.crt" -CAkey "$1/ca.key" -CAcreateserial -days 2 -out "$1/$2.crt" \
    -extfile <(printf 'subjectAltName=DNS:%s\n' "$3") 2>/dev/null
}

# What the pod's volumes hold, whatever the values name.
make_secrets() { # FOLDER
  mkdir -p "$1"/{keyring,credentials,tls,redis,redis-tls,test/credential,test/ca,test/client}
  openssl req -x509 -newkey rsa:2048 -nodes -keyout "$1/ca.key" -out "$1/ca.crt" -days 2 -subj /CN=ca 2>/dev/null
  certify "$1" server sessions.ns.svc
  certify "$1" client caller
  local to
  for to in tls redis-tls test/ca; do cp "$1/ca.crt" "$1/$to/ca.crt"; done
  cp "$1/server.crt" "$1/tls/tls.crt"
  cp "$1/server.key" "$1/tls/tls.key"
  for to in redis-tls test/client; do
    cp "$1/client.crt" "$1/$to/tls.crt"
    cp "$1/client.key" "$1/$to/tls.key"
  done
  printf 'a password' >"$1/redis/password"
  printf 'another' >"$1/redis/sentinel-password"
  (umask 077 && "$bin/latchkeyd" --new-keyring "$1/keyring/keyring" >/dev/null)
  "$bin/latchkey" credential new tester --role tester >"$1/made"
  sed -n 's/^credential *//p' "$1/made" >"$1/test/credential/credential"
  { printf 'role tester /latchkey.v1.Sessions/* *\n'; sed -n 's/^line *//p' "$1/made"; } >"$1/credentials/credentials"
  chmod -R go-w "$1"
}

# config FOLDER: the ConfigMap on the standard input, its paths moved to FOLDER.
moved() {
  sed -e "s|/etc/latchkey/|$1/|g" -e "s|/var/lib/latchkey|$1/var|g"
}

# Addresses of the test's own, and a Redis that is not there unless it is embedded.
at_home() {
  sed -E -e 's|0\.0\.0\.0:737[34]|127.0.0.1:0|' -e '/^ +url: .?rediss?(\+[a-z]+)?:/s|://[^/"]*|://127.0.0.1:1|'
}

http() { # ADDRESS PATH: the status, then the body
  local host=${1#http://} status
  exec 3<>"/dev/tcp/${host%:*}/${host##*:}" || return 1
  printf 'GET %s HTTP/1.0\r\nHost: %s\r\n\r\n' "$2" "$host" >&3
  read -r _ status _ <&3
  printf '%s\n' "$status"
  cat <&3
  exec 3>&-
}

run_service() { # FOLDER: with FOLDER/config.yaml; sets service_url and admin_url
  : >"$1/log"
  "$bin/latchkeyd" --config "$1/config.yaml" >>"$1/log" 2>&1 &
  services+=($!)
  is_ready() { grep -q ' ready ' "$1/log" || ! kill -0 "${services[-1]}" 2>/dev/null; }
  within 60 is_ready "$1" || true
  grep -q ' ready ' "$1/log" || { cat "$1/log"; fail "latchkeyd did not start with the rendered configuration"; }
  service_url=$(sed -nE 's/.* ready url=([^ ]+).*/\1/p' "$1/log")
  admin_url=$(sed -nE 's/.*(http:\/\/[^ ]+).*/\1/p' "$1/log" | head -n 1)
}

stop_service() {
  local pid=${services[-1]}
  unset 'services[-1]'
  kill -TERM "$pid"
  wait "$pid" || fail "the service's end was not clean: exit status $?"
}

check_probes() { # NAME
  local wanted=503
  [ "$1" != minimal ] || wanted=200
  [ "$(http "$admin_url" /livez | head -n 1)" = 200 ] || fail "$1: /livez is not 200"
  answers() { [ "$(http "$admin_url" /readyz | head -n 1)" = "$2" ]; }
  within 30 answers "$1" "$wanted" || fail "$1: /readyz is not $wanted"
  http "$admin_url" /metrics | grep '^latchkey_calls_total ' >/dev/null || fail "$1: /metrics has no metrics"
}

check_service() {
  local file name object folder
  for file in $(values); do
    name=$(named "$file")
    folder=$temp/service-$name
    object=lk-latchkey
    [ "$name" != full ] || object=sessions
    make_secrets "$folder"
    manifests data ConfigMap "$object" latchkeyd.yaml <"$temp/$name-3-1.30.yaml" | moved "$folder" >"$folder/whole.yaml"
    "$bin/latchkeyd" --config "$folder/whole.yaml" --check-config >"$folder/check" 2>&1 || { cat "$folder/check"; fail "$name: latchkeyd refuses what the chart renders"; }
    sed 's/delay_ms: .*/delay_ms: 0/' "$folder/whole.yaml" | at_home >"$folder/config.yaml"
    run_service "$folder"
    check_probes "$name"
    stop_service
  done
  # What values give to the chart itself comes through as it is.
  for name in keyring credentials; do manifests secret sessions "$name" <"$temp/full-3-1.30.yaml" >"$folder/given.$name"; done
  chmod 600 "$folder"/given.*
  LATCHKEY_CREDENTIALS=$folder/given.credentials LATCHKEY_KEYRING=$folder/given.keyring \
    "$bin/latchkeyd" --check-config >"$folder/check" 2>&1 || { cat "$folder/check"; fail "latchkeyd refuses what keyring.value and credentials.value became"; }
  done_ "latchkeyd starts with each ConfigMap, and answers its probes"
}

run_test_pod() { # FOLDER [NAME=VALUE...]
  env -i PATH="$bin:$PATH" $(manifests test-env "$1/test" <"$1/rendered") LATCHKEY_SERVER="$service_url" LATCHKEY_TIMEOUT=10 "${@:2}" \
    sh "$1/test.sh" >"$1/out" 2>&1
}

# The pod of `helm test`, its own script and environment, against a service with credentials and mutual TLS.
check_test_pod() {
  local folder=$temp/test-pod
  make_secrets "$folder"
  render 3 1.30 "$chart/ci/full-values.yaml" --set redis.mode=embedded,redis.password.value=,replicas=1,autoscaling.enabled=false \
    --set podDisruptionBudget.enabled=false,test.tls.existingSecret=sessions-test >"$folder/rendered"
  manifests data ConfigMap sessions-test test.sh <"$folder/rendered" >"$folder/test.sh"
  manifests data ConfigMap sessions latchkeyd.yaml <"$folder/rendered" | moved "$folder" | at_home | sed 's/delay_ms: .*/delay_ms: 0/' >"$folder/config.yaml"
  run_service "$folder"
  [[ $service_url == tls+tcp://* ]] || fail "the test's service has no TLS: $service_url"
  run_test_pod "$folder" || { cat "$folder/out" "$folder/log"; fail "the pod of helm test fails"; }
  grep -q 'created, valid, revoked, invalid' "$folder/out" || { cat "$folder/out"; fail "the pod of helm test did less than it should"; }
  if run_test_pod "$folder" LATCHKEY_CERT= LATCHKEY_KEY=; then fail "the test passes without a certificate"; fi
  printf 'tester.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' >"$folder/test/credential/credential"
  if run_test_pod "$folder"; then fail "the test passes with a wrong credential"; fi
  stop_service
  done_ "the pod of helm test: created, valid, revoked, invalid, by mutual TLS; refused without certificate or credential"
}
