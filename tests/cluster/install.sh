#!/bin/sh
# Installs the Debian packages that these tests need and the machine lacks. Nothing of them is started but by the tests.
set -eu
missing=""
for package in etcd-server haproxy pgbouncer util-linux; do
  dpkg-query --show --showformat '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
done
[ -z "$missing" ] && exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "The cluster needs$missing, which only root can install, with apt-get." >&2
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq >/dev/null
# Debian starts what it installs: no service of the machine is wanted here.
held=""
if [ ! -e /usr/sbin/policy-rc.d ]; then
  printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
  chmod 755 /usr/sbin/policy-rc.d
  held=yes
fi
# shellcheck disable=SC2086 - a list of names
apt-get install -y -qq --no-install-recommends $missing >/dev/null || failed=yes
[ -z "$held" ] || rm /usr/sbin/policy-rc.d
[ -z "${failed:-}" ]
