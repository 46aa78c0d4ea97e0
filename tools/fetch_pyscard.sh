#!/bin/sh
# pyscard's source distribution, unpacked: its own tests and examples run against the shim, and the
# bench builds its wheel.  LGPL, so no part of it is in this tree.  Does nothing, quickly, when the
# cache has it.
# usage: tools/fetch_pyscard.sh            fetches
#        tools/fetch_pyscard.sh --where    prints the folder: pyscard-VERSION.tar.gz and pyscard-VERSION/
set -eu
# shellcheck source=tools/cached.sh
. "$(dirname "$(realpath "$0")")/cached.sh"

version=2.3.1
sdist_hash=a24356f57a0a950740b6e54f51f819edd5296ee8892a6625b0da04724e9e6c13
root=$(dirname "$(dirname "$(realpath "$0")")")

# fetch_into NEW-FOLDER.  pip asks the archive's build for its metadata, so setuptools must be there:
# it is in the environment of `make environment-dev`.
fetch_into() {
    cached_needs "$root/.venv/bin/python" "the environment (make environment-dev)"
    set -- "$1" "$root"/tools/bootstrap/pip-*.whl
    echo "pyscard==$version --hash=sha256:$sdist_hash" >"$1/requirements.txt"
    "$root/.venv/bin/python" "$2/pip" -q download --no-deps --no-binary :all: --no-build-isolation \
        --require-hashes --requirement "$1/requirements.txt" --dest "$1"
    echo "$sdist_hash  $1/pyscard-$version.tar.gz" | sha256sum --check --quiet
    tar -xf "$1/pyscard-$version.tar.gz" -C "$1"
}

place=$(cached_place pyscard "$version" "$0")
case ${1:-} in
--where) echo "$place" ;;
--into) fetch_into "$2" ;;
*) cached_build "$place" "$0" --into ;;
esac
