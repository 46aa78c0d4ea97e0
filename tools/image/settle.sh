#!/bin/sh
# The last step of the Debian part: what was put off while packages were installed, done once; then
# what is only of use to a package manager, or different at each build, goes.
# usage: tools/image/settle.sh ROOT   (called by mkroot.sh, as root)
set -eu
root=$1
: "${SOURCE_DATE_EPOCH:?}"

rm "$root/sbin/depmod"
chroot "$root" dpkg-divert --quiet --rename --remove /sbin/depmod
for each in "$root"/lib/modules/*; do
    version=${each##*/}
    depmod -b "$root" "$version" # by this machine's kmod: it reads every module
    chroot "$root" mkinitramfs -o "/boot/initrd.img-$version" "$version"
done

# Compiled once, here: the root is read-only, and a Pi would compile at each start.  By this machine's
# Python of the same version, for under qemu-user it takes minutes; "unchecked": times are settled later.
find "$root" -xdev -name __pycache__ -type d -prune -exec rm -rf {} +
python3.11 -m compileall -q -s "$root" -p / --invalidation-mode unchecked-hash \
    "$root/usr/lib/python3.11" "$root/usr/lib/python3" >/dev/null || true

# Never what is mounted below the root; /tmp, /run and apt's lists are mmdebstrap's to clean.  udev reads
# hwdb.bin, which was made of hwdb.d.
rm -rf "$root"/var/cache/* "$root"/var/log/* "$root"/var/backups/* "$root"/etc/*- \
    "$root"/usr/lib/udev/hwdb.d "$root"/var/lib/systemd/catalog/database "$root"/var/lib/dpkg/*-old \
    "$root"/var/lib/systemd/random-seed "$root"/var/lib/initramfs-tools "$root"/var/lib/dbus/machine-id \
    "$root"/etc/ssh/ssh_host_* "$root"/boot/firmware "$root"/etc/dpkg/dpkg.cfg.d/99mmdebstrap
: >"$root/etc/machine-id"
