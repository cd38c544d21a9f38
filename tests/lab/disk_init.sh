#!/bin/busybox sh
# PID 1 of the system on the stand-in's installation image (tests/lab/diskimage.py): says that the disk has booted and
# what config it found on its OEM partition; where that has pxed's report, it reports. Every line that the laboratory
# reads begins with PXED-LAB. Then it waits.
/bin/busybox --install -s
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
exec >/dev/console 2>&1
dmesg -n 1
say() { echo "PXED-LAB $*"; }

# The unit that pxed puts into a config (pxed/ignition/report.py) is not run, for there is no Ignition here: what it
# sends goes to the same URL, which is read from the config.
report() {
	cat >/tmp/lease <<'LEASE'
#!/bin/sh
[ "$1" != bound ] || ifconfig "$interface" "$ip" netmask "$subnet" up
LEASE
	chmod 755 /tmp/lease
	ip link set eth0 up
	udhcpc -i eth0 -n -q -t 10 -T 1 -s /tmp/lease
	url=$(printf '%b' "$(echo "$1" | sed 's/%/\\x/g')")
	if wget -q -O /dev/null --post-data "from the disk" "$url&stage=running"; then say installed-reported
	else say installed-report-failed; fi
}

echo
for module in /lib/modules/*.ko; do insmod "$module" || say warning "cannot load $module"; done
tries=0
while ! device=$(findfs LABEL=OEM 2>/dev/null) && [ $tries -lt 100 ]; do tries=$((tries + 1)); usleep 100000; done
say installed-system "$(sed -n 's/^VERSION=//p' /usr/lib/os-release)"
if [ -d /sys/firmware/efi ]; then say installed-firmware efi; else say installed-firmware bios; fi
if mount -t ext4 -o ro "$device" /oem && [ -e /oem/config.ign ]; then
	say installed-digest "$(sha512sum </oem/config.ign | cut -d' ' -f1)"
	say installed-mode "$(stat -c %a /oem/config.ign)"
	say installed-config "$(base64 /oem/config.ign | tr -d '\n')"
	where=$(sed -n 's|.*"path":"/etc/pxed/report/report-url","contents":{"source":"data:,\([^"]*\)".*|\1|p' /oem/config.ign)
	[ -z "$where" ] || report "$where"
else
	say installed-without-config
fi
umount /oem
say installed-ready "$(cut -d' ' -f1 /proc/uptime)"
while :; do sleep 3600; done
