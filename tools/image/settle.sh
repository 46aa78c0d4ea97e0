#!/bin/sh
# Makes a freshly installed root one that is never written again: what changes lives on /data or in
# memory.  usage: tools/image/settle.sh ROOT   (called by mkroot.sh, as root)
set -eu
root=$1
here=$(dirname "$(realpath "$0")")

cp -r --no-preserve=ownership "$here/root/." "$root/"
echo sscterm >"$root/etc/hostname"
: >"$root/etc/machine-id" # systemd makes one for each boot: it cannot be kept on a root that is read-only
rm -f "$root/var/lib/dbus/machine-id"
mkdir -p "$root/data"
ln -sfn /data/etc "$root/etc/sscterm"
ln -sf ../run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"
systemctl --root="$root" enable systemd-networkd.service systemd-resolved.service pcscd.socket
systemctl --root="$root" mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \
    e2scrub_all.timer e2scrub_reap.service fstrim.timer getty@tty1.service
passwd -R "$root" -l root >/dev/null 2>&1 || true

# Drivers that no board of ours has: half of the image.
for each in sound drivers/gpu drivers/media drivers/infiniband drivers/isdn drivers/iio \
    drivers/staging drivers/ata drivers/net/ethernet/mellanox drivers/crypto \
    drivers/net/wireless/ath drivers/net/wireless/intel drivers/net/wireless/mediatek \
    drivers/net/wireless/marvell drivers/net/wireless/ti drivers/net/wireless/realtek \
    drivers/net/wireless/ralink drivers/nvme drivers/platform drivers/accel drivers/edac \
    fs/xfs fs/btrfs fs/ocfs2 fs/gfs2 fs/nfs fs/nfsd fs/cifs fs/ceph fs/reiserfs fs/jfs; do
    rm -rf "$root"/lib/modules/*/kernel/"$each"
done
for each in "$root"/lib/modules/*; do
    chroot "$root" depmod "${each##*/}"
done

# Made anew at each run, or only of use to a package manager, and different at each build.  Never what
# is mounted below the root; /tmp, /run and apt's lists are mmdebstrap's to clean.
rm -rf "$root"/var/cache/* "$root"/var/log/* "$root"/var/backups/* "$root"/etc/*- \
    "$root"/var/lib/systemd/catalog/database "$root"/var/lib/dpkg/*-old
find "$root" -xdev -name __pycache__ -type d -prune -exec rm -rf {} +
rm -rf "$root"/var/lib/systemd/random-seed "$root"/var/lib/initramfs-tools

# Compiled once, here: the root is read-only, and a Pi would compile at each start.  By this machine's
# Python of the same version, for under qemu-user it takes minutes; "unchecked": times are settled later.
python3.11 -m compileall -q -s "$root" -p / --invalidation-mode unchecked-hash \
    "$root/usr/lib/python3.11" "$root/usr/lib/python3" "$root/usr/lib/sscterm" >/dev/null || true
