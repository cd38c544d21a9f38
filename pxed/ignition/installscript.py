"""The installer's shell script, after its settings and the functions of asking.py. For bash and busybox's ash.

A disk that a rule may choose is a real one (it has a device in sysfs, so no loop, RAM or mapped one), not hidden, not
removable, not on USB, writable, larger than 8 GB, and nothing of it is mounted. Of equal ones the first in the
machine's own topology wins, whatever order the kernel found them in.
"""

from __future__ import annotations

INSTALL = r"""
umask 077
export LC_ALL=C
work=/run/pxed-install
sys=/sys
dev=/dev
appear=60             # seconds that a disk may take to appear
sectors_8gb=15625000  # of 512 bytes, which is sysfs' unit whatever the disk's own is
# flatcar-install wipes a half-written disk with `wipefs --backup`, which does nothing without a home.
export HOME="$work"

# note SENTENCE: the message of the next report.
note() {
    say "$1"
    printf '%s\n' "$1" | clean >"$work/message"
}

# leave SECONDS: reboot, if that is wanted.
leave() {
    if [ "$reboot" = yes ]; then
        say "rebooting"
        sleep "$1"
        systemctl --no-block reboot || reboot -f
    else
        say "this machine stays up, as reboot: false wants it"
    fi
}

# refused: pxed does not want this installation (any more). Whatever was to come is not done.
refused() {
    rm -f "$work/config.ign"
    say "STOPPED: pxed refuses the report: $(trouble)"
    say "this machine does not reboot by itself; see 'pxed machines show $machine'"
    exit 1
}

# fail SENTENCE: report it with the end of the log.
fail() {
    rm -f "$work/config.ign"
    say "FAILED: $1"
    {
        printf '%s\n' "$1"
        [ ! -s "$work/log" ] || { printf '\n'; tail -c 3600 "$work/log"; }
    } | clean | head -c 4096 >"$work/message"
    post failed "$work/message" || refused
    leave 10
    exit 1
}

# value FILE: the first line of a file of sysfs.
value() {
    found=
    [ ! -r "$1" ] || read -r found <"$1" || :
    printf '%s' "$found"
}

# judge NAME: a line in `fits` for a disk that a rule may choose, else why not in `unfit`.
judge() {
    here=$sys/block/$1
    [ -e "$here/device" ] || return 0
    where=$(readlink -f "$here")
    node=$dev/$(printf '%s' "$1" | tr '!' /)
    sectors=$(value "$here/size")
    why=
    case $where in */usb[0-9]*) why="on USB" ;; esac
    [ "$(value "$here/hidden")" != 1 ] || why=hidden
    [ "$(value "$here/ro")" = 0 ] || why=read-only
    [ "$(value "$here/removable")" = 0 ] || why=removable
    if [ -z "$why" ] && [ "${sectors:-0}" -le "$sectors_8gb" ]; then
        why="too small, $((${sectors:-0} / 1953125)) GB"
    fi
    if [ -z "$why" ]; then
        mounts=$(lsblk -nro MOUNTPOINT "$node" 2>&1) || mounts=unreadable
        [ -z "$(printf '%s' "$mounts" | tr -d '[:space:]')" ] || why="in use"
    fi
    if [ -z "$why" ]; then
        printf '%s %s %s\n' "$sectors" "$where" "$node" >>"$work/fits"
    else
        printf '%s (%s), ' "$node" "$why" >>"$work/unfit"
    fi
}

# pick: sets `device` and what to call it, `shown`. Fails when there is no such disk yet.
pick() {
    order=n
    case $disk in
    smallest) ;;
    largest) order=nr ;;
    *)
        [ -e "$disk" ] || return 1
        device=$(readlink -f "$disk")
        shown=$device
        [ "$device" = "$disk" ] || shown="$device ($disk)"
        return 0
        ;;
    esac
    : >"$work/fits"
    : >"$work/unfit"
    for entry in "$sys"/block/*; do judge "${entry##*/}"; done
    [ -s "$work/fits" ] || return 1
    device=$(sort -k "1,1$order" -k 2,2 "$work/fits" | head -n 1 | cut -d ' ' -f 3)
    shown="$device (the $disk disk of $(wc -l <"$work/fits" | tr -d ' '))"
}

find_disk() {
    udevadm settle --timeout=30 || :
    seconds=0
    until pick; do
        [ "$seconds" -lt "$appear" ] || no_disk
        sleep 1
        seconds=$((seconds + 1))
    done
}

no_disk() {
    case $disk in
    smallest | largest)
        others=$(cat "$work/unfit")
        others=${others:-none, }
        fail "no disk may be taken for \"$disk\", $appear s after the start; there are: ${others%, }"
        ;;
    *) fail "disk $disk did not appear within $appear s" ;;
    esac
}

# fetch: the config of the system to install. 4xx is meant: asking again does not help.
fetch() {
    tries=0
    while :; do
        rm -f "$work/config.ign"
        if status=$(ask "$at/config-url" '' --output "$work/config.ign"); then
            case $status in
            200) return 0 ;;
            5??) ;;
            *) fail "the config of the system to install was refused: HTTP status $status" ;;
            esac
        else
            status=000
        fi
        tries=$((tries + 1))
        [ "$tries" -lt 30 ] || fail "the config of the system to install could not be fetched: $(trouble)"
        say "cannot fetch the config yet: $(trouble)"
        sleep 5
    done
}

# write: flatcar-install, its output on the console and in the log. The mirror has no images of OEMs: -o says none.
write() {
    set -- -d "$device" -b "$mirror" -V "$version" -k "$at/key.asc" -o ''
    [ ! -e "$work/config.ign" ] || set -- "$@" -i "$work/config.ign"
    echo 1 >"$work/status"
    { flatcar-install "$@" </dev/null; echo "$?" >"$work/status"; } 2>&1 | tee "$work/log"
    read -r status <"$work/status"
    [ "$status" = 0 ] || fail "flatcar-install ended with status $status"
}

rm -rf "$work"
mkdir -p "$work"
note "installing Flatcar $version on $machine"
post installing "$work/message" || refused
for tool in flatcar-install lsblk; do
    command -v "$tool" >/dev/null || fail "the system that was booted has no $tool: expected a live Flatcar as image"
done
find_disk
if [ -e "$at/config-url" ]; then
    note "fetching the config"
    post installing "$work/message" || refused
    fetch
fi
note "writing $version to $shown"
post installing "$work/message" || refused
write
udevadm settle || :
sync
rm -f "$work/config.ign"
note "Flatcar $version is on $shown"
post installed "$work/message" || refused
leave 1
"""
