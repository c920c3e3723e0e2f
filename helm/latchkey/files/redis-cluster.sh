#!/bin/sh
# A node of the Redis Cluster that the chart runs, and the making of the cluster: redis-cluster.sh COMMAND
#   start     become redis-server: the pod's command
#   meet      tell this node the others' present addresses: after a start, for pods come back with new ones
#   handover  give a primary's slots to a replica: before a stop, so that nobody waits for an election
#   ready     a node that serves, or copies what its primary serves
#   admit     take the password on the standard input beside the present one, until the next start: for changing it
#   setup     make a cluster of the nodes, or complete the one there is; it may be run at any time, again and again
# NODES: host:port of all, with blanks between. REDIS_PASSWORD_FILE: the password. REPLICAS: of each primary (setup).
# REDIS_CONFIG, ADDRESS, RUN_DIR: lines of redis.conf, this node's address, a folder in memory (start). PORT: this node's.
set -eu

PORT=${PORT:-6379}
password=$(cat "$REDIS_PASSWORD_FILE")
export REDISCLI_AUTH="$password"

say() { printf 'redis-cluster: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# at HOST:PORT COMMAND...; here COMMAND...
at() {
  at_node=$1
  shift
  timeout 10 redis-cli -h "${at_node%:*}" -p "${at_node##*:}" "$@"
}
here() { timeout 10 redis-cli -p "$PORT" "$@"; }

# address HOST:PORT: with the name resolved. CLUSTER MEET takes addresses only.
address() {
  getent ahosts "${1%:*}" | { read -r ip _ && printf '%s:%s\n' "$ip" "${1##*:}"; }
}

# fact HOST:PORT NAME: a line of CLUSTER INFO.
fact() { at "$1" cluster info 2>/dev/null | tr -d '\r' | sed -n "s/^$2://p"; }

is_up() { [ "$(at "$1" ping 2>/dev/null)" = PONG ]; }

# within SECONDS COMMAND...: until it succeeds.
within() {
  left=$1
  shift
  until "$@"; do
    left=$((left - 1))
    [ "$left" -gt 0 ] || return 1
    sleep 1
  done
}

# What redis.conf can hold without quotes.
check_password() {
  case $1 in
    '' | *[!A-Za-z0-9._~-]*) die "the password may hold letters, digits and . _ ~ - only: make another, such as by openssl rand -hex 24" ;;
  esac
}

start() {
  check_password "$password"
  umask 077
  {
    cat "$REDIS_CONFIG"
    printf 'requirepass %s\nmasterauth %s\ncluster-announce-ip %s\n' "$password" "$password" "$ADDRESS"
  } >"$RUN_DIR/redis.conf"
  unset REDISCLI_AUTH
  exec redis-server "$RUN_DIR/redis.conf"
}

introduce() { # NODE OTHER
  to=$(address "$2") || return 0
  at "$1" cluster meet "${to%:*}" "${to##*:}" >/dev/null || true
}

meet() {
  # As long as the startup probe waits: a large append-only file takes minutes to read.
  within 600 is_up "127.0.0.1:$PORT" || return 0
  # A node that knows itself only waits for setup.
  [ "$(fact "127.0.0.1:$PORT" cluster_known_nodes)" -gt 1 ] || return 0
  for node in $NODES; do introduce "127.0.0.1:$PORT" "$node"; done
}

# It is the one that this node shows to its primary from now on, which may have been restarted with it before.
admit() {
  new=$(cat)
  check_password "$new"
  here acl setuser default ">$new" | grep -qx OK || die "Redis refuses the password"
  here config set masterauth "$new" | grep -qx OK || die "Redis refuses the password"
}

role() { here role | sed -n 1p; }
is_replica() { [ "$(role)" = slave ]; }

handover() {
  [ "$(role)" = master ] || return 0
  # master, offset, then address, port, offset of each replica.
  set -- $(here role)
  [ $# -ge 5 ] || return 0
  at "$3:$4" cluster failover >/dev/null || return 0
  within 15 is_replica || say "no replica took over"
}

# A replica that learns its primary's new address from a third node goes on calling the old one (Redis 7.0), and for ever, where
# both were restarted. Nothing but the readiness probe runs again and again here.
follow() {
  nodes=$(here cluster nodes)
  set -- $(printf '%s\n' "$nodes" | grep 'myself,slave')
  known=$(printf '%s\n' "$nodes" | sed -n "s/^$4 \([^@]*\)@.*/\1/p")
  called=$(here info replication | tr -d '\r' | sed -n 's/^master_host://p; s/^master_port://p' | paste -s -d: -)
  [ -z "$known" ] || [ "$known" = "$called" ] || here cluster replicate "$4" >/dev/null
}

ready() {
  [ "$(fact "127.0.0.1:$PORT" cluster_state)" = ok ] || die "the cluster is not ok: cluster info, and the log of the job that sets it up"
  is_replica || return 0
  here info replication | tr -d '\r' | grep -qx 'master_link_status:up' && return 0
  follow
  die "not in touch with its primary yet"
}

# A node that knows all slots' owners.
whole() {
  for node in $NODES; do
    if [ "$(fact "$node" cluster_slots_assigned)" = 16384 ]; then
      printf '%s\n' "$node"
      return
    fi
  done
}

create() {
  for node in $NODES; do
    [ "$(at "$node" dbsize)" = 0 ] ||
      die "$node holds data, but there is no whole cluster: nothing was changed. Look at it with redis-cli --cluster check"
  done
  # Half of an earlier try.
  for node in $NODES; do at "$node" cluster reset hard >/dev/null; done
  addresses=
  for node in $NODES; do addresses="$addresses $(address "$node")"; done
  redis-cli --cluster create $addresses --cluster-replicas "$REPLICAS" --cluster-yes
}

# Nodes that lost their disk come back empty, under new ids: they become replicas, and what they were is forgotten.
complete() {
  known=$(address "$1")
  for node in $NODES; do
    if [ "$(fact "$node" cluster_known_nodes)" = 1 ]; then
      say "$node is new: it becomes a replica"
      redis-cli --cluster add-node "$(address "$node")" "$known" --cluster-slave
    elif [ "$node" != "$1" ]; then
      introduce "$node" "$1"
    fi
  done
  at "$1" cluster nodes | while read -r id _ flags _ _ _ _ _ slots; do
    case $flags in *fail\?*) continue ;; *fail* | *noaddr*) ;; *) continue ;; esac
    [ -z "$slots" ] || continue
    say "$id is gone: it is forgotten"
    redis-cli --cluster call "$known" cluster forget "$id" || true
  done
}

is_settled() {
  for node in $NODES; do
    [ "$(fact "$node" cluster_state)" = ok ] || return 1
  done
}

setup() {
  for node in $NODES; do
    say "waiting for $node"
    within 300 is_up "$node" || die "$node cannot be reached"
  done
  first=$(whole)
  if [ -z "$first" ]; then create; else complete "$first"; fi
  within 60 is_settled || die "the cluster is not whole after a minute: redis-cli --cluster check"
  say "the cluster is whole"
}

case ${1:-} in
  start | meet | handover | ready | admit | setup) "$1" ;;
  *) die "usage: redis-cluster.sh start|meet|handover|ready|admit|setup" ;;
esac
