#!/bin/sh
# pyscard, built once from its source distribution: the bench compares our shim with it, and nothing
# else uses it (LGPL; no part of it is in this tree).  Does nothing, quickly, when the cache has it.
# usage: tools/build_pyscard.sh            builds
#        tools/build_pyscard.sh --where    prints the folder for PYTHONPATH
set -eu
here=$(dirname "$(realpath "$0")")
# shellcheck source=tools/cached.sh
. "$here/cached.sh"

root=$(dirname "$here")
python=$root/.venv/bin/python

# build_into NEW-FOLDER
build_into() {
    cached_needs "$python" "the environment (make environment-dev)" gcc gcc \
        /usr/include/PCSC/winscard.h libpcsclite-dev \
        "$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h" python3-dev
    "$here/fetch_pyscard.sh"
    set -- "$1" "$root"/tools/bootstrap/pip-*.whl "$("$here/fetch_pyscard.sh" --where)"/pyscard-*.tar.gz
    "$python" "$2/pip" -q install --no-build-isolation --no-deps --no-index --target "$1" "$3"
}

place=$(cached_place pyscard-built "$(uname -m)" "$0" "$here/fetch_pyscard.sh" "$here"/bootstrap/pip-*.whl)
case ${1:-} in
--where) echo "$place" ;;
--into) build_into "$2" ;;
*) cached_build "$place" "$0" --into ;;
esac
