# Read by PID 1 of the stand-in release (flatcar_init.sh) when Ignition is through: /sysroot becomes / and systemd starts.
# Flatcar mounts usr.squashfs at /sysroot/usr; here it is the initramfs' own /usr, made by tests/lab/livesystem.py.
for module in /usr/lib/laboratory/modules/*.ko; do insmod "$module" 2>/dev/null || say warning "cannot load $module"; done
/usr/bin/busybox --install -s /usr/bin 2>/dev/null
for name in /usr/sbin/*; do rm -f "/usr/bin/${name##*/}"; done # Debian's programs before busybox's
cd /sysroot || exit
mkdir -p proc sys dev run usr var tmp root opt etc/systemd
for name in bin sbin lib lib64; do ln -s usr/$name $name; done
ln -s ../usr/lib/os-release etc/os-release
mount --bind /usr usr
# Flatcar's own last preset: what Ignition enables is all that is enabled.
mkdir -p usr/lib/systemd/system-preset
echo "disable *" >usr/lib/systemd/system-preset/99-default.preset
for name in proc sys dev run; do mount --move /$name $name; done
echo "PXED-LAB live $(cut -d' ' -f1 proc/uptime)"
mount --move . /
exec chroot . /usr/lib/systemd/systemd
