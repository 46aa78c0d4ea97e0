# Things that the tests build once and keep: a MicroPython, pyscard's wheel, a kernel.
# Sourced by the tools/build_*.sh.  They lie in ${SSC_CACHE:-${XDG_CACHE_HOME:-~/.cache}/sscterm};
# a folder there is whole or absent, and named after what it was built from.  To build again: delete it.

# cached_place NAME VERSION FILE... -> the folder of what these FILEs (scripts, patches, settings)
# build on this system.  Another FILE, machine or release of the system is another folder.
cached_place() {
    place_name=$1-$2
    shift 2
    place_hash=$({ cat "$@"; uname -m; sed -n 's/^VERSION_ID=//p' /etc/os-release; } |
        sha256sum | cut -c 1-12)
    echo "${SSC_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sscterm}/$place_name-$place_hash"
}

# cached_build PLACE COMMAND...: runs COMMAND... NEW-FOLDER unless PLACE is there, and names the
# folder PLACE only when the command succeeded.  Of two at once the second waits for the first.
cached_build() {
    place=$1
    shift
    [ -d "$place" ] && return 0
    mkdir -p "${place%/*}"
    (
        flock 9
        [ -d "$place" ] && exit 0
        new=$place.new
        rm -rf "$new"
        mkdir "$new"
        if "$@" "$new"; then
            mv "$new" "$place"
        else
            rm -rf "$new"
            echo "could not build ${place##*/}: see above; tools/install_test_packages.sh tries again" >&2
            exit 1
        fi
    ) 9>"$place.lock"
}

# cached_needs PROGRAM-OR-FILE PACKAGE ...: pairs; names each package whose program or file is absent.
cached_needs() {
    lacking=""
    while [ $# -gt 1 ]; do
        command -v "$1" >/dev/null || [ -e "$1" ] || lacking="$lacking $2"
        shift 2
    done
    [ -z "$lacking" ] && return 0
    echo "not installed:$lacking; run tools/install_test_packages.sh as root or with sudo" >&2
    return 1
}
