#!/bin/sh
# The unit's Debian 12 arm64 as a tar, whose bytes depend on the packages alone.
# usage: SOURCE_DATE_EPOCH=SECONDS tools/image/mkroot.sh OUT.tar SSCTERM.deb
# Needs root, mmdebstrap and qemu-user-static.  MIRROR names another Debian archive (one of a day in
# the past gives the same packages again); Debian's own if not set.
set -eu

here=$(dirname "$(realpath "$0")")
out=$1 deb=$2
: "${SOURCE_DATE_EPOCH:?: seconds since 1970, which every file gets that is younger}"
export SOURCE_DATE_EPOCH here deb

# Programs for another processor run through qemu-user, which the kernel must know of.
if ! arch-test arm64 >/dev/null 2>&1; then
    mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc 2>/dev/null || true
    update-binfmts --enable qemu-aarch64
    arch-test arm64 >/dev/null || { echo "mkroot: programs for arm64 do not run here" >&2; exit 1; }
fi

packages=$(sed '/^#/d' "$here/packages.txt" | paste -sd,)

# Before the kernel is configured: an initrd of few modules takes seconds under qemu-user, one of all
# takes minutes.
before='
    mkdir -p "$1/etc/initramfs-tools/conf.d" "$1/etc/initramfs-tools/scripts/local-top" \
        "$1/etc/initramfs-tools/hooks" "$1/boot/firmware"
    printf "MODULES=list\nCOMPRESS=zstd\n" >"$1/etc/initramfs-tools/conf.d/sscterm"
    echo "update_initramfs=no" >"$1/etc/initramfs-tools/update-initramfs.conf" # once, not at each trigger
    sed "/^#/d" "$here/modules.txt" >"$1/etc/initramfs-tools/modules"
    install -m 755 "$here/initrd/hook" "$1/etc/initramfs-tools/hooks/sscterm"
    install -m 755 "$here/initrd/local-top" "$1/etc/initramfs-tools/scripts/local-top/sscterm"
'

exec mmdebstrap --arch=arm64 --variant=apt --mode=root --components=main,contrib,non-free-firmware \
    --include="$packages" \
    --aptopt='Acquire::Languages "none"' --aptopt='APT::Install-Recommends "false"' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/info/*' --dpkgopt=force-unsafe-io \
    --essential-hook="$before" \
    --customize-hook='[ ! -s "$deb" ] || { cp "$deb" "$1/sscterm.deb" && chroot "$1" dpkg -i /sscterm.deb && rm "$1/sscterm.deb"; }' \
    --customize-hook='"$here/settle.sh" "$1"' \
    bookworm "$out" ${MIRROR:-}
