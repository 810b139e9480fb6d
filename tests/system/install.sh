#!/bin/sh
# Installs the Debian packages that these tests need and the machine lacks; what cannot be had is told by the tests.
set -u
missing=""
for package in busybox-static chromium containernetworking-plugins crun iproute2 iptables pgbouncer podman postgresql-client; do
  dpkg-query --show --showformat '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
done
[ -z "$missing" ] && exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "NOT RUN: what needs$missing (only root can install it, with apt-get)"
  exit 0
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq >/dev/null
for package in $missing; do
  apt-get install -y -qq --no-install-recommends "$package" >/dev/null || echo "NOT RUN: what needs $package (apt-get could not install it)"
done
