#!/bin/sh
# Installs what `make test` needs beside Python: a real pcscd with virtual readers, a token,
# PostgreSQL, strace, ext4, lrzsz, Chromium, what MicroPython and a kernel are built with; then builds, once,
# what no package brings.  Needs Debian and root or sudo.  Does nothing, quickly, when all is there.
set -eu

packages="pcscd libccid vsmartcard-vpcd libpcsclite1 softhsm2 postgresql strace e2fsprogs lrzsz dosfstools systemd chromium
    device-tree-compiler genimage mtools bmap-tools cryptsetup-bin fdisk openssl rauc squashfs-tools dbus openssh-server openssh-client socat
    gcc libc6-dev make patch pkgconf dpkg-dev xz-utils libffi-dev libpcsclite-dev linux-source-6.1 flex bison bc"

# What `make image` needs beside them: an arm64 root is made by programs of arm64.
if [ "${1:-}" = --image ]; then
    packages="mmdebstrap qemu-user-static binfmt-support arch-test kmod genimage mtools dosfstools
        e2fsprogs bmap-tools cryptsetup-bin fdisk openssl zstd device-tree-compiler systemd"
fi

# What `make test-image` needs beside both.
if [ "${1:-}" = --machine ]; then
    packages="qemu-system-arm qemu-utils ipxe-qemu mtools zstd e2fsprogs fdisk"
fi

# For pyscard, which the bench compiles; a Python that is not Debian's brings its own.
headers=$("${PYTHON:-python3}" -c 'import sysconfig; print(sysconfig.get_path("include"))')
[ -e "$headers/Python.h" ] || packages="$packages python3-dev"

missing=""
for package in $packages; do
    # No "grep -q" in a pipe: dpkg-query would die of SIGPIPE.
    status=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
    [ "$status" = "install ok installed" ] || missing="$missing $package"
done

# install PACKAGE...
install() {
    if [ "$(id -u)" = 0 ]; then
        as_root=""
    elif command -v sudo >/dev/null; then
        as_root="sudo -n"
    else
        echo "missing: $*; run this as root, or install sudo" >&2
        exit 1
    fi

    apt() {
        $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=500 "$@"
    }

    # The package lists are only fetched when there are none, or when they are too old to install from.
    if ! ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1; then
        apt update
    fi
    # The tests start an sshd of their own; none shall listen on this computer because of them.
    ssh=/etc/systemd/system/ssh.service
    case " $* " in *" openssh-server "*)
        if [ ! -e $ssh ]; then
            $as_root mkdir -p "${ssh%/*}"
            $as_root ln -s /dev/null $ssh
        fi ;;
    esac
    apt install -y --no-install-recommends "$@" || {
        apt update
        apt install -y --no-install-recommends "$@"
    }
}

# What is built belongs to the user who runs the tests, also where that one said "sudo".
build() {
    if [ "$(id -u)" = 0 ] && [ "${SUDO_USER:-root}" != root ]; then
        sudo -n -H -u "$SUDO_USER" "$1"
    else
        "$1"
    fi
}

# shellcheck disable=SC2086  # a list of package names is meant to be split
[ -z "$missing" ] || install $missing

case ${1:-} in --image | --machine) exit 0 ;; esac
tools=$(dirname "$(realpath "$0")")
failed=0
for each in build_micropython.sh fetch_pyscard.sh build_pyscard.sh build_uml.sh; do
    build "$tools/$each" || failed=1 # each says itself what to do
done
exit $failed
