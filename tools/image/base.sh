#!/bin/sh
# Prints the folder that holds root.tar, the Debian part of a unit's root: made once for what decides
# it, and kept.  --new makes it anew, with Debian's packages of today.
# usage: tools/image/base.sh [--new]
set -eu
here=$(dirname "$(realpath "$0")")
. "$here/../cached.sh"
from=${MIRROR:+-$(printf %s "$MIRROR" | sha256sum | cut -c 1-8)}
place=$(cached_place image-base "bookworm$from" "$here/mkroot.sh" "$here/settle.sh" \
    "$here/packages.txt" "$here/excluded.txt" "$here/modules.txt" "$here"/initrd/*)
[ "${1:-}" != --new ] || rm -rf "$place"
cached_build "$place" "$here/mkroot.sh" >&2
echo "$place"
