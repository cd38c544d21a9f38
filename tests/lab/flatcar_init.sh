#!/bin/busybox sh
# PID 1 of the stand-in release (tests/lab/flatcar.py): does with the real Ignition what Flatcar's initramfs does.
# Copied from flatcar/bootengine, dracut/30ignition: ignition-setup.sh (which files become user.ign and base.d) and the
# order of the stages in ignition-*.service: fetch-offline, and only if that says so the network and fetch, then files.
# Left out: disks, mount, kargs. Every line that the laboratory reads begins with PXED-LAB (tests/lab/sysroot.py).
/bin/busybox --install -s
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs run /run
exec >/dev/console 2>&1
dmesg -n 1 # no kernel message may fall into what is printed here
say() { echo "PXED-LAB $*"; }
argument() { # the last one wins, as in bootengine
	value=
	for word in $(cat /proc/cmdline); do case $word in "$1"=*) value=${word#*=} ;; esac; done
	echo "$value"
}

network() {
	for module in /lib/modules/*.ko; do insmod "$module" || say warning "cannot load $module"; done
	tries=0
	while [ ! -e /sys/class/net/eth0 ] && [ $tries -lt 100 ]; do tries=$((tries + 1)); usleep 100000; done
	cat >/tmp/lease <<'LEASE'
#!/bin/sh
case $1 in bound|renew)
	ifconfig "$interface" "$ip" netmask "$subnet" up
	[ -z "$router" ] || route add default gw "${router%% *}" dev "$interface"
	echo "PXED-LAB address $ip" ;;
esac
LEASE
	chmod 755 /tmp/lease
	ip link set lo up
	ip link set eth0 up
	udhcpc -i eth0 -n -q -t 10 -T 1 -s /tmp/lease
}

setup() {
	mkdir -p /usr/lib/ignition/base.d /run/ignition
	[ ! -e /usr/share/oem/base/base.ign ] || cp /usr/share/oem/base/base.ign /usr/lib/ignition/base.d/
	[ ! -e /usr/share/oem/config.ign ] || cp /usr/share/oem/config.ign /usr/lib/ignition/user.ign
	if [ -d /usr/share/oem ]; then (cd /usr/share/oem && find . -type f | sed 's/^/PXED-LAB oem /'); fi
}

stage() {
	say log-begin
	/usr/bin/ignition --root=/sysroot --platform=metal --stage="$1" --log-to-stdout
	result=$?
	say log-end
	say stage "$1" $result
	return $result
}

# One line for each thing below /sysroot: its kind, mode, owner, links, digest or target, path.
tree() {
	find /sysroot -mindepth 1 | sort | while read -r path; do
		facts=$(stat -c '%a %u:%g %h' "$path")
		if [ -L "$path" ]; then echo "link $facts $(readlink "$path") ${path#/sysroot}"
		elif [ -d "$path" ]; then echo "directory ${facts% *} 1 - ${path#/sysroot}"
		else echo "file $facts $(sha256sum <"$path" | cut -d' ' -f1) ${path#/sysroot}"; fi
	done
}

ignite() {
	setup
	stage fetch-offline || return
	if [ -e /run/ignition/neednet ]; then
		network
		stage fetch || return
	fi
	say config "$(cat /run/ignition.json)"
	tree >/tmp/before
	stage files || return
	tree >/tmp/after
	grep -vxFf /tmp/before /tmp/after | while read -r line; do
		say "$line"
		case $line in file*) head -c 600 "/sysroot${line##* }" | cat -v | sed 's/^/    | /'; echo ;; esac
	done
}

echo
say cmdline "$(cat /proc/cmdline)"
say release "$(sed -n 's/^VERSION=//p' /usr/lib/os-release)"
if [ -d /sys/firmware/efi ]; then say firmware efi; else say firmware bios; fi
mount -t tmpfs root /sysroot
cp -a /usr/share/skeleton/. /sysroot/
mkdir -p /sysroot/home/core # initrd-setup-root makes it on Flatcar: Ignition writes the user's keys as that user
chown 500:500 /sysroot/home/core
case $(argument flatcar.first_boot) in '' | 0 | no | off) say ignition-skipped ;; *) ignite ;; esac
[ ! -e /usr/lib/laboratory/hand-over ] || . /usr/lib/laboratory/hand-over # does not come back: flatcar_live.sh
say memory "$(sed -n 's/^MemAvailable: *//p' /proc/meminfo)"
say done "$(cut -d' ' -f1 /proc/uptime)"
poweroff -f
