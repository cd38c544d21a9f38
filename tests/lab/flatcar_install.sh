#!/bin/bash
# A stand-in for flatcar-install(8): the flags, requests, checks, messages and the way to fail of flatcar/init's
# bin/flatcar-install (0765e955, 2025), written anew. Left out: LVM, btrfs, ZFS labels, the built-in signing key (so -k
# is needed), network units (-n) and the UEFI boot entry (-u), which it takes and refuses to do.
set -e -o pipefail
umask 077

fail() {
	echo "$0: $*" >&2
	exit 1
}

usage() {
	echo "Usage: $0 {{-d <device>}|-s} [-V VERSION] [-B BOARD] [-C CHANNEL] [-I|e MAJORS] [-o OEM] [-c CLOUD]" \
		"[-i IGNITION] [-b BASEURL] [-k KEYFILE] [-f IMAGE] [-D] [-n] [-u] [-y] [-v] [-h]"
}

VERSION_ID=current
[[ ! -e /etc/os-release ]] || source /etc/os-release
board=amd64-usr channel=${GROUP:-stable} retries=(--tries 10 --timeout=20 --retry-connrefused)
device='' download='' smallest='' base='' key='' image='' ignition='' cloud='' oem='' dry='' chosen='' version_given=''
majors=()

while getopts "V:B:C:DI:d:o:c:e:i:t:b:k:f:nusyvh" option; do
	case $option in
	V) VERSION_ID=$OPTARG version_given=1 ;;
	B) board=$OPTARG ;;
	C) channel=$OPTARG chosen=1 ;;
	D) download=1 ;;
	I) majors+=(-I "$OPTARG") ;;
	e) majors+=(-e "$OPTARG") ;;
	d) device=$OPTARG ;;
	o) oem=$OPTARG ;;
	c) cloud=$OPTARG ;;
	i) ignition=$OPTARG ;;
	t) ;;
	b) base=${OPTARG%/} ;;
	k) key=$OPTARG ;;
	f) image=$OPTARG ;;
	n | u) fail "-$option is not in this stand-in" ;;
	s) smallest=1 ;;
	y) dry=1 ;;
	v) set -x ;;
	h) usage && exit ;;
	*) exit 1 ;;
	esac
done

smallest_disk() {
	local name size
	while read -r name size; do
		if ((size > 10000000000)) && [[ -z $(lsblk -ln -o MOUNTPOINT "$name") ]]; then echo "$size $name"; fi
	done < <(lsblk -lnpdb -o NAME,SIZE "${majors[@]}") | sort -n -k1,1 -k2,2 | head -n 1 | cut -d' ' -f2
}

check_disk() {
	if [[ -z $device && -z $smallest ]]; then
		echo "$0: No target block device provided, either -d or -s is required. Or use -D to download image." >&2
		usage >&2
		exit 1
	fi
	[[ -z $smallest ]] || device=$(smallest_disk)
	[[ -n $device ]] || fail "Could not find smallest disk to install (min. 10GB)."
	[[ $(lsblk -n -d -o TYPE "$device") =~ ^(disk|mpath|loop|lvm)$ ]] ||
		fail "Target block device ($device) is not a full disk."
	[[ -w $device ]] || fail "Target block device ($device) is not writable (are you root?)"
	[[ -z $cloud || -f $cloud ]] || fail "Cloud config file ($cloud) does not exist."
	[[ -z $ignition || -f $ignition ]] || fail "Ignition config file ($ignition) does not exist."
}

[[ -n $download ]] || check_disk
if [[ -n $dry ]]; then
	echo "Settings: VERSION: $VERSION_ID BOARD: $board CHANNEL: $channel OEM: ${oem:-(none)} CLOUD: ${cloud:-(none)}" \
		"IGNITION: ${ignition:-(none)} BASEURL: ${base:-(none)} KEYFILE: ${key:-(none)} IMAGE: ${image:-(none)}"
	exit
fi

work=$(mktemp --tmpdir -d flatcar-install.XXXXXXXXXX)
ended() {
	echo "Error: return code $? from $BASH_COMMAND" >&2
	# A disk of which a part is written must not boot.
	[[ ! -e $work/begun ]] || wipefs --all --backup "$device" || true
	rm -rf "$work"
}
trap ended EXIT

