#!/bin/sh
# The last step of the image, in a Debian root that holds what build.sh made: the libraries it named, Redis for the embedded
# mode, a user, and nothing left over.
set -eu

export DEBIAN_FRONTEND=noninteractive
# Redis's package starts a server of its own where it can: not here.
printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
apt-get update
# shellcheck disable=SC2046
apt-get install -y --no-install-recommends ca-certificates redis-server $(cat /usr/share/latchkey/packages)
rm -f /usr/sbin/policy-rc.d
apt-get clean
rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log /var/cache/debconf/*-old /var/lib/redis /var/log/redis /etc/redis

# 10001: the user that the chart runs as; above those that Debian gives out.
groupadd --gid 10001 latchkey
useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/latchkey --shell /usr/sbin/nologin latchkey
install -d -o 10001 -g 10001 -m 700 /var/lib/latchkey
/sbin/ldconfig
/usr/sbin/latchkeyd --version
/usr/bin/latchkey --version
