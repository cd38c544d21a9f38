#!/bin/busybox sh
# PID 1 of the laboratory's machines. It prints what the kernel was given and what its Ignition URL holds, reports, powers off.
# Every line that the laboratory reads begins with PXED-LAB (tests/lab/guest.py).
/bin/busybox --install -s
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
exec >/dev/console 2>&1
dmesg -n 1 # no kernel message may fall into what is printed here
say() { echo "PXED-LAB $*"; }
argument() { for word in $(cat /proc/cmdline); do case $word in "$1"=*) echo "${word#*=}"; return;; esac; done; }

echo
say cmdline "$(cat /proc/cmdline)"
if [ -d /sys/firmware/efi ]; then say firmware efi; else say firmware bios; fi
for module in /lib/*.ko; do insmod "$module" || say warning "cannot load $module"; done
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

url=$(argument ignition.config.url)
say ignition-url "$url"
if [ -n "$url" ] && wget -q -O /tmp/config "$url"; then
	say ignition-begin
	cat /tmp/config
	echo
	say ignition-end
	name=${url#*/ignition/}
	token=
	case $name in *\?*) token="?${name#*\?}" ;; esac
	if wget -q -O /dev/null --header 'Content-Type: application/json' \
		--post-data '{"stage": "running", "message": "the laboratory has seen its config"}' \
		"${url%%/ignition/*}/report/${name%%\?*}$token"; then say reported; else say report-failed; fi
else
	say ignition-failed
fi
say done "$(cut -d' ' -f1 /proc/uptime)"
poweroff -f
