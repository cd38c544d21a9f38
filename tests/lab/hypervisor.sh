#!/bin/bash
# PID 1 of a host that has libvirt, in namespaces of mounts, processes and network of its own (tests/lab/hypervisor.py).
# $1 is the laboratory's directory, $2 the cache. It says "ready" when virsh gets an answer; all that runs here ends with it.
set -euo pipefail
mount --make-rprivate /
mount -t proc proc /proc
# libvirt's files are in memory, and its control groups nowhere: nothing stays on the host.
mkdir -p /etc/libvirt /var/lib/libvirt /var/cache/libvirt /var/log/libvirt /run/libvirt
for place in /run /etc/libvirt /var/lib/libvirt /var/log/libvirt /sys/fs/cgroup; do
	mount -t tmpfs -o mode=755 tmpfs $place
done
# What QEMU can do: libvirt asks for seconds, and again when QEMU, the kernel or libvirt itself have changed.
mount --bind "$2" /var/cache/libvirt
mkdir -p /run/libvirt /run/lock /var/lib/libvirt/images
# There are hosts whose /dev/kvm opens and then hangs the guest.
[ ! -e /dev/kvm ] || mount --bind /dev/null /dev/kvm
# The user that libvirt-daemon-system makes; libvirtd does not start without.
for kind in passwd group; do
	cp /etc/$kind /run/$kind
	mount --bind /run/$kind /etc/$kind
done
grep -q ^libvirt-qemu: /etc/passwd || echo 'libvirt-qemu:x:64055:64055::/nonexistent:/usr/sbin/nologin' >>/etc/passwd
grep -q ^libvirt-qemu: /etc/group || echo 'libvirt-qemu:x:64055:' >>/etc/group
cat >/etc/libvirt/qemu.conf <<'CONF'
user = "root"
group = "root"
security_driver = "none"
stdio_handler = "file"
namespaces = []
CONF
ip link set lo up
LIBVIRT_LOG_OUTPUTS="3:file:$1/libvirtd.log" libvirtd &
# The daemon waits for itself: 30 s, of which it takes one.
for ((tries = 0; tries < 300; tries++)); do
	[ ! -S /run/libvirt/libvirt-sock ] || break
	sleep 0.1
done
virsh -q pool-define-as default dir --target /var/lib/libvirt/images
virsh -q pool-start default
echo ready
# bash, and not "exec sleep": QEMU makes itself a daemon when libvirt looks at its capabilities, and while nobody buries it
# libvirt waits 40 s for its end, each of the eight times.
sleep infinity &
wait $!
