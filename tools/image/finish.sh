#!/bin/sh
# Makes an unpacked Debian root (mkroot.sh) a unit's, which is never written again: what changes lives
# on /data or in memory.  usage: tools/image/finish.sh ROOT SSCTERM.deb   (called by build.py, as root)
set -eu
root=$1 deb=$2
here=$(dirname "$(realpath "$0")")

# Its one maintainer script is about a user; the rest is unpacked, which dpkg of this machine does.
dpkg --root="$root" --force-architecture --force-depends --force-not-root --no-triggers \
    --log=/dev/null --install "$deb"

cp -r --no-preserve=ownership "$here/root/." "$root/"
echo sscterm >"$root/etc/hostname"
: >"$root/etc/machine-id" # systemd makes one for each boot: it cannot be kept on a root that is read-only
: >"$root/usr/lib/clock-epoch" # a board without a clock never starts before its own release
mkdir -p "$root/data"
ln -sfn /data/etc "$root/etc/sscterm"
ln -sf ../run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"
systemctl --root="$root" enable systemd-networkd.service systemd-resolved.service pcscd.socket
systemctl --root="$root" disable ssh.service wpa_supplicant.service systemd-networkd-wait-online.service
systemctl --root="$root" mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \
    e2scrub_all.timer e2scrub_reap.service fstrim.timer getty@tty1.service
# No password; "!" would lock the account, and sshd would take no technician's key.
sed -i 's/^root:[^:]*:/root:*:/' "$root/etc/shadow"

python3.11 -m compileall -q -s "$root" -p / --invalidation-mode unchecked-hash \
    "$root/usr/lib/sscterm" >/dev/null || true
rm -rf "$root"/var/cache/* "$root"/var/lib/dpkg/*-old "$root"/etc/*-
