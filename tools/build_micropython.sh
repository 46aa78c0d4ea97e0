#!/bin/sh
# MicroPython's unix port with ffi, for the tests that run under both interpreters: from Debian's
# source package, about half a minute.  Does nothing, quickly, when the cache has it.
# usage: tools/build_micropython.sh            builds
#        tools/build_micropython.sh --where    prints where the interpreter is, or will be
set -eu
# shellcheck source=tools/cached.sh
. "$(dirname "$(realpath "$0")")/cached.sh"

suite=trixie # Debian 12 has no MicroPython
version=1.25.0+ds-1
original_hash=7b25be99a502f070b2de81dafc08da7051d992325d6e67daa9045a918fffdbea
keys=/usr/share/keyrings/debian-archive-keyring.gpg

# The archive from which apt takes Debian itself here, whichever form its list of sources has.
archive() {
    apt-get indextargets --format '$(ORIGIN) $(LABEL) $(COMPONENT) $(REPO_URI)' \
        'Identifier: Packages' |
        awk '$1 == "Debian" && $2 == "Debian" && $3 == "main" && !found { found = $4 } END { print found }'
}

# fetch: the source package into the folder we are in; apt checks the archive's signature.
fetch() {
    uri=$(archive)
    if [ -z "$uri" ]; then
        echo "apt has no list of a Debian archive: run apt-get update" >&2
        exit 1
    fi
    mkdir -p apt/parts apt/state/lists/partial apt/cache/archives/partial
    echo "deb-src [signed-by=$keys] $uri $suite main" >apt/parts/suite.list
    # A list of sources of its own: what this machine installs from is left as it is.
    own="-o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts=$PWD/apt/parts"
    own="$own -o Dir::State=$PWD/apt/state -o Dir::Cache=$PWD/apt/cache -o APT::Sandbox::User=$(id -un)"
    # shellcheck disable=SC2086  # options are meant to be split
    if ! { apt-get -qq $own update && apt-get -qq $own --download-only source micropython="$version"; }; then
        echo "the source of micropython $version ($suite) is not to be had from $uri" >&2
        exit 1
    fi
    echo "$original_hash  micropython_${version%-*}.orig.tar.xz" | sha256sum --check --quiet
}

# make_in FOLDER: fetches and makes there.
make_in() {
    cd "$1"
    fetch
    dpkg-source --extract "micropython_$version.dsc" source
    jobs=$(nproc)
    make -s -C source/mpy-cross -j"$jobs"
    make -s -C source/ports/unix -j"$jobs" FROZEN_MANIFEST= \
        MICROPY_PY_FFI=1 MICROPY_PY_SSL=0 MICROPY_PY_BTREE=0 MICROPY_PY_JNI=0
    source/ports/unix/build-standard/micropython -c 'import ffi, json, struct, uctypes'
}

# build_into NEW-FOLDER
build_into() {
    cached_needs gcc gcc make make patch patch pkg-config pkgconf dpkg-source dpkg-dev \
        /usr/include/*/ffi.h libffi-dev
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    echo "building MicroPython, once (half a minute)"
    # A child of its own: in a condition this shell would not stop at a failure.
    "$0" --make-in "$work" >"$work/log" 2>&1 || {
        tail -n 30 "$work/log" >&2
        exit 1
    }
    cp "$work/source/ports/unix/build-standard/micropython" "$1"
}

place=$(cached_place micropython "$version" "$0")
case ${1:-} in
--where) echo "$place/micropython" ;;
--into) build_into "$2" ;;
--make-in) make_in "$2" ;;
*) cached_build "$place" "$0" --into ;;
esac
