#!/bin/busybox sh
# PID 1 of the system on the stand-in's installation image (tests/lab/diskimage.py): says that the disk has booted and
# what config it found on its OEM partition. Every line that the laboratory reads begins with PXED-LAB. Then it waits.
/bin/busybox --install -s
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
exec >/dev/console 2>&1
dmesg -n 1
say() { echo "PXED-LAB $*"; }

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
else
	say installed-without-config
fi
umount /oem
say installed-ready "$(cut -d' ' -f1 /proc/uptime)"
while :; do sleep 3600; done
