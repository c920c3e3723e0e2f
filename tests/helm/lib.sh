# For the tests of the chart: the tools, installed once into a cache, and how a step ends.

# Versions are pinned; the checksum database vouches for what the proxy gives. It does not know this tag of helm-unittest, and
# later ones cannot be installed, because their go.mod has a replace: so that one module is not asked about.
go_tools=(
  "helm3 helm.sh/helm/v3/cmd/helm@v3.18.6"
  "helm4 helm.sh/helm/v4/cmd/helm@v4.2.4"
  "helm-unittest github.com/helm-unittest/helm-unittest/cmd/helm-unittest@v1.0.1"
  "kubectl-validate sigs.k8s.io/kubectl-validate@v0.0.4"
)
# Its types are not Kubernetes' own; the module carries them.
prometheus_operator=github.com/prometheus-operator/prometheus-operator@v0.85.0
crds=example/prometheus-operator-crd
# kubectl-validate carries types up to 1.30; the newest are Kubernetes' own module's.
kubernetes=k8s.io/kubernetes@v1.34.1

done_count=0
fail() { printf 'helm: FAILED: %s\n' "$*"; exit 1; }
# 77 is what ctest takes for a skipped test.
skip() { printf 'helm: SKIPPED: %s\n' "$*"; exit 77; }
done_() { done_count=$((done_count + 1)); printf 'helm: %s\n' "$*"; }
summary() { printf '%s passed, 0 failed\n' "$done_count"; }

# within SECONDS COMMAND...: until it succeeds.
within() {
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    [ "$SECONDS" -lt "$end" ] || return 1
    sleep 0.1
  done
}

tools=${LATCHKEY_GOBIN:-${LATCHKEY_TOOLS:-build}/gobin}
case $tools in /*) ;; *) tools=$PWD/$tools ;; esac
tool() { printf '%s/%s' "$tools" "$1"; }

# A machine without a way to the module proxy is like one without Go.
no_network() { # LOG WHAT
  if grep -qE 'dial tcp|no such host|connection refused|i/o timeout|TLS handshake timeout|GOPROXY=off' "$1"; then
    skip "$2 cannot be fetched: nothing of the chart was tested"
  fi
}

go_is_new_enough() {
  local version
  version=$(go env GOVERSION 2>/dev/null | sed -nE 's/^go1\.([0-9]+).*/\1/p') && [ "${version:-0}" -ge 21 ]
}

install_tool() { # NAME MODULE
  local made=$tools/make-$1
  mkdir -p "$made"
  printf 'helm: installing %s\n' "$2"
  GOBIN=$made GONOSUMDB=github.com/helm-unittest/helm-unittest go install "$2" >"$made.log" 2>&1 ||
    { tail -n 5 "$made.log"; no_network "$made.log" "$2"; fail "go install $2"; }
  mv "$made"/* "$(tool "$1")"
  rm -rf "$made" "$made.log"
}

have_tools() {
  local row
  /usr/bin/python3 -c 'import yaml' 2>/dev/null || skip "python3-yaml is not here"
  for row in "${go_tools[@]}"; do
    [ -x "$(tool "${row%% *}")" ] && continue
    go_is_new_enough || skip "Go 1.21 or newer is not here to install helm: nothing of the chart was tested"
    mkdir -p "$tools"
    # Two rows of ctest may want them at once.
    exec 9>"$tools/lock"
    flock 9
    [ -x "$(tool "${row%% *}")" ] || install_tool "${row%% *}" "${row#* }"
    flock -u 9
  done
}

manifests() { /usr/bin/python3 tests/helm/manifests.py "$@"; }
