#!/bin/sh
# Install pxed from /tmp/pxed.deb with the inventory /tmp/pxed.yaml, and start it. `vagrant provision` renews both.
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
apt-get -qq install --yes --no-install-recommends --reinstall -o Dpkg::Options::=--force-confold /tmp/pxed.deb
# The box may name its second interface otherwise.
interface=$(ip -4 -oneline address show to 192.168.79.2 | awk '{print $2}')
sed "s/eth1/${interface:?nothing here has the address 192.168.79.2}/" /tmp/pxed.yaml >/etc/pxed/pxed.yaml
pxed check -c /etc/pxed/pxed.yaml
systemctl enable pxed
systemctl restart pxed