find_release() {
	name=flatcar_production_${oem:+${oem}_}image.bin.bz2
	[[ -z $chosen || -n $version_given ]] || VERSION_ID=current
	: "${base:=https://$channel.release.flatcar-linux.net/$board}"
	if [[ $VERSION_ID == current ]]; then
		local listed=$base/current/version.txt
		VERSION_ID=$(wget "${retries[@]}" -qO- "$listed" | sed -n 's/^FLATCAR_VERSION=//p')
		[[ -n $VERSION_ID ]] || fail "version.txt unavailable: $listed"
		echo "Current version of Flatcar Container Linux $channel is $VERSION_ID"
	fi
	url=$base/$VERSION_ID/$name
	wget "${retries[@]}" --spider --quiet "$url" || fail "Image URL unavailable: $url"
	wget "${retries[@]}" --spider --quiet "$url.sig" || fail "Image signature unavailable: $url.sig"
	export GNUPGHOME=$work/gnupg
	mkdir -p "$GNUPGHOME"
	[[ -n $key ]] || fail "the stand-in has no built-in key: give one with -k"
	gpg --batch --quiet --import <"$key"
	echo "Downloading the signature for $url..."
	wget "${retries[@]}" --no-verbose -O "$work/$name.sig" "$url.sig"
}

write_disk() {
	touch "$work/begun"
	dd conv=nocreat count=1024 if=/dev/zero of="$device" seek=$(($(blockdev --getsz "$device") - 1024)) status=none
	dd bs=1M conv=nocreat of="$device" status=none
	udevadm settle
	local pause
	for pause in 0 1 2 4 none; do
		[[ $pause != none ]] || exit 1
		sleep "$pause"
		! blockdev --rereadpt "$device" || break
		echo "Failed to reread partitions on $device" >&2
	done
	udevadm settle
	echo done >"$work/written"
}

from_file() {
	[[ -r $image ]] || fail "Could not read image file: $image"
	echo "Writing $image..."
	if [[ $image == *.bz2 ]]; then bzip2 -cd "$image" | write_disk; else write_disk <"$image"; fi
}

# The image is written while it is still being checked; what fails then is wiped.
from_url() {
	find_release
	echo "Downloading, writing and verifying $name..."
	mkfifo "$work/expanded"
	write_disk <"$work/expanded" &
	local writer=$! ends=()
	exec 3>"$work/expanded"
	if wget "${retries[@]}" --no-verbose -O - "$url" | tee >(bzip2 -cd >&3) |
		gpg --batch --verify "$work/$name.sig" -; then ends=(0 0 0); else ends=("${PIPESTATUS[@]}"); fi
	exec 3>&-
	wait "$writer" || true
	((ends[0] == 0)) || echo "${ends[0]}: Download of $name did not complete" >&2
	((ends[1] == 0)) || echo "${ends[1]}: Cannot expand $name to $device" >&2
	((ends[2] == 0)) || echo "${ends[2]}: GPG signature verification failed for $name" >&2
	[[ ${ends[*]} == "0 0 0" ]] || exit 1
	[[ -e $work/written ]] || { echo "write_to_disk: Failed writing image to disk" >&2 && exit 1; }
}

download_only() {
	find_release
	wget "${retries[@]}" --no-verbose -O "$PWD/$name" "$url" || fail "Could not download $name"
	gpg --batch --verify "$work/$name.sig" "$PWD/$name" || fail "Could not verify $name."
}

# onto LABEL FILE NAME: copies the file onto the partition of that label.
onto() {
	local partition
	partition=$(blkid -l -t "LABEL=$1" -o device "$device"*)
	mkdir -p "$work/mounted"
	mount "$partition" "$work/mounted"
	mkdir -p "$(dirname "$work/mounted/$3")"
	cp "$2" "$work/mounted/$3"
	umount "$work/mounted"
}

if [[ -n $download ]]; then
	download_only
else
	if [[ -n $image ]]; then from_file; else from_url; fi
	[[ -z $cloud ]] || onto ROOT "$cloud" var/lib/flatcar-install/user_data
	[[ -z $ignition ]] || { echo "Installing Ignition config $ignition..." && onto OEM "$ignition" config.ign; }
	echo "Success! Flatcar Container Linux $channel $VERSION_ID${oem:+ ($oem)} is installed on $device"
fi
trap - EXIT
rm -rf "$work"
