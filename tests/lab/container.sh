#!/bin/sh
# Become systemd-nspawn with the tree $2, on an overlay in memory below the directory $1, in the control group $3. What
# else is given goes to systemd-nspawn. Runs in a mount namespace of its own: everything mounted here ends with it.
set -eu
scratch=$1 tree=$2 group=$3
shift 3

mount -t tmpfs -o mode=755 tmpfs "$scratch"
mkdir "$scratch/upper" "$scratch/work" "$scratch/root"
mount -t overlay -o "lowerdir=$tree,upperdir=$scratch/upper,workdir=$scratch/work" overlay "$scratch/root"

# Only the unified hierarchy, as Debian has it: systemd 257 refuses the mix that this host may have.
! mountpoint -q /sys/fs/cgroup || umount -R /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir "/sys/fs/cgroup/$group"
echo 0 >"/sys/fs/cgroup/$group/cgroup.procs"

exec systemd-nspawn --quiet --boot --directory="$scratch/root" --register=no --keep-unit --notify-ready=yes \
	--console=pipe --link-journal=no --resolv-conf=off --timezone=off "$@"
