#!/bin/sh
# Mounts a USB stick labelled SSC-DROP for the unit's uplink, waits until it is served, unmounts it.
#
#   ssc-drop.sh DEVICE          as root, started by ssc-drop@.service when udev sees the label
#
# Nothing on the stick is run or followed: nosuid, nodev, noexec, nosymfollow; every write is synced.
# Exit status 0: the unit was done with it; 1: it was not in time, or the stick was pulled out.
set -eu

device=$1
folder=${SSC_DROP_FOLDER:-/run/ssc-drop}
user=${SSC_DROP_USER:-sscterm}
longest_s=${SSC_DROP_LONGEST_S:-300}

options=nosuid,nodev,noexec,nosymfollow,sync
kind=$(blkid -p -o value -s TYPE "$device")
case $kind in
vfat | exfat) options=$options,uid=$(id -u "$user"),gid=$(id -g "$user"),umask=077 ;;
ext4) ;; # has owners of its own
*)
    echo "ssc-drop: $device holds $kind: format it as vfat with the label SSC-DROP" >&2
    exit 1
    ;;
esac

mkdir -p "$folder"
mount -t "$kind" -o "$options" "$device" "$folder"
trap 'umount "$folder" || umount -l "$folder"' EXIT
trap 'exit 1' TERM INT

root=$folder/ssc-drop
mkdir -p "$root"
word=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
rm -f "$root/plugged"
printf %s "$word" >"$root/plugged"
[ "$kind" != ext4 ] || chown -R -h "$user" "$root"

served() {
    for done in "$root"/*/done; do
        [ "$(head -c 64 "$done" 2>/dev/null)" != "$word" ] || return 0
    done
    return 1
}

waited_s=0
until served; do
    [ "$waited_s" -lt "$longest_s" ] || exit 1
    [ -e "$root/plugged" ] || exit 1
    sleep 1
    waited_s=$((waited_s + 1))
done
