#!/bin/sh
# The Debian part of a unit's root, root.tar in FOLDER: its bytes depend on the packages alone.
# usage: tools/image/mkroot.sh FOLDER
# Needs root, mmdebstrap, kmod and qemu-user-static.  MIRROR names another Debian archive (one of a
# day in the past gives the same packages again); Debian's own if not set.
set -eu

here=$(dirname "$(realpath "$0")")
out=$1/root.tar
SOURCE_DATE_EPOCH=1767225600 # 2026-01-01: every file that is younger gets it; the image sets its own
INITRD=No                    # no initrd when the kernel is configured: one at the end, of few modules
export SOURCE_DATE_EPOCH INITRD here

# Programs for another processor run through qemu-user, which the kernel must know of.
if ! arch-test arm64 >/dev/null 2>&1; then
    mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc 2>/dev/null || true
    update-binfmts --enable qemu-aarch64
    arch-test arm64 >/dev/null || { echo "mkroot: programs for arm64 do not run here" >&2; exit 1; }
fi

set --
while read -r pattern; do
    case $pattern in
    "" | "#"*) ;;
    +*) set -- "$@" --dpkgopt="path-include=${pattern#+}" ;;
    *) set -- "$@" --dpkgopt="path-exclude=$pattern" ;;
    esac
done <"$here/excluded.txt"

# Before the packages: what under qemu-user takes minutes and is done better, or not at all, at the end.
before='
    mkdir -p "$1/etc/initramfs-tools/conf.d" "$1/etc/initramfs-tools/scripts/local-top" \
        "$1/etc/initramfs-tools/hooks"
    printf "MODULES=list\nCOMPRESS=zstd\n" >"$1/etc/initramfs-tools/conf.d/sscterm"
    sed "/^#/d" "$here/modules.txt" >"$1/etc/initramfs-tools/modules"
    install -m 755 "$here/initrd/hook" "$1/etc/initramfs-tools/hooks/sscterm"
    install -m 755 "$here/initrd/local-top" "$1/etc/initramfs-tools/scripts/local-top/sscterm"
    chroot "$1" dpkg-divert --quiet --no-rename --add /sbin/depmod
    ln -s /bin/true "$1/sbin/depmod"
'

exec mmdebstrap --arch=arm64 --variant=apt --mode=root --components=main,contrib,non-free-firmware \
    --include="$(sed '/^#/d' "$here/packages.txt" | paste -sd,)" \
    --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr \
    --aptopt='Acquire::Languages "none"' --aptopt='APT::Install-Recommends "false"' \
    "$@" --dpkgopt=force-unsafe-io \
    --essential-hook="$before" \
    --customize-hook='"$here/settle.sh" "$1"' \
    bookworm "$out" ${MIRROR:-}
